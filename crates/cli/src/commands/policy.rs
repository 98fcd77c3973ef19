//! `countersign policy`

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use countersign_client::{Client, ClientError, EntriesQuery};
use countersign_core::document::{Bundle, BundleContent, Document as _};
use countersign_judge::CompiledBundle;
use countersign_service::finding_view;
use serde::Serialize;
use serde_json::Value;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{finding, indented, plain, short_ref};
use crate::terminal::{Terminal, Tone};
use crate::{bundles, connection::Connection};

#[cfg(feature = "analysis")]
mod analyze;
mod diff;
mod library;
mod replay;
mod shadow;
mod test;

/// Who may read bundles.
const READERS: &[&str] = &["author", "auditor", "admin", "reviewer"];

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a bundle without a server; exit code 1 if it has errors
    Check(BundleArgs),
    /// Run the cases of a bundle without a server; exit code 1 if one falls
    Test(test::TestArgs),
    /// List the policies that come with the program, or print one with its cases
    Library(library::LibraryArgs),
    /// Say what a bundle can decide for any request at all, by a solver
    #[cfg(feature = "analysis")]
    Analyze(analyze::AnalyzeArgs),
    /// Say what a bundle can decide for any request at all; this program was built without it
    #[cfg(not(feature = "analysis"))]
    #[command(hide = true, disable_help_flag = true)]
    Analyze(NoAnalysisArgs),
    /// Store a bundle in the log, where all its text stays; with --activate, put it in force
    Publish(PublishArgs),
    /// Put a bundle in force that the log holds already
    Activate(ActivateArgs),
    /// Show a bundle of the log: the one in force, unless another is named
    Show(ShowArgs),
    /// List the bundles of the log
    List,
    /// Compare two bundles; exit code 1 if they differ
    Diff(DiffArgs),
    /// Judge recorded decisions again under another bundle; exit code 1 if any comes out otherwise
    Replay(replay::ReplayArgs),
    /// Try a bundle beside the one in force
    Shadow(shadow::ShadowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The bundle's directory, or the name of one that comes with the program: mail-agent, coding-agent, allow-all or library
    #[arg(value_name = "DIR")]
    bundle: String,
}

#[cfg(not(feature = "analysis"))]
#[derive(Debug, Args)]
pub(crate) struct NoAnalysisArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Put it in force in place of the bundle that is in force now
    #[arg(long)]
    activate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ActivateArgs {
    /// The bundle's policy_ref
    policy_ref: String,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The bundle's policy_ref [default: the one in force]
    policy_ref: Option<String>,
    /// Show the Cedar schema that its policies are checked against
    #[arg(long)]
    schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A directory, the name of a bundle that comes with the program, a policy_ref, or `current`
    a: String,
    /// The same
    b: String,
}

pub(crate) fn run(
    command: &PolicyCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        PolicyCommand::Check(args) => check(args, terminal),
        PolicyCommand::Test(args) => test::run(args, terminal),
        PolicyCommand::Library(args) => library::run(args, terminal),
        #[cfg(feature = "analysis")]
        PolicyCommand::Analyze(args) => analyze::run(args, connection, terminal),
        #[cfg(not(feature = "analysis"))]
        PolicyCommand::Analyze(args) => Err(without_analysis(&args.rest)),
        PolicyCommand::Publish(args) => publish(args, connection, terminal),
        PolicyCommand::Activate(args) => {
            let client = connection.open(terminal)?.with_role(&["author"])?;
            activate(&client, &args.policy_ref, terminal)?;
            Ok(Exit::Yes)
        }
        PolicyCommand::Show(args) => show(args, connection, terminal),
        PolicyCommand::List => list(connection, terminal),
        PolicyCommand::Diff(args) => diff::run(&args.a, &args.b, connection, terminal),
        PolicyCommand::Replay(args) => replay::run(args, connection, terminal),
        PolicyCommand::Shadow(args) => shadow::run(args, connection, terminal),
    }
}

#[cfg(not(feature = "analysis"))]
fn without_analysis(_asked: &[String]) -> CliError {
    CliError::usage("this program was built without `policy analyze`")
        .hint("build it with: cargo install --path crates/cli --features analysis")
        .hint("docs/policy-analysis.md says which solver it takes")
}

#[derive(Serialize)]
struct Checked {
    name: String,
    policies: usize,
    tools: usize,
    findings: Vec<countersign_wire::FindingView>,
}

