//! `countersign vault erase`

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use countersign_client::Client;
use countersign_wire::{EraseRequest, Erased, KindCount};

use super::select::SelectArgs;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Who erases.
const ADMINS: &[&str] = &["admin"];

/// The keys of the selected records are destroyed, and nobody can read them any more: what people asked for, the
/// calls, what they were judged by, results. Their commitments stay in the ledger, which still verifies, with an entry
/// that says what was erased, when and by whom. Turns in force are withdrawn. Backups of before open the records until
/// the erasure is complete (`countersign vault complete`).
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 erased, or with --dry-run shown · 1 not erased: nothing is selected, or you said no
            2 usage, I/O, or refused: under legal hold")]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// On whose authority: a request, a file number
    #[arg(long, value_name = "TEXT")]
    authority: String,
    /// Only show what would be erased
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Leave out what is under legal hold, where otherwise nothing is erased
    #[arg(long)]
    except_held: bool,
}

pub(super) fn run(
    args: &EraseArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if !args.dry_run && !args.yes && !std::io::stdin().is_terminal() {
        let text = "what is erased is gone: say --yes, or look at it first with --dry-run";
        return Err(CliError::usage(text));
    }
    let client = connection.open(terminal)?.with_role(ADMINS)?;
    let mut request = EraseRequest {
        selection: args.select.selection(),
        authority: args.authority.clone(),
        except_held: args.except_held,
        dry_run: true,
    };
    let planned = client.erase(&request)?;
    if args.dry_run || planned.records == 0 {
        terminal.answer(&planned, || text(&planned))?;
        return Ok(match planned.records {
            0 if !args.dry_run => Exit::No,
            _ => Exit::Yes,
        });
    }
    if !args.yes {
        terminal.note(text(&planned));
        if !is_wanted(terminal)? {
            terminal.note("nothing was erased");
            return Ok(Exit::No);
        }
    }
    request.dry_run = false;
    let erased = erase(&client, &request, planned.records, terminal)?;
    terminal.answer(&erased, || text(&erased))?;
    if !terminal.is_json() {
        say_what_remains(&erased, terminal);
    }
    Ok(Exit::Yes)
}

/// Some at a time, as many as the server takes.
fn erase(
    client: &Client,
    request: &EraseRequest,
    records: u64,
    terminal: &Terminal,
) -> Result<Erased, CliError> {
    let bar = terminal.progress("records");
    bar.set_length(records);
    let mut all = client.erase(request)?;
    while all.left > 0 {
        bar.set_position(all.records);
        let next = client.erase(request)?;
        // Nothing more goes, such as what was put under hold meanwhile.
        let is_stuck = next.records == 0;
        merge(&mut all, next);
        if is_stuck {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(all)
}

fn merge(all: &mut Erased, next: Erased) {
    for KindCount { kind, records } in next.kinds {
        match all.kinds.iter_mut().find(|count| count.kind == kind) {
            Some(count) => count.records = count.records.saturating_add(records),
            None => all.kinds.push(KindCount { kind, records }),
        }
    }
    all.records = all.records.saturating_add(next.records);
    all.turns_revoked = all.turns_revoked.saturating_add(next.turns_revoked);
    all.rows = all.rows.saturating_add(next.rows);
    all.entries.extend(next.entries);
    (all.held, all.left) = (next.held, next.left);
    all.log_is_emptied = next.log_is_emptied;
    all.entry = next.entry.or(all.entry.take());
}

fn is_wanted(terminal: &Terminal) -> Result<bool, CliError> {
    terminal.warn("this cannot be undone");
    let mut stderr = std::io::stderr().lock();
    let asked = write!(stderr, "erase? type `yes`: ").and_then(|()| stderr.flush());
    asked.map_err(|error| CliError::usage(error.to_string()))?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| CliError::usage(error.to_string()))?;
    Ok(line.trim() == "yes")
}

fn text(erased: &Erased) -> String {
    let mut lines = Vec::new();
    lines.push(match (erased.dry_run, erased.records) {
        (_, 0) if erased.already > 0 => "nothing is left to erase".to_owned(),
        (_, 0) => "nothing is selected".to_owned(),
        (true, records) => format!("{records} records would be erased"),
        (false, records) => format!("{records} records were erased"),
    });
    for KindCount { kind, records } in &erased.kinds {
        let what = match kind.as_str() {
            "intent" => "turns",
            "call" => "calls",
            "facts" => "facts that calls were judged by",
            "reasoning" => "reasons that agents gave",
            "result" => "results of tools",
            "statement" => "statements",
            "changeset" => "changes of the directory",
            "pseudonym" => "links from pseudonyms to whom they stand for",
            other => other,
        };
        lines.push(format!("  {records:>8} {}", render::plain(what)));
    }
    let others = [
        (erased.rows, "rows that lead to them"),
        (erased.turns_revoked, "turns in force, withdrawn"),
        (erased.held, "left: under legal hold"),
        (erased.already, "erased before"),
        (erased.left, "left"),
    ];
    for (count, what) in others {
        if count > 0 {
            lines.push(format!("  {count:>8} {what}"));
        }
    }
    if let (Some(first), Some(last)) = (erased.entries.first(), erased.entries.last()) {
        let (first, last) = (render::plain(first), render::plain(last));
        lines.push(match first == last {
            true => format!("entry {first}"),
            false => format!("{} entries, {first} to {last}", erased.entries.len()),
        });
    }
    lines.join("\n")
}

fn say_what_remains(erased: &Erased, terminal: &Terminal) {
    terminal.note("what stays: the commitments in the ledger, and the entries that say so");
    if !erased.log_is_emptied {
        terminal.warn(
            "readers were in the way of emptying the database's log: the server goes on trying",
        );
    }
    terminal.note(format!(
        "backups of before open the records until the erasure is complete: by itself after {} hours, or with",
        erased.window_h
    ));
    terminal.hint("countersign vault complete");
    terminal.note("copies of the vault's keys outside of this machine must be destroyed, too (docs/erasure.md)");
}
