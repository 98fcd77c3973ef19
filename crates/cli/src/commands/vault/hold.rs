//! `countersign vault hold`, `release` and `holds`

use clap::Args;
use countersign_wire::{HoldList, HoldRequest, HoldView, ReleaseRequest};

use super::select::SelectArgs;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Who places and lifts holds.
const KEEPERS: &[&str] = &["admin"];
/// Who reads which are in force.
const READERS: &[&str] = &["admin", "auditor"];

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// On whose authority: a file number, an order
    #[arg(long, value_name = "TEXT")]
    authority: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The hold: an entry, as `countersign vault holds` lists it
    #[arg(value_name = "HOLD", required_unless_present = "all_of")]
    hold: Option<String>,
    /// All that one request placed: the commitment to its authority
    #[arg(long, value_name = "AUTHORITY_REF", conflicts_with = "hold")]
    all_of: Option<String>,
    /// Only these of its records; can be given more than once
    #[arg(long = "ref", value_name = "REF")]
    refs: Vec<String>,
    /// On whose authority it is lifted
    #[arg(long, value_name = "TEXT")]
    authority: String,
}

pub(super) fn place(
    args: &HoldArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(KEEPERS)?;
    let placed = client.place_hold(&HoldRequest {
        selection: args.select.selection(),
        authority: args.authority.clone(),
    })?;
    terminal.answer(&placed, || {
        let holds: Vec<String> = placed.holds.iter().map(|it| render::plain(it)).collect();
        format!(
            "{} are under hold with {}",
            records(placed.records),
            holds.join(", ")
        )
    })?;
    if !terminal.is_json() {
        if placed.erased > 0 {
            terminal.warn(format!(
                "{} of the selection were erased before",
                records(placed.erased)
            ));
        }
        terminal.note("held is what is there now: for what comes later, place another hold");
        let authority = render::plain(&placed.authority_ref);
        terminal.hint(format!(
            "countersign vault release --all-of {authority} --authority …"
        ));
    }
    Ok(Exit::Yes)
}

pub(super) fn release(
    args: &ReleaseArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(KEEPERS)?;
    let released = client.release_hold(&ReleaseRequest {
        hold: args.hold.clone(),
        authority_ref: args.all_of.clone(),
        refs: args.refs.clone(),
        authority: args.authority.clone(),
    })?;
    terminal.answer(&released, || {
        format!("the hold is lifted from {}", records(released.records))
    })?;
    if !terminal.is_json() && released.still_held > 0 {
        terminal.note(format!(
            "{} of them are under another hold",
            records(released.still_held)
        ));
    }
    Ok(Exit::Yes)
}

pub(super) fn list(connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(READERS)?;
    let mut holds: Vec<HoldView> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = client.holds(after.as_deref())?;
        holds.extend(page.holds);
        match page.next {
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => break,
        }
    }
    let list = HoldList { holds, next: None };
    terminal.answer(&list, || table(terminal, &list.holds))?;
    Ok(Exit::Yes)
}

fn table(terminal: &Terminal, holds: &[HoldView]) -> String {
    if holds.is_empty() {
        return "nothing is under hold".to_owned();
    }
    let mut table = terminal.table(["hold", "placed", "by", "records", "authority"]);
    for hold in holds {
        table.add_row([
            render::plain(&hold.hold),
            render::plain(&hold.placed_at),
            render::plain(&hold.credential),
            hold.refs.len().to_string(),
            render::short_ref(&hold.authority_ref),
        ]);
    }
    table.to_string()
}

fn records(count: u64) -> String {
    match count {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    }
}
