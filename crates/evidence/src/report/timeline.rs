//! What happened, in the order of the log.

use countersign_core::entry::{
    AccessPhase, Body, ErasurePhase, ExecutionPhase, FlagChange, GrantChange, HoldChange, Mode,
    PolicyPhase,
};
use countersign_core::ids::EntryId;

use super::words::{file_line, outcome_tone, time};
use crate::case::Case;
use crate::choose::Part;
use crate::page::{Block, Line, Tone};
use crate::text::short;

/// Most rows. The files hold the rest.
const ROWS: usize = 500;

/// Openings that are no further apart are one row, in milliseconds.
const TOGETHER_MS: i64 = 60_000;

/// When, what, who, and what came of it.
struct Row {
    tone: Tone,
    what: Line,
    who: String,
    came: Line,
}

impl Row {
    fn new(what: impl Into<String>, who: impl Into<String>) -> Self {
        Self {
            tone: Tone::Plain,
            what: Line::of(what),
            who: who.into(),
            came: Line::default(),
        }
    }

    fn came(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.tone = tone;
        self.came = Line::default().mark(tone, text);
        self
    }
}

pub(super) fn timeline(case: &Case<'_>) -> Vec<Block> {
    let mut rows = Vec::new();
    let mut total = 0usize;
    let mut last_access = None;
    for (index, at, body) in case.chosen.bodies() {
        // Who may do what stands in its own files.
        if case.chosen.part(index) == Some(Part::Authority) {
            continue;
        }
        let (Some(row), Some(id)) = (row(case, body), case.chosen.id_at(index)) else {
            continue;
        };
        // One export opens record after record: one row says so, and the section below has each.
        let access = match body {
            Body::VaultAccess(it) => Some((it.credential, it.phase)),
            _ => None,
        };
        let is_next = last_access.is_some_and(|(last, before)| {
            Some(last) == access && at.millis_since(before) < TOGETHER_MS
        });
        last_access = access.map(|access| (access, at));
        if is_next {
            continue;
        }
        total = total.saturating_add(1);
        if rows.len() < ROWS {
            let cells = vec![
                Line::of(time(at)),
                row.what,
                Line::of(row.who),
                row.came,
                file_line(case, id),
            ];
            rows.push((row.tone, cells));
        }
    }
    let shown = rows.len();
    let mut blocks = vec![
        Block::Heading("Timeline".to_owned()),
        Block::Table {
            caption: "What the log holds of it, in the order of the log".to_owned(),
            head: vec!["Time", "What", "Who", "Outcome", "File"],
            rows,
        },
    ];
    if shown < total {
        blocks.push(Block::Para(Line::of(format!(
            "{shown} of {total} are shown; the files hold all."
        ))));
    }
    blocks
}

