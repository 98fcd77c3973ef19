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
Exit codes: 0 erased, or with --dry-run shown · 1 not erased: nothing is selected, it is under legal hold,
            you said no, or the server refused · 2 usage or I/O")]
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
        if planned.held > 0 {
            say_what_is_held(args, terminal);
        }
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
        (_, 0) if erased.held > 0 => "nothing can be erased".to_owned(),
        (_, 0) => "nothing is selected".to_owned(),
        (true, 1) => "1 record would be erased".to_owned(),
        (true, records) => format!("{records} records would be erased"),
        (false, 1) => "1 record was erased".to_owned(),
        (false, records) => format!("{records} records were erased"),
    });
    for KindCount { kind, records } in &erased.kinds {
        let what = what(kind, *records);
        lines.push(format!("  {records:>8} {}", render::plain(what)));
    }
    let others = [
        (
            erased.rows,
            if erased.rows == 1 {
                "row that leads to them"
            } else {
                "rows that lead to them"
            },
        ),
        (
            erased.turns_revoked,
            if erased.turns_revoked == 1 {
                "turn in force, withdrawn"
            } else {
                "turns in force, withdrawn"
            },
        ),
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

/// What records of a kind are called, one or more.
fn what(kind: &str, records: u64) -> &str {
    match (kind, records) {
        ("intent", 1) => "turn",
        ("intent", _) => "turns",
        ("call", 1) => "call",
        ("call", _) => "calls",
        ("facts", 1) => "set of facts that a call was judged by",
        ("facts", _) => "sets of facts that calls were judged by",
        ("reasoning", 1) => "reasoning that an agent gave",
        ("reasoning", _) => "reasonings that agents gave",
        ("result", 1) => "result of a tool",
        ("result", _) => "results of tools",
        ("statement", 1) => "statement",
        ("statement", _) => "statements",
        ("changeset", 1) => "change of the directory",
        ("changeset", _) => "changes of the directory",
        ("pseudonym", 1) => "link from a pseudonym to whom it stands for",
        ("pseudonym", _) => "links from pseudonyms to whom they stand for",
        (other, _) => other,
    }
}

fn say_what_is_held(args: &EraseArgs, terminal: &Terminal) {
    if terminal.is_json() {
        return;
    }
    if !args.except_held {
        terminal.note("what is under legal hold keeps the whole request from being erased; --except-held leaves it out");
    }
    terminal.hint("countersign vault holds");
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
