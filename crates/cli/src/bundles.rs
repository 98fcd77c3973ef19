//! Bundles: those that come with the program, and those that lie in a directory.

use std::path::{Path, PathBuf};

use countersign_core::document::{Bundle, BundleContent};
use countersign_core::names::TenantId;
use countersign_judge::{CompiledBundle, Finding, Severity, source};
use countersign_service::finding_view;

use crate::error::CliError;

/// Most files that are read of a directory.
const FILES: usize = 1_000;
/// Most bytes of one file.
const FILE_BYTES: u64 = 1024 * 1024;

/// A bundle that comes with the program.
pub(crate) struct Starter {
    /// Its name.
    pub(crate) name: &'static str,
    pub(crate) files: &'static [(&'static str, &'static str)],
}

impl Starter {
    /// Its files, by path.
    pub(crate) fn owned_files(&self) -> Vec<(String, String)> {
        let files = self.files.iter();
        files
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    }
}

macro_rules! starter {
    ($name:literal: $($file:literal),+ $(,)?) => {
        Starter {
            name: $name,
            files: &[$(($file, include_str!(concat!("../../../bundles/", $name, "/", $file)))),+],
        }
    };
}

/// The bundles that come with the program.
pub(crate) const STARTERS: &[Starter] = &[
    starter!("mail-agent":
        "bundle.toml",
        "schema.cedarschema",
        "cases/desk.toml",
        "cases/mail.toml",
        "policies/desk.cedar",
        "policies/mail.cedar",
        "tools/crm.lookup.json",
        "tools/email.send.json",
        "tools/inbox.read.json",
        "tools/ticket.update.json",
    ),
    starter!("coding-agent":
        "bundle.toml",
        "schema.cedarschema",
        "cases/hostile.toml",
        "cases/ordinary.toml",
        "cases/tools.toml",
        "cases/words.toml",
        "policies/files.cedar",
        "policies/guarded.cedar",
        "policies/outward.cedar",
        "policies/shell.cedar",
        "policies/work.cedar",
        "tools/Agent.json",
        "tools/AskUserQuestion.json",
        "tools/Bash.json",
        "tools/BashOutput.json",
        "tools/Edit.json",
        "tools/EnterPlanMode.json",
        "tools/ExitPlanMode.json",
        "tools/Glob.json",
        "tools/Grep.json",
        "tools/KillBash.json",
        "tools/KillShell.json",
        "tools/LS.json",
        "tools/MultiEdit.json",
        "tools/NotebookEdit.json",
        "tools/Read.json",
        "tools/Skill.json",
        "tools/SlashCommand.json",
        "tools/Task.json",
        "tools/TaskGet.json",
        "tools/TaskList.json",
        "tools/TaskOutput.json",
        "tools/TaskStop.json",
        "tools/TodoWrite.json",
        "tools/ToolSearch.json",
        "tools/WebFetch.json",
        "tools/WebSearch.json",
        "tools/Write.json",
    ),
    starter!("allow-all":
        "bundle.toml",
        "cases/allow-all.toml",
        "policies/allow-all.cedar",
    ),
    starter!("library":
        "bundle.toml",
        "schema.cedarschema",
        "cases/hand-over-is-asked-about.toml",
        "cases/irreversible-is-asked-for.toml",
        "cases/no-churned-contacts.toml",
        "cases/no-new-payee-without-a-person.toml",
        "cases/no-secrets-outward.toml",
        "cases/reads-free-writes-grounded.toml",
        "cases/recipients-from-turn-or-system.toml",
        "cases/recipients-named-in-the-turn.toml",
        "cases/spending-caps.toml",
        "cases/texts-lead-nowhere-new.toml",
        "cases/working-hours.toml",
        "policies/hand-over-is-asked-about.cedar",
        "policies/irreversible-is-asked-for.cedar",
        "policies/no-churned-contacts.cedar",
        "policies/no-new-payee-without-a-person.cedar",
        "policies/no-secrets-outward.cedar",
        "policies/reads-free-writes-grounded.cedar",
        "policies/recipients-from-turn-or-system.cedar",
        "policies/recipients-named-in-the-turn.cedar",
        "policies/spending-caps.cedar",
        "policies/texts-lead-nowhere-new.cedar",
        "policies/working-hours.cedar",
        "tools/crm.lookup.json",
        "tools/email.reply.json",
        "tools/email.send.json",
        "tools/inbox.read.json",
        "tools/payment.send.json",
        "tools/ticket.update.json",
    ),
];

/// The bundle whose policies are there to be taken.
pub(crate) const LIBRARY: &str = "library";

/// The bundle that a new log begins with unless another is named.
pub(crate) const DEFAULT: &str = "mail-agent";

/// Reads a bundle: one that comes with the program by its name, or else a directory.
pub(crate) fn read(name_or_dir: &str) -> Result<BundleContent, CliError> {
    source::read(&files(name_or_dir)?).map_err(|findings| refused(name_or_dir, &findings))
}