fn row(case: &Case<'_>, body: &Body) -> Option<Row> {
    let by = |credential| case.credential_short(credential);
    Some(match body {
        Body::Decision(it) => {
            let what = match it.mode {
                Mode::Enforced => format!("asked for {}", it.action),
                Mode::Shadow => format!("asked for {}, judged in shadow only", it.action),
            };
            let reasons: Vec<String> = it.reasons.iter().map(ToString::to_string).collect();
            let mut row = Row::new(what, it.actor.to_string())
                .came(outcome_tone(it.outcome), it.outcome.name());
            row.came = row.came.text(" ").code(reasons.join(", "));
            row
        }
        Body::Intent(it) => Row::new(
            format!(
                "a turn was registered ({}, {})",
                it.author.name(),
                it.channel
            ),
            by(it.credential),
        ),
        Body::Revocation(it) => {
            let what = format!("{}: {}", it.effect, it.scope);
            Row::new(what, by(it.credential))
        }
        Body::Execution(it) => {
            let row = Row::new("a call ran, as the tool's side reports", by(it.credential));
            match (it.phase, it.is_error) {
                (ExecutionPhase::Started, _) => row.came(Tone::Plain, "started"),
                (ExecutionPhase::Finished, Some(true)) => row.came(Tone::Careful, "failed"),
                (ExecutionPhase::Finished, _) => row.came(Tone::Plain, "finished"),
                (ExecutionPhase::Unknown, _) => row.came(Tone::Careful, "unknown"),
            }
        }
        Body::Review(it) => Row::new("a person answered an escalation", by(it.credential))
            .came(Tone::Plain, it.answer.name()),
        Body::Expired(_) => Row::new("an escalation was not answered in time", "the server")
            .came(Tone::Careful, "expired"),
        Body::PermitRefused(it) => Row::new("a permit was handed in", by(it.credential))
            .came(Tone::Bad, format!("refused: {}", it.reason)),
        Body::Delegation(it) => Row::new(
            format!("{} gave part of its mandate to {}", it.from, it.to),
            by(it.credential),
        ),
        Body::VaultAccess(it) => {
            let what = match it.phase {
                None => "sealed records were opened",
                Some(AccessPhase::Requested) => "sealed records were asked for",
                Some(AccessPhase::Confirmed) => "a second person agreed to opening them",
            };
            Row::new(what, by(it.credential))
        }
        Body::Erasure(it) => {
            let who = it.credential.map_or_else(|| "the server".to_owned(), by);
            let row = Row::new(format!("records were erased ({})", it.refs.len()), who);
            row.came(
                Tone::Careful,
                match it.phase {
                    ErasurePhase::Requested => "requested",
                    ErasurePhase::Complete => "complete",
                },
            )
        }
        Body::Hold(it) => {
            let what = match it.change {
                HoldChange::Placed => "records were put under a legal hold",
                HoldChange::Lifted => "a legal hold was lifted",
            };
            Row::new(what, by(it.credential))
        }
        Body::Flag(it) => Row::new(
            format!("a flag was raised: {}", it.detector),
            "the detectors",
        )
        .came(Tone::Careful, it.severity.name()),
        Body::FlagUpdate(it) => {
            let who = it.credential.map_or_else(|| "the detectors".to_owned(), by);
            let what = match it.change {
                FlagChange::Grown => format!("grew to {}", it.count),
                FlagChange::Acknowledged => "was taken note of".to_owned(),
            };
            of_flag(case, it.links.flag, &what, who)
        }
        Body::FlagClose(it) => {
            let who = it.credential.map_or_else(|| "the detectors".to_owned(), by);
            let what = format!("was closed at {}", it.count);
            of_flag(case, it.links.flag, &what, who)
        }
        Body::SessionOpen(it) => Row::new("the session was opened", by(it.credential)),
        Body::SessionClose(it) => {
            let who = it.credential.map_or_else(|| "the server".to_owned(), by);
            let what = format!(
                "the session was closed, with {} turns, {} decisions, {} executions",
                it.turns, it.decisions, it.executions
            );
            Row::new(what, who)
        }
        Body::Policy(it) => {
            let what = match it.phase {
                PolicyPhase::Stored => "rules were stored in the log",
                PolicyPhase::InForce => "rules came into force",
                PolicyPhase::Shadow => "rules came into shadow",
                PolicyPhase::ShadowEnd => "rules left the shadow",
                PolicyPhase::Replayed => "recorded calls were judged under other rules",
            };
            let who = it
                .credential
                .map_or_else(|| "the first start".to_owned(), by);
            let mut row = Row::new(what, who);
            row.what = row.what.text(" ").code(short(&it.policy_ref));
            row
        }
        Body::Directory(it) => Row::new(
            format!("the directory changed ({})", it.changes),
            by(it.credential),
        ),
        Body::Credential(it) => {
            let who = it
                .credential
                .map_or_else(|| "the first start".to_owned(), by);
            let what = match it.change {
                GrantChange::Granted => "a credential was granted",
                GrantChange::Revoked => "a credential was revoked",
            };
            let mut row = Row::new(what, who);
            row.what = row.what.text(" ").code(case.credential(it.subject));
            row
        }
        Body::Throttled(it) => Row::new(
            format!("{} requests were refused unlooked at", it.requests),
            by(it.credential),
        ),
        Body::Genesis(_) | Body::Key(_) | Body::Part(_) => return None,
    })
}

/// What became of a flag: a folder may hold several.
fn of_flag(case: &Case<'_>, flag: Option<EntryId>, what: &str, who: String) -> Row {
    let mut row = Row::new("the flag ", who);
    if let Some(flag) = flag {
        row.what = row.what.text("of ").and(file_line(case, flag)).text(" ");
    }
    row.what = row.what.text(what);
    row
}
