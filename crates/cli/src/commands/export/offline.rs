//! Exporting from a data directory.

use std::path::Path;

use countersign_core::refs::Sha256;
use countersign_host::DataDir;
use countersign_ledger::LogReader;
use countersign_ledger::publish::publish;
use countersign_service::ExportProgress;
use indicatif::ProgressBar;

use super::Exported;
use super::documents::Documents;
use crate::commands::entries::open_log;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::terminal::Terminal;

pub(super) fn export(
    data: &Path,
    dir: &Path,
    purpose: Option<&str>,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exported, CliError> {
    let mut exported = Exported {
        origin: String::new(),
        size: 0,
        tiles_written: 0,
        documents: 0,
        documents_missing: 0,
        dir: dir.to_owned(),
    };
    match purpose {
        None => tiles(&open_log(data)?, &mut exported, terminal)?,
        Some(purpose) => {
            let host = DataDir::new(data).open()?;
            let service = host.service();
            // So that the entries of the opening, which come now, are in the export, too.
            open_all(service, purpose, connection, &mut exported, terminal)?;
            tiles(&service.ledger().reader(), &mut exported, terminal)?;
        }
    }
    Ok(exported)
}

fn tiles(log: &LogReader, exported: &mut Exported, terminal: &Terminal) -> Result<(), CliError> {
    let bar = terminal.progress("tiles");
    let published = publish(log, &exported.dir, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    let published = published.map_err(|error| CliError::usage(error.to_string()))?;
    bar.finish_and_clear();
    exported.origin = log.head().origin().to_string();
    exported.size = published.size.get();
    exported.tiles_written = published.written;
    Ok(())
}

fn open_all(
    service: &countersign_service::Service,
    purpose: &str,
    connection: &ConnectionArgs,
    exported: &mut Exported,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let token = connection.token_for("vault-reader")?.ok_or_else(|| {
        CliError::usage("opening documents needs the token of a vault-reader")
            .hint("give it with COUNTERSIGN_TOKEN, or name a profile with --profile")
    })?;
    let caller = service.authenticate(token.reveal())?;
    let documents = Documents::below(&exported.dir)?;
    let bar = Bar(terminal.progress("documents"));
    let put = |reference: Sha256, bytes: Vec<u8>| {
        documents
            .put(&reference, &bytes)
            .map_err(std::io::Error::other)
    };
    exported.documents = service.open_documents(&caller, purpose, &bar, put)?;
    bar.0.finish_and_clear();
    Ok(())
}

struct Bar(ProgressBar);

impl ExportProgress for Bar {
    fn step(&self, _what: &str, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}
