//! What a command says when it cannot be carried out: what arrived, what was allowed, and a hint.

use std::fmt::Display;
use std::path::Path;

use countersign_client::ClientError;
use countersign_wire::FindingView;

use crate::exit::Exit;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    hints: Vec<String>,
    findings: Vec<FindingView>,
    problem: Option<Box<countersign_wire::Problem>>,
}

impl CliError {
    /// A mistake in what was asked, or something that could not be read, written or reached.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Trouble,
            message: message.into(),
            hints: Vec::new(),
            findings: Vec::new(),
            problem: None,
        }
    }

    /// A file or directory that could not be read or written.
    pub(crate) fn io(path: &Path, error: impl Display) -> Self {
        Self::usage(format!("`{}`: {error}", path.display()))
    }

    /// The same error with a hint, which stands on a line of its own.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error with another exit code.
    #[must_use]
    pub(crate) fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same error with what the check of a bundle found.
    #[must_use]
    pub(crate) fn with_findings(mut self, findings: Vec<FindingView>) -> Self {
        self.findings = findings;
        self
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What may help, line by line.
    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// What the check of a bundle found.
    pub(crate) fn findings(&self) -> &[FindingView] {
        &self.findings
    }

    /// The server's problem document, if it sent one.
    pub(crate) fn problem(&self) -> Option<&countersign_wire::Problem> {
        self.problem.as_deref()
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        let hint = error.hint();
        let mut own = Self::usage(message);
        own.hints.extend(hint);
        if let ClientError::Problem { problem, .. } = error {
            // What the server refuses is a "no"; what it cannot do at present is trouble.
            if problem.status < 500 {
                own.exit = Exit::No;
            }
            own.findings.clone_from(&problem.findings);
            own.problem = Some(problem);
        }
        own
    }
}

impl From<countersign_host::HostError> for CliError {
    fn from(error: countersign_host::HostError) -> Self {
        use countersign_host::{BackupError, HostError};
        use countersign_ledger::OpenError;
        use countersign_service::SetupError;
        let hint = error.hint();
        let mut own = Self::usage(match &error {
            // A backup comes from elsewhere, and so do words of it.
            HostError::Backup(_) => crate::render::plain(&error.to_string()),
            _ => error.to_string(),
        });
        own.hints.extend(hint);
        // Going on could contradict what the log has signed.
        if let HostError::Setup(SetupError::Open(
            OpenError::RolledBack { .. }
            | OpenError::Forked { .. }
            | OpenError::DatabaseLost { .. }
            | OpenError::OtherLog { .. }
            | OpenError::Damaged { .. },
        )) = &error
        {
            own.exit = Exit::Inconsistent;
        }
        if let HostError::Backup(backup) = &error {
            own.exit = match backup {
                _ if backup.contradicts() => Exit::Inconsistent,
                BackupError::NotSound { .. } | BackupError::Changed(_) => Exit::No,
                _ => Exit::Trouble,
            };
        }
        if let HostError::Setup(SetupError::Service(service)) = error {
            own.findings = service
                .findings
                .iter()
                .map(countersign_service::finding_view)
                .collect();
        }
        own
    }
}

impl From<countersign_service::ServiceError> for CliError {
    fn from(error: countersign_service::ServiceError) -> Self {
        let mut own = Self::usage(error.to_string());
        // On a data directory, whoever asks is the operator.
        own.hints
            .extend(error.internal.map(|cause| format!("the cause: {cause}")));
        own
    }
}
