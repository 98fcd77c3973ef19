//! `countersign backup`

use std::path::PathBuf;

use countersign_host::{BackupProgress, DataDir};
use indicatif::ProgressBar;
use serde::Serialize;

use super::verify::key;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// A server may run on it, and goes on deciding. The copy is one state of the log, and is checked before it is
/// called done. Keys are not in it: back them up apart, for whoever has both reads every record.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 the backup is there, and sound · 1 the copy differs from itself · 3 it is not the log that was signed
            2 no backup: usage or I/O")]
pub(crate) struct BackupArgs {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The directory that is made; it must not be there, or be empty
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The log's verifier key, or a FILE that holds it, where its key files are not in the data directory
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
}

/// What was backed up, as `--json` prints it.
#[derive(Serialize)]
struct BackedUp {
    dir: PathBuf,
    origin: String,
    size: u64,
    root: String,
    checkpoint: String,
    bytes: u64,
}

pub(crate) fn run(args: &BackupArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let keys = args.keys.iter().map(|text| key("--key", text));
    let keys = keys.collect::<Result<_, _>>()?;
    let bars = Bars::new(terminal, "pages");
    let backup = DataDir::new(&args.data).back_up(&args.output, keys, &mut |at| bars.tell(at))?;
    bars.clear();
    let backed_up = BackedUp {
        dir: args.output.clone(),
        bytes: backup.files.iter().map(|file| file.bytes).sum(),
        origin: backup.origin,
        size: backup.size,
        root: backup.root,
        checkpoint: backup.checkpoint,
    };
    terminal.answer(&backed_up, || {
        format!(
            "{} entries of {} are in `{}`, and sound",
            backed_up.size,
            backed_up.origin,
            backed_up.dir.display()
        )
    })?;
    if !terminal.is_json() {
        terminal.note("no key is in it: keep `keys/` elsewhere, and `root.key` offline");
        terminal.hint(
            "keep the newest checkpoint where it is not restored together with this: countersign checkpoint --save FILE",
        );
    }
    Ok(Exit::Yes)
}

/// A bar for copying, and one for checking.
pub(super) struct Bars {
    copying: ProgressBar,
    checking: ProgressBar,
}

impl Bars {
    pub(super) fn new(terminal: &Terminal, copied: &'static str) -> Self {
        Self {
            copying: terminal.progress(copied),
            checking: terminal.progress("checked"),
        }
    }

    pub(super) fn tell(&self, at: BackupProgress) {
        let (bar, done, total) = match at {
            BackupProgress::Copying { done, total } => (&self.copying, done, total),
            BackupProgress::Checking { done, total } => {
                self.copying.finish_and_clear();
                (&self.checking, done, total)
            }
        };
        bar.set_length(total);
        bar.set_position(done);
    }

    pub(super) fn clear(&self) {
        self.copying.finish_and_clear();
        self.checking.finish_and_clear();
    }
}
