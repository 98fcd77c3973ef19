//! Cases of a bundle: a turn, what came before, a call, and the verdict that its author expects.
//!
//! They stand in `cases/*.toml` beside the policies and are no part of the bundle. Each is judged
//! as a call is, from facts that are drawn from its scene.

mod before;
mod coverage;
mod file;
mod members;
mod reader;
mod run;
mod scene;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::Source;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::verdict::Outcome;
use serde::Serialize;

use crate::bundle::{CompiledBundle, nearest};
use crate::finding::Finding;

pub use coverage::{Coverage, PolicyCoverage};
pub use run::{CaseOutcome, Mismatch};

use file::Written;

/// The directory of a bundle that holds its cases.
pub const DIRECTORY: &str = "cases";

/// The cases of a bundle, read and checked against it.
pub struct Cases {
    list: Vec<Written>,
}

/// What a case expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The outcome.
    pub outcome: Outcome,
    /// All reasons, if the case states them.
    pub reasons: Option<BTreeSet<ReasonId>>,
    /// By the JSON Pointer of an argument, all its sources.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, BTreeSet<Source>>,
}

impl Cases {
    /// Reads the cases among the files of a bundle, given by path relative to its directory (with
    /// `/`) and text. Every mistake in them is found, with its line.
    pub fn read(files: &[(String, String)], bundle: &CompiledBundle) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut sorted: Vec<&(String, String)> = files
            .iter()
            .filter(|(path, _)| is_file_of_cases(path))
            .collect();
        sorted.sort();
        let list: Vec<Written> = sorted
            .into_iter()
            .flat_map(|(path, text)| file::read(path, text, &mut findings))
            .collect();
        unique(&list, &mut findings);
        for case in &list {
            fits(case, bundle, &mut findings);
        }
        match findings.is_empty() {
            true => Ok(Self { list }),
            false => Err(findings),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Only those whose name or file holds the text.
    #[must_use]
    pub fn only(self, text: &str) -> Self {
        let list = self.list.into_iter();
        Self {
            list: list
                .filter(|case| case.name.contains(text) || case.file.contains(text))
                .collect(),
        }
    }

    /// Judges each, in the order of files and lines.
    pub fn run<'a>(
        &'a self,
        bundle: &'a CompiledBundle,
    ) -> impl Iterator<Item = Result<CaseOutcome, Finding>> + 'a {
        self.list.iter().map(|case| run::run(bundle, case))
    }
}

/// Whether a file of a bundle's directory, by its path, holds cases.
pub fn is_file_of_cases(path: &str) -> bool {
    let inside = path.split_once('/');
    inside.is_some_and(|(directory, file)| {
        directory == DIRECTORY
            && !file.contains('/')
            && !file.starts_with('.')
            && file.rsplit_once('.').is_some_and(|(_, end)| end == "toml")
    })
}

/// In one file, a name leads to one case.
fn unique(list: &[Written], findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<(&str, &str), &Written> = BTreeMap::new();
    for case in list {
        if let Some(first) = seen.insert((&case.file, &case.name), case) {
            let message = format!("two cases have the name `{}`", case.name);
            let other = format!("the other is in line {}", first.line);
            findings.push(placed(case, case.line, message).hint(other));
        }
    }
}

fn placed(case: &Written, line: u32, message: impl Into<String>) -> Finding {
    Finding {
        line,
        column: 1,
        ..Finding::error(&case.file, message)
    }
}

/// A case that speaks of what the bundle lacks would pass or fall for no good reason.
fn fits(case: &Written, bundle: &CompiledBundle, findings: &mut Vec<Finding>) {
    let members = &case.members;
    let reasons = || members.reasons.iter().flatten();
    for id in reasons() {
        if BuiltinReason::of(id).is_none() && bundle.policy_text(id).is_none() {
            let finding = placed(case, case.line, format!("the bundle has no policy `{id}`"));
            let known = bundle.policy_ids().map(ReasonId::as_str);
            findings.push(match nearest(id.as_str(), known) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
    let unknown_tool = ReasonId::builtin(BuiltinReason::UnknownTool);
    for tool in members.tool.iter() {
        let is_meant = reasons().any(|id| *id == unknown_tool);
        if bundle.tool(tool).is_none() && !is_meant && !bundle.judges_unknown(tool) {
            let message = format!("no manifest names the tool `{tool}`");
            let hint = format!("if that is the case, write `reasons = [\"{unknown_tool}\"]`");
            findings.push(placed(case, case.line, message).hint(hint));
        }
    }
    for (uid, entity) in &members.directory {
        let problem = match bundle.directory_id(&uid.kind, &uid.id) {
            None => Err(format!("`{}` cannot be the id of a {}", uid.id, uid.kind)),
            Some(_) => bundle.check_entity(&uid.kind, &entity.attributes),
        };
        if let Err(message) = problem {
            findings.push(placed(case, entity.line, message));
        }
    }
    let declared = &bundle.bundle().content.counters;
    for (name, counted) in &members.counters {
        if declared.iter().all(|counter| counter.name != *name) {
            let message = format!("the bundle declares no counter `{name}`");
            let names = declared.iter().map(|counter| counter.name.as_str());
            let finding = placed(case, counted.line, message);
            findings.push(match nearest(name, names) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
}
