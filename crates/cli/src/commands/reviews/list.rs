//! `countersign reviews`: what waits for an answer.

use std::collections::BTreeSet;
use std::time::Duration;

use comfy_table::Cell;
use countersign_wire::OpenReview;

use super::LISTING;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{plain, trimmed};
use crate::terminal::{Terminal, Tone};

/// How often it is looked for new ones.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(
    wait: bool,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(LISTING)?;
    if wait {
        return follow(&client, terminal);
    }
    let list = client.reviews()?;
    if terminal.is_json() {
        terminal.json(&list)?;
        return Ok(Exit::Yes);
    }
    match list.reviews.first() {
        None => terminal.note("nothing waits for an answer"),
        Some(first) => {
            terminal.line(table(terminal, &list.reviews))?;
            terminal.hint(format!("countersign reviews show {}", first.decision));
        }
    }
    if list.more {
        terminal.note("there are more; these end soonest");
    }
    Ok(Exit::Yes)
}

/// Prints each once, as it comes, until somebody ends the command.
fn follow(client: &countersign_client::Client, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    terminal.note("waiting for calls that a person is asked about; Ctrl-C ends this");
    loop {
        let open = client.reviews()?.reviews;
        for review in open.iter().filter(|it| !known.contains(&it.decision)) {
            match terminal.is_json() {
                true => terminal.json(review)?,
                false => {
                    terminal.line(one(terminal, review))?;
                    terminal.hint(format!("countersign reviews show {}", review.decision));
                }
            }
        }
        known = open.into_iter().map(|review| review.decision).collect();
        std::thread::sleep(LOOK);
    }
}

fn table(terminal: &Terminal, reviews: &[OpenReview]) -> String {
    let mut table = terminal.table(["decision", "until", "action", "actor", "rule", "who"]);
    for review in reviews {
        let rules: Vec<String> = review.reasons.iter().map(|it| plain(&it.id)).collect();
        table.add_row([
            Cell::new(&review.decision),
            Cell::new(time(&review.deadline)),
            terminal.cell(Tone::Careful, &plain(&review.action)),
            Cell::new(plain(&review.actor)),
            Cell::new(rules.join(", ")),
            Cell::new(who(review)),
        ]);
    }
    trimmed(&table.to_string())
}

fn one(terminal: &Terminal, review: &OpenReview) -> String {
    let mut out = format!(
        "{}  {}  {} by {}, until {} ({})",
        terminal.paint(Tone::Careful, "asked"),
        review.decision,
        plain(&review.action),
        plain(&review.actor),
        time(&review.deadline),
        who(review),
    );
    out.push('\n');
    out.push_str(&crate::render::reasons(&review.reasons));
    out
}

fn who(review: &OpenReview) -> &'static str {
    match review.requester_may_answer {
        true => "the requester too",
        false => "another person",
    }
}

/// The time of day of a moment, which is at most a day away.
fn time(moment: &str) -> String {
    moment
        .get(11..19)
        .map_or_else(|| plain(moment), |time| format!("{time}Z"))
}