fn check(args: &BundleArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let checked = match bundles::check(&args.bundle) {
        Ok((content, findings)) => Checked {
            policies: content.policies.len(),
            tools: content.tools.len(),
            findings: findings.iter().map(finding_view).collect(),
            name: content.name,
        },
        Err(error) => {
            if terminal.is_json() && !error.findings().is_empty() {
                terminal.json(&serde_json::json!({ "findings": error.findings() }))?;
            }
            return Err(error);
        }
    };
    terminal.answer(&checked, || {
        let good = terminal.paint(Tone::Good, "the bundle passes its check");
        let warnings = match checked.findings.len() {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            many => format!(", {many} warnings"),
        };
        let name = plain(&checked.name);
        format!("{good}: {name}, {} tools{warnings}", checked.tools)
    })?;
    warn(terminal, &checked.findings);
    Ok(Exit::Yes)
}

fn publish(
    args: &PublishArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    // The local check names the files; the server checks again and believes only itself.
    let (content, _) = bundles::check(&args.bundle.bundle)?;
    let client = connection.open(terminal)?.with_role(&["author"])?;
    let stored = client.store_bundle(bundles::to_json(&content)?)?;
    terminal.answer(&stored, || stored.policy_ref.clone())?;
    warn(terminal, &stored.findings);
    if !terminal.is_json() && stored.known {
        terminal.note("the log held this bundle already");
    }
    if args.activate {
        activate(&client, &stored.policy_ref, terminal)?;
    } else if !terminal.is_json() {
        terminal.hint(format!(
            "it is stored and not in force: countersign policy activate {}",
            stored.policy_ref
        ));
    }
    Ok(Exit::Yes)
}

fn activate(client: &Client, policy_ref: &str, terminal: &Terminal) -> Result<(), CliError> {
    let before = client.current_bundle()?.policy_ref;
    if before == policy_ref {
        terminal.note("it is in force already");
        return Ok(());
    }
    let set = client.set_bundle(policy_ref, &before);
    let current = set.map_err(|error| refused(error, policy_ref))?;
    if terminal.is_json() {
        return terminal.json(&current);
    }
    let entry = super::entry_id(&current.entry);
    terminal.note(format!(
        "in force from entry {entry} on, in place of {}",
        short_ref(&before)
    ));
    terminal.hint(format!("back again: countersign policy activate {before}"));
    Ok(())
}

/// What the bundle in force demands first, as commands.
fn refused(error: ClientError, policy_ref: &str) -> CliError {
    let demand = error.code().unwrap_or_default().to_owned();
    let own = CliError::from(error);
    match demand.as_str() {
        "second-person" => own
            .hint(format!(
                "another author, with a token of their own in COUNTERSIGN_TOKEN: countersign policy activate {policy_ref}"
            ))
            .hint("an admin grants one: countersign credential add --role author --name NAME"),
        "replay-required" => own.hint(format!(
            "countersign policy replay --against {policy_ref}"
        )),
        _ => own,
    }
}

fn show(
    args: &ShowArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(READERS)?;
    let policy_ref = match &args.policy_ref {
        Some(policy_ref) => policy_ref.clone(),
        None => client.current_bundle()?.policy_ref,
    };
    let bundle = read(&client, &policy_ref)?;
    if args.schema {
        let compiled =
            CompiledBundle::compile(bundle).map_err(|error| CliError::usage(error.to_string()))?;
        let schema = compiled.schema_text();
        terminal.answer(
            &serde_json::json!({ "policy_ref": policy_ref, "schema": schema }),
            || plain(schema.trim_end()),
        )?;
        return Ok(Exit::Yes);
    }
    let content = &bundle.content;
    terminal.answer(
        &serde_json::json!({ "policy_ref": policy_ref, "content": content }),
        || text(terminal, &policy_ref, content),
    )?;
    Ok(Exit::Yes)
}

