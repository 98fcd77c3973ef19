//! `countersign policy replay`

use std::collections::BTreeMap;

use clap::Args;
use countersign_wire::{ReplayChange, ReplayPage, ReplayRequest};
use serde::Serialize;
use serde_json::Value;

use crate::bundles;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{plain, short_ref};
use crate::terminal::{Terminal, Tone};

/// Decisions on one page, as many as the server takes.
const PAGE: u32 = 128;
/// Longest argument that is shown of a call, in characters.
const ARGS_CHARS: usize = 400;

/// The newest decisions first.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The other bundle: its directory, the name of one that comes with the program, or a policy_ref
    #[arg(long, value_name = "BUNDLE")]
    against: String,
    /// Only decisions of this entry, and later ones, or from this time on: 2026-04-18T02:13:44Z, 2026-04-18,
    /// or so long ago: 2h, 1d
    #[arg(long, value_name = "TIME|ENTRY", value_parser = crate::units::time)]
    since: Option<String>,
    /// How many decisions at most [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Show the calls that come out otherwise; that they were opened is an entry
    #[arg(long)]
    calls: bool,
    /// Why sealed records are opened; it is recorded, sealed
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

/// All pages together.
#[derive(Serialize, Default)]
struct Replay {
    policy_ref: String,
    judged: u64,
    unchanged: u64,
    newly_stopped: u64,
    newly_escalated: u64,
    newly_permitted: u64,
    left_out: BTreeMap<String, u64>,
    changes: Vec<ReplayChange>,
    vault_access: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<String>,
    /// Whether there are older decisions that were not looked at.
    more: bool,
}

pub(crate) fn run(
    args: &ReplayArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let mut request = request(args)?;
    let client = connection.open(terminal)?.with_role(&["vault-reader"])?;
    let mut replay = Replay::default();
    let bar = terminal.progress("decisions judged again");
    loop {
        let left = args.limit.map(|limit| {
            let done = replay.looked_at();
            u32::try_from(u64::from(limit).saturating_sub(done)).unwrap_or(u32::MAX)
        });
        // A page of full length where that is possible: the server records only such a one.
        request.limit = left.filter(|left| *left < PAGE);
        let page = client.replay(&request)?;
        request.cursor.clone_from(&page.next);
        replay.add(page);
        bar.set_position(replay.looked_at());
        let is_enough = args
            .limit
            .is_some_and(|limit| replay.looked_at() >= u64::from(limit));
        replay.more = request.cursor.is_some();
        if is_enough || !replay.more {
            break;
        }
    }
    bar.finish_and_clear();
    terminal.answer(&replay, || text(terminal, &replay))?;
    if !terminal.is_json() {
        notes(terminal, &replay, args);
    }
    Ok(match replay.changes.is_empty() {
        true => Exit::Yes,
        false => Exit::No,
    })
}

fn request(args: &ReplayArgs) -> Result<ReplayRequest, CliError> {
    let mut request = ReplayRequest {
        since: args.since.clone(),
        calls: args.calls,
        ..ReplayRequest::default()
    };
    if args.against.starts_with("sha256:") {
        request.policy_ref = Some(args.against.clone());
    } else {
        let (content, _) = bundles::check(&args.against)?;
        let json = bundles::to_json(&content)?;
        let value: Value =
            serde_json::from_slice(&json).map_err(|error| CliError::usage(error.to_string()))?;
        request.bundle = Some(value);
    }
    request.purpose = match &args.purpose {
        Some(purpose) => purpose.clone(),
        None => "to see what another bundle would have decided".to_owned(),
    };
    Ok(request)
}

impl Replay {
    fn looked_at(&self) -> u64 {
        self.left_out
            .values()
            .fold(self.judged, |sum, count| sum.saturating_add(*count))
    }

    fn add(&mut self, page: ReplayPage) {
        self.policy_ref = page.policy_ref;
        self.judged = self.judged.saturating_add(page.judged.into());
        self.unchanged = self.unchanged.saturating_add(page.unchanged.into());
        for change in &page.changes {
            let count = match change.change.as_str() {
                "newly-permitted" => &mut self.newly_permitted,
                "newly-escalated" => &mut self.newly_escalated,
                _ => &mut self.newly_stopped,
            };
            *count = count.saturating_add(1);
        }
        for (why, count) in page.left_out {
            let sum = self.left_out.entry(why).or_default();
            *sum = sum.saturating_add(count.into());
        }
        self.changes.extend(page.changes);
        self.vault_access.extend(page.vault_access);
        if let Some(entry) = page.entry {
            self.recorded = Some(super::super::entry_id(&entry));
        }
    }
}

fn text(terminal: &Terminal, replay: &Replay) -> String {
    let mut lines = vec![
        format!(
            "{} decisions judged again under {}",
            replay.judged,
            short_ref(&replay.policy_ref)
        ),
        format!("  unchanged        {}", replay.unchanged),
        format!("  newly stopped    {}", replay.newly_stopped),
        format!("  newly escalated  {}", replay.newly_escalated),
        format!("  newly permitted  {}", replay.newly_permitted),
    ];
    for (why, count) in &replay.left_out {
        lines.push(format!("  not judged again {count}: {}", why_left_out(why)));
    }
    for change in &replay.changes {
        lines.push(String::new());
        lines.push(one(terminal, change));
    }
    lines.join("\n")
}

fn one(terminal: &Terminal, change: &ReplayChange) -> String {
    let tone = match change.change.as_str() {
        "newly-permitted" => Tone::Good,
        "newly-escalated" => Tone::Careful,
        _ => Tone::Bad,
    };
    let mut lines = vec![format!(
        "{}  {}  {}",
        terminal.paint(tone, &plain(&change.change.replace('-', " "))),
        plain(&change.action),
        plain(&change.entry_id)
    )];
    lines.push(format!(
        "  {} by {}: {} ({}), now {}",
        plain(&change.timestamp),
        plain(&change.actor),
        plain(&change.was),
        plain(&change.was_reasons.join(", ")),
        plain(&change.becomes)
    ));
    for reason in &change.reasons {
        lines.push(format!("  {}: {}", plain(&reason.id), plain(&reason.text)));
    }
    if let Some(call) = &change.call {
        let tool = call.get("tool").and_then(Value::as_str).unwrap_or_default();
        let args = call.get("args").map(Value::to_string).unwrap_or_default();
        let mut shown: String = args.chars().take(ARGS_CHARS).collect();
        if shown.len() < args.len() {
            shown.push('…');
        }
        lines.push(format!("  {} {}", plain(tool), plain(&shown)));
    }
    lines.join("\n")
}

fn why_left_out(why: &str) -> String {
    match why {
        "erased" => "what they rest on was erased".to_owned(),
        "directory-unknown" => "the directory as it was then cannot be told".to_owned(),
        "counter-unknown" => "the bundle counts what was not counted then".to_owned(),
        "history-unknown" => "the bundle asks for history that was not recorded".to_owned(),
        "too-large" => "they rest on more records than are opened for one decision".to_owned(),
        other => plain(other),
    }
}

fn notes(terminal: &Terminal, replay: &Replay, args: &ReplayArgs) {
    if replay.more {
        terminal.note("there are older decisions that were not looked at");
    }
    if let Some(entry) = &replay.recorded {
        terminal.note(format!(
            "entry {} says that the newest decisions were replayed under this bundle",
            plain(entry)
        ));
    }
    if !replay.changes.is_empty() && !args.calls {
        terminal.hint("--calls shows the calls");
    }
}