/// The files of a bundle, its cases among them, by path relative to its directory.
pub(crate) fn files(name_or_dir: &str) -> Result<Vec<(String, String)>, CliError> {
    match STARTERS.iter().find(|starter| starter.name == name_or_dir) {
        Some(starter) => Ok(starter.owned_files()),
        None => directory(Path::new(name_or_dir)),
    }
}

/// The bundle of these files, compiled.
pub(crate) fn compile(
    name_or_dir: &str,
    files: &[(String, String)],
) -> Result<CompiledBundle, CliError> {
    let content = source::read(files).map_err(|findings| refused(name_or_dir, &findings))?;
    let tenant = local()?;
    CompiledBundle::compile(Bundle { tenant, content }).map_err(|mut error| {
        source::locate(files, &mut error.findings);
        refused(name_or_dir, &error.findings)
    })
}

/// Reads and checks a bundle; what is only worth a warning is in the answer.
pub(crate) fn check(name_or_dir: &str) -> Result<(BundleContent, Vec<Finding>), CliError> {
    let files = files(name_or_dir)?;
    let content = source::read(&files).map_err(|findings| refused(name_or_dir, &findings))?;
    let mut findings = countersign_judge::check(&content, &local()?);
    source::locate(&files, &mut findings);
    match findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
    {
        true => Err(refused(name_or_dir, &findings)),
        false => Ok((content, findings)),
    }
}

/// The bundle as the server takes it.
pub(crate) fn to_json(content: &BundleContent) -> Result<Vec<u8>, CliError> {
    serde_json::to_vec(content).map_err(|error| CliError::usage(error.to_string()))
}

/// The tenant of a bundle that no server has yet.
fn local() -> Result<TenantId, CliError> {
    "local"
        .parse()
        .map_err(|error| CliError::usage(format!("{error}")))
}

/// A bundle, or what lies beside it, has these errors.
pub(crate) fn refused(name: &str, findings: &[Finding]) -> CliError {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    let plural = if errors == 1 { "" } else { "s" };
    CliError::usage(format!("the bundle `{name}` has {errors} error{plural}"))
        .exiting(crate::exit::Exit::No)
        .with_findings(findings.iter().map(finding_view).collect())
}

fn directory(root: &Path) -> Result<Vec<(String, String)>, CliError> {
    if !root.is_dir() {
        let names: Vec<String> = STARTERS
            .iter()
            .map(|starter| format!("`{}`", starter.name))
            .collect();
        let message = format!(
            "`{}` is no bundle: allowed are a directory, or one of {}",
            root.display(),
            names.join(", ")
        );
        return Err(CliError::usage(message));
    }
    if !root.join("bundle.toml").exists() && !root.join("policies").is_dir() {
        let message = format!(
            "`{}` is no bundle: it has neither bundle.toml nor policies/",
            root.display()
        );
        return Err(CliError::usage(message).hint("name the directory that holds bundle.toml"));
    }
    let mut files = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| CliError::io(&dir, error))? {
            let entry = entry.map_err(|error| CliError::io(&dir, error))?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            if files.len() == FILES {
                return Err(CliError::io(
                    root,
                    format!("a bundle has at most {FILES} files"),
                ));
            }
            files.push((relative(root, &path)?, text(&path)?));
        }
    }
    Ok(files)
}

fn relative(root: &Path, path: &Path) -> Result<String, CliError> {
    let inside: PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    let names: Option<Vec<&str>> = inside.iter().map(|name| name.to_str()).collect();
    names
        .map(|names| names.join("/"))
        .ok_or_else(|| CliError::io(path, "the file's name is not utf-8"))
}

fn text(path: &Path) -> Result<String, CliError> {
    let length = std::fs::metadata(path)
        .map_err(|error| CliError::io(path, error))?
        .len();
    if length > FILE_BYTES {
        return Err(CliError::io(
            path,
            format!("{length} bytes are more than {FILE_BYTES}"),
        ));
    }
    crate::input::file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_starter_passes_its_check() {
        for starter in STARTERS {
            let (content, _) =
                check(starter.name).unwrap_or_else(|error| panic!("{}: {error}", starter.name));
            assert_eq!(content.name, starter.name);
        }
        assert!(STARTERS.iter().any(|starter| starter.name == DEFAULT));
    }

    #[test]
    fn what_is_built_in_is_what_lies_in_the_repository() {
        for starter in STARTERS {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../bundles")
                .join(starter.name);
            let on_disk = directory(&root).unwrap();
            let mut names: Vec<String> = on_disk
                .into_iter()
                .map(|(path, _)| path)
                .filter(|path| !path.ends_with(".md"))
                .collect();
            names.sort();
            let mut built_in: Vec<&str> = starter.files.iter().map(|(path, _)| *path).collect();
            built_in.sort_unstable();
            assert_eq!(names, built_in, "{}", starter.name);
        }
    }
}
