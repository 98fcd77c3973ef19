//! A bundle, compiled.

use countersign_core::document::{
    Bundle, BundleContent, Document as _, Settings, ToolManifest,
};
use countersign_core::names::{ActionName, ReasonId, TenantId};
use countersign_core::refs::PolicyRef;

use crate::finding::Finding;

/// A bundle, checked and parsed once.
pub struct CompiledBundle {
    bundle: Bundle,
    policy_ref: PolicyRef,
    tools: Vec<Tool>,
}

/// A bundle that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bundle has {} errors; the first: {}", findings.len(), findings.first().map(|f| f.message.as_str()).unwrap_or_default())]
pub struct BundleError {
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// One tool's manifest, compiled.
pub struct Tool {
    manifest: ToolManifest,
}

impl Tool {
    /// The manifest.
    pub fn manifest(&self) -> &ToolManifest {
        &self.manifest
    }

    /// What a call of the tool does.
    pub fn action(&self) -> &ActionName {
        &self.manifest.action
    }
}

/// One policy as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// The file.
    pub file: String,
    /// The line where the policy begins, from 1.
    pub line: u32,
    /// Its text.
    pub text: String,
}

impl CompiledBundle {
    /// Checks and parses a bundle.
    pub fn compile(bundle: Bundle) -> Result<Self, BundleError> {
        let policy_ref = bundle.reference().map_err(|e| BundleError {
            findings: vec![Finding::error("bundle.toml", e.to_string())],
        })?;
        let tools = bundle
            .content
            .tools
            .iter()
            .cloned()
            .map(|manifest| Tool { manifest })
            .collect();
        Ok(Self {
            bundle,
            policy_ref,
            tools,
        })
    }

    /// The bundle's commitment.
    pub fn policy_ref(&self) -> PolicyRef {
        self.policy_ref
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.bundle.content.settings
    }

    /// The tool with this exact name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.manifest.tool == name)
    }

    /// The Cedar schema that the policies were checked against.
    pub fn schema_text(&self) -> &str {
        ""
    }

    /// What a reason means, for people: a policy's `@reason`, a built-in's explanation.
    pub fn reason_text(&self, _id: &ReasonId) -> Option<&str> {
        None
    }

    /// A policy's text and where it stands.
    pub fn policy_text(&self, _id: &ReasonId) -> Option<PolicyText> {
        None
    }
}

/// Everything that compiling would refuse, and what it would only warn of.
pub fn check(content: &BundleContent, tenant: &TenantId) -> Vec<Finding> {
    let bundle = Bundle {
        tenant: tenant.clone(),
        content: content.clone(),
    };
    match CompiledBundle::compile(bundle) {
        Ok(_) => Vec::new(),
        Err(error) => error.findings,
    }
}
