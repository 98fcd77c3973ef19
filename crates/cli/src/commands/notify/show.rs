//! `countersign notify list` and `dead`

use clap::Args;
use countersign_notify::{Dead, Sink, SinkState, State};
use serde::Serialize;

use super::At;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{plain, trimmed};
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub(crate) struct DeadArgs {
    /// Only those of this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    #[command(flatten)]
    at: At,
}

/// A sink as `--json` prints it; nothing of it is secret.
#[derive(Serialize)]
struct Row {
    name: String,
    kind: &'static str,
    place: String,
    min_severity: &'static str,
    quiet_hours: bool,
    opens_sealed: bool,
    private_allowed: bool,
    /// Absent while no server has taken it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Fares>,
}

#[derive(Serialize)]
struct Fares {
    /// The first leaf index that it was not told of.
    cursor: u64,
    delivered: u64,
    delivered_at: Option<String>,
    /// What is being tried and failed before.
    trying: Option<Trying>,
    gathered: u64,
    dead: usize,
    dead_dropped: u64,
    disabled: Option<String>,
}

#[derive(Serialize)]
struct Trying {
    id: String,
    attempts: u32,
    next: String,
    error: Option<String>,
}

#[derive(Serialize)]
struct DeadRow<'a> {
    sink: &'a str,
    id: &'a str,
    entries: Vec<String>,
    attempts: u32,
    first: String,
    given_up: String,
    error: &'a str,
}

pub(super) fn list(args: &ListArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (_, dir) = args.at.dir()?;
    let config = dir.config().read()?;
    let state = State::read(&dir.state())?.unwrap_or_default();
    let rows: Vec<Row> = config
        .sinks
        .iter()
        .map(|sink| Row::new(sink, state.sinks.get(sink.name.as_str())))
        .collect();
    if rows.is_empty() && !terminal.is_json() {
        terminal.note("nobody is told of flags");
        terminal.hint("countersign notify add --help");
        return Ok(Exit::Yes);
    }
    terminal.answer(&rows, || {
        let mut table = terminal.table(["sink", "kind", "where", "tells", "state"]);
        for row in &rows {
            let (tone, state) = row.said();
            table.add_row([
                terminal.cell(Tone::Strong, &row.name),
                terminal.cell(Tone::Quiet, row.kind),
                terminal.cell(Tone::Quiet, &plain(&row.place)),
                terminal.cell(Tone::Quiet, &row.tells()),
                terminal.cell(tone, &plain(&state)),
            ]);
        }
        trimmed(&table.to_string())
    })?;
    Ok(Exit::Yes)
}

pub(super) fn dead(args: &DeadArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (_, dir) = args.at.dir()?;
    if let Some(name) = &args.sink {
        dir.config().read()?.sink(name)?;
    }
    let state = State::read(&dir.state())?.unwrap_or_default();
    let sinks = state.sinks.iter();
    let sinks = sinks.filter(|(name, _)| args.sink.as_ref().is_none_or(|wanted| *name == wanted));
    let rows: Vec<DeadRow<'_>> = sinks
        .flat_map(|(name, sink)| sink.dead.iter().map(move |dead| DeadRow::new(name, dead)))
        .collect();
    if rows.is_empty() && !terminal.is_json() {
        terminal.note("nothing was given up");
        return Ok(Exit::Yes);
    }
    terminal.answer(&rows, || {
        let mut table = terminal.table(["sink", "message", "given up", "tries", "why"]);
        for row in &rows {
            table.add_row([
                terminal.cell(Tone::Strong, row.sink),
                terminal.cell(Tone::Quiet, row.id),
                terminal.cell(Tone::Quiet, &row.given_up),
                terminal.cell(Tone::Quiet, &row.attempts.to_string()),
                terminal.cell(Tone::Bad, &plain(row.error)),
            ]);
        }
        trimmed(&table.to_string())
    })?;
    if !terminal.is_json() {
        terminal.hint("countersign notify retry MESSAGE, or retry --all");
    }
    Ok(Exit::Yes)
}

impl Row {
    fn new(sink: &Sink, state: Option<&SinkState>) -> Self {
        Self {
            name: sink.name.to_string(),
            kind: sink.kind(),
            place: sink.place(),
            min_severity: sink.min_severity.name(),
            quiet_hours: sink.quiet.is_some(),
            opens_sealed: sink.opens.is_some(),
            private_allowed: sink.reach.networks != countersign_notify::address::Networks::Public,
            state: state.map(Fares::new),
        }
    }

    fn tells(&self) -> String {
        let mut tells = format!("{} and above", self.min_severity);
        for (is_so, what) in [
            (self.quiet_hours, "quiet hours"),
            (self.opens_sealed, "opens sealed records"),
            (self.private_allowed, "private networks allowed"),
        ] {
            if is_so {
                tells.push_str(", ");
                tells.push_str(what);
            }
        }
        tells
    }

    fn said(&self) -> (Tone, String) {
        let Some(state) = &self.state else {
            return (Tone::Careful, "no server has taken it up yet".to_owned());
        };
        let mut said = format!("{} told", state.delivered);
        let mut tone = Tone::Good;
        if state.gathered > 0 {
            said.push_str(&format!(", {} wait", state.gathered));
        }
        if let Some(trying) = state.trying.as_ref().filter(|trying| trying.attempts > 0) {
            let why = trying.error.as_deref().unwrap_or_default();
            let attempts = match trying.attempts {
                1 => "1 attempt".to_owned(),
                count => format!("{count} attempts"),
            };
            said.push_str(&format!(", {attempts} failed: {why}"));
            tone = Tone::Careful;
        }
        if state.dead > 0 {
            said.push_str(&format!(", {} given up", state.dead));
            tone = Tone::Bad;
        }
        if let Some(why) = &state.disabled {
            said.push_str(&format!(", no more is sent: {why}"));
            tone = Tone::Bad;
        }
        (tone, said)
    }
}

impl Fares {
    fn new(state: &SinkState) -> Self {
        let gathered = u64::try_from(state.gathered.len()).unwrap_or(u64::MAX);
        Self {
            cursor: state.cursor,
            delivered: state.delivered,
            delivered_at: state.delivered_at.map(|at| at.to_string()),
            trying: state.head.as_ref().map(|head| Trying {
                id: head.item.id(),
                attempts: head.attempts,
                next: head.next.to_string(),
                error: head.error.clone(),
            }),
            gathered: gathered.saturating_add(state.gathered_more),
            dead: state.dead.len(),
            dead_dropped: state.dead_dropped,
            disabled: state.disabled.clone(),
        }
    }
}

impl<'a> DeadRow<'a> {
    fn new(sink: &'a str, dead: &'a Dead) -> Self {
        let places = dead.item.places().iter();
        Self {
            sink,
            id: &dead.id,
            entries: places.map(|place| place.id.to_string()).collect(),
            attempts: dead.attempts,
            first: dead.first.to_string(),
            given_up: dead.given_up.to_string(),
            error: &dead.error,
        }
    }
}
