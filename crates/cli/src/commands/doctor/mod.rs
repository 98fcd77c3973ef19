//! `countersign doctor`

mod claude;
mod ledger;
pub(in crate::commands) mod process;
mod relay;
mod report;
mod server;
mod settings;

use std::path::{Path, PathBuf};

use countersign_core::ids::EntryId;
use countersign_core::time::Clock as _;
use countersign_hooks::PROBE;
use countersign_keys::SystemRandom;
use countersign_service::SystemClock;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use report::{Check, Diagnosis, Section};

/// Looks at what is installed on this machine and tries it: the server, Claude Code's hooks, and MCP relays. Each is
/// given recorded events, a call that must be denied among them, and what it answers is looked up in the ledger.
///
/// Exit code 0 if nothing is red, 1 if something is.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The project whose settings count [default: the current directory]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// A further file with `mcpServers`; can be given more than once
    #[arg(long = "mcp-settings", value_name = "FILE")]
    mcp_settings: Vec<PathBuf>,
    /// Another file in place of the machine's managed settings, for tests
    #[arg(long, value_name = "FILE", hide = true)]
    managed_file: Option<PathBuf>,
    /// Look at settings and what was seen, and send nothing
    #[arg(long)]
    look_only: bool,
}

/// What is tried, and how it is told from real use.
struct Probe {
    /// What ids of sessions and calls begin with.
    id: String,
    project: PathBuf,
    /// Whether anything may be sent.
    is_sending: bool,
}

pub(crate) fn run(
    args: &DoctorArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let project = match &args.project {
        Some(project) => project.clone(),
        None => std::env::current_dir().map_err(|error| CliError::io(Path::new("."), error))?,
    };
    let project = project
        .canonicalize()
        .map_err(|error| CliError::io(&project, error))?;
    let id = EntryId::fresh(SystemClock.now(), &SystemRandom).to_string();
    let probe = Probe {
        id: format!("{PROBE}{}", id.to_lowercase()),
        project,
        is_sending: !args.look_only,
    };
    let diagnosis = examine(&probe, args, connection, terminal);
    terminal.answer(&diagnosis, || diagnosis.text(terminal))?;
    Ok(diagnosis.exit())
}

fn examine(
    probe: &Probe,
    args: &DoctorArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Diagnosis {
    let installed = settings::installed(&probe.project, args.managed_file.as_deref());
    let relays = relay::configured(&probe.project, &args.mcp_settings);
    let mut sections = Vec::new();
    let profile = server::profile(connection);
    // A hook has a server and credentials of its own; the profile's is looked at where it is there,
    // or else where nothing is.
    let is_bare = installed.is_empty() && !relays.iter().any(relay::Configured::is_ours);
    let ledger = match &profile {
        Ok(None) if !is_bare => None,
        Ok(profile) => {
            let known = profile.as_ref();
            let (section, ledger) = server::examine(probe, known, connection, terminal);
            sections.push(section);
            ledger
        }
        Err(error) => {
            let mut section = Section::new("the profile");
            section.add(Check::red(error.to_string()));
            sections.push(section);
            None
        }
    };
    let profile = profile.ok().flatten();
    sections.push(claude::examine(probe, &installed, profile.as_ref()));
    for relay in &relays {
        let has_hook = !installed.is_empty();
        sections.extend(relay::examine(probe, relay, ledger.as_ref(), has_hook));
    }
    Diagnosis::new(probe.id.clone(), sections)
}