fn text(terminal: &Terminal, policy_ref: &str, content: &BundleContent) -> String {
    let strong = |name: &str| terminal.paint(Tone::Strong, name);
    let mut sections = vec![format!(
        "{}  {policy_ref}\n{}",
        strong(&plain(&content.name)),
        crate::render::wrapped(&content.description, "  ")
    )];
    for file in &content.policies {
        sections.push(format!(
            "{}\n{}",
            strong(&plain(&file.name)),
            indented(&file.text, "  ")
        ));
    }
    if !content.schema.is_empty() {
        sections.push(format!(
            "{}\n{}",
            strong("schema.cedarschema"),
            indented(&content.schema, "  ")
        ));
    }
    for tool in &content.tools {
        let targets: Vec<String> = tool
            .targets
            .iter()
            .map(|target| format!("{} ({})", target.at, target.entity))
            .collect();
        let acts_on = if targets.is_empty() {
            "nothing declared".to_owned()
        } else {
            targets.join(", ")
        };
        let head = strong(&format!("tool {}", plain(&tool.tool)));
        sections.push(format!(
            "{head}\n  {}, {}\n  acts on: {}",
            tool.action,
            tool.effect.name(),
            plain(&acts_on)
        ));
    }
    sections.join("\n\n")
}

#[derive(Serialize)]
struct Listed {
    policy_ref: String,
    name: String,
    stored_at: String,
    in_force: bool,
    in_shadow: bool,
}

/// From the log's own `policy` entries, oldest first.
fn list(connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let connection = connection.open(terminal)?;
    let (log, reader) = (
        connection.with_role(&["auditor", "vault-reader"])?,
        connection.with_role(READERS)?,
    );
    let current = reader.current_bundle()?.policy_ref;
    let shadow = reader.shadow()?.map(|shadow| shadow.policy_ref);
    let mut stored: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut query = EntriesQuery {
        kind: Some("policy".to_owned()),
        limit: Some(500),
        ..EntriesQuery::default()
    };
    loop {
        let page = log.entries(&query)?;
        for answer in &page.entries {
            let entry: Value = serde_json::from_str(answer.entry.get()).unwrap_or_default();
            let of = |member: &str| {
                entry
                    .get(member)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            if of("phase") == "stored" {
                stored.insert(answer.index, (of("policy_ref"), of("timestamp")));
            }
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    let mut listed = Vec::with_capacity(stored.len());
    for (policy_ref, stored_at) in stored.into_values() {
        let name = read(&reader, &policy_ref)?.content.name;
        listed.push(Listed {
            in_force: policy_ref == current,
            in_shadow: shadow.as_ref() == Some(&policy_ref),
            name,
            stored_at,
            policy_ref,
        });
    }
    terminal.answer(&serde_json::json!({ "bundles": listed }), || {
        table(terminal, &listed)
    })?;
    Ok(Exit::Yes)
}

fn table(terminal: &Terminal, listed: &[Listed]) -> String {
    let mut table = terminal.table(["name", "stored", "", "policy_ref"]);
    for bundle in listed {
        let state = if bundle.in_force {
            terminal.cell(Tone::Good, "in force")
        } else if bundle.in_shadow {
            terminal.cell(Tone::Quiet, "in shadow")
        } else {
            Cell::new("")
        };
        table.add_row([
            Cell::new(plain(&bundle.name)),
            Cell::new(plain(&bundle.stored_at)),
            state,
            Cell::new(plain(&bundle.policy_ref)),
        ]);
    }
    crate::render::trimmed(&table.to_string())
}

/// A bundle of the log, held against its ref.
fn read(client: &Client, policy_ref: &str) -> Result<Bundle, CliError> {
    let bytes = client.bundle(policy_ref)?;
    let bundle = Bundle::from_canonical(&bytes)
        .map_err(|error| CliError::usage(format!("the bundle `{policy_ref}`: {error}")))?;
    let found = countersign_core::refs::Sha256::of(&bytes).to_string();
    match found == policy_ref {
        true => Ok(bundle),
        false => Err(CliError::usage(format!(
            "the server sent `{found}` in place of `{policy_ref}`"
        ))),
    }
}

/// A bundle by whatever names it.
fn named(
    name: &str,
    open: &mut dyn FnMut() -> Result<Connection, CliError>,
) -> Result<BundleContent, CliError> {
    if name == "current" || name.starts_with("sha256:") {
        let client = open()?.with_role(READERS)?;
        let policy_ref = if name == "current" {
            client.current_bundle()?.policy_ref
        } else {
            name.to_owned()
        };
        return Ok(read(&client, &policy_ref)?.content);
    }
    bundles::read(name)
}

fn warn(terminal: &Terminal, findings: &[countersign_wire::FindingView]) {
    if !terminal.is_json() {
        findings
            .iter()
            .for_each(|found| terminal.note(finding(found)));
    }
}
