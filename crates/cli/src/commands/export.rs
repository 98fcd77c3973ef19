//! `countersign export`

mod documents;
mod incident;
mod offline;
mod online;

use std::path::{Path, PathBuf};

use countersign_core::time::Clock as _;
use countersign_service::SystemClock;
use serde::Serialize;

use crate::connection::{Connection, ConnectionArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// What `export.json` calls this layout.
const FORMAT: &str = "countersign-export/1";

/// In the layout of C2SP tlog-tiles. A directory that holds an earlier export of the same log is brought up to date.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    command: Option<ExportCommand>,
    /// The directory
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// Open the sealed documents, too, into DIR/documents; each opening is an entry
    #[arg(long, requires = "purpose")]
    documents: bool,
    /// Why they are opened
    #[arg(long, value_name = "TEXT", requires = "documents")]
    purpose: Option<String>,
    /// Copy from a data directory in place of a server; with --documents no server may run on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum ExportCommand {
    /// Make a folder about one incident: a report for people, the entries with their proofs, the rules
    Incident(Box<incident::IncidentArgs>),
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Exported {
    origin: String,
    size: u64,
    /// Tiles that were written; others were there.
    tiles_written: u64,
    documents: u64,
    /// Documents that were sealed and could not be opened any more, as after an erasure.
    documents_missing: u64,
    dir: PathBuf,
}

pub(crate) fn run(
    args: &ExportArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if let Some(ExportCommand::Incident(args)) = &args.command {
        return incident::run(args, connection, terminal);
    }
    let Some(target) = &args.dir else {
        return Err(CliError::usage("no directory to export to was given"));
    };
    let purpose = args.purpose.as_deref().filter(|_| args.documents);
    let exported = match &args.data {
        Some(data) => offline::export(data, target, purpose, connection, terminal)?,
        None => online::export(&connection.open(terminal)?, target, purpose, terminal)?,
    };
    describe(target, &exported)?;
    terminal.answer(&exported, || {
        let dir = target.display();
        let documents = match purpose {
            Some(_) => format!(" and {} documents", exported.documents),
            None => String::new(),
        };
        format!(
            "{} entries{documents} of {} are in `{dir}`",
            exported.size, exported.origin
        )
    })?;
    if !terminal.is_json() {
        if exported.documents_missing > 0 {
            terminal.note(format!(
                "{} documents could not be opened, as after an erasure",
                exported.documents_missing
            ));
        }
        terminal.hint(format!(
            "countersign verify {} --key <the log's key> --checkpoint <one that you kept>",
            target.display()
        ));
    }
    Ok(Exit::Yes)
}

/// Copies the log of a server and, for a purpose, its documents.
pub(crate) fn from_server(
    connection: &Connection,
    dir: &Path,
    purpose: Option<&str>,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let exported = online::export(connection, dir, purpose, terminal)?;
    describe(dir, &exported)
}

/// Says for people and tools what lies here. The verifier reads none of it.
fn describe(dir: &Path, exported: &Exported) -> Result<(), CliError> {
    let made_at = SystemClock.now().to_string();
    let text = serde_json::json!({
        "format": FORMAT,
        "origin": exported.origin,
        "size": exported.size,
        "made_at": made_at,
    });
    write(&dir.join("export.json"), format!("{text:#}\n").as_bytes())
}

/// Writes a file whole or not at all, readable as the directory allows.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::io(path, error);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    std::fs::write(&new, bytes).map_err(failed)?;
    std::fs::rename(&new, path).map_err(failed)
}
