//! An explanation as text: which turn, which rule, where each value came from, what the agent said,
//! what the proof shows. What is sealed is said to be sealed.

use std::fmt::Write as _;

use countersign_wire::{EvidenceView, Explanation, PolicyView, Sealable, TargetView, ValueView};
use serde_json::Value;

use super::shortened;
use super::text::{indented, outcome_tone, plain, short_ref, wrapped};
use crate::terminal::{Terminal, Tone};

/// An explanation as text of at most the terminal's width.
pub(crate) fn explanation(terminal: &Terminal, explained: &Explanation) -> String {
    let mut sections = vec![head(terminal, explained)];
    let mut section = |name: &str, text: String| {
        sections.push(format!("{}\n{text}", terminal.paint(Tone::Strong, name)))
    };
    section(
        "turn",
        sealable(&explained.turn, "no turn of this ledger was named", turn),
    );
    section(
        "call",
        sealable(&explained.call, "the call was too malformed to keep", call),
    );
    section("rules", rules(explained));
    section("where each value came from", targets(explained));
    if !explained.values.is_empty() {
        section("the other arguments", values(explained));
    }
    if !explained.lacks.is_empty() {
        section("what no rule permitted, and why", lacks(explained));
    }
    section(
        "what the agent said (evidence, never authority)",
        sealable(&explained.reasoning, "nothing", |document| {
            wrapped(text_of(document, "text"), "  ")
        }),
    );
    section("proof", proof(explained));
    if let Some(access) = &explained.vault_access {
        section(
            "opened",
            format!("  what was sealed was opened for this; that is entry {access}"),
        );
    } else if is_sealed(explained) {
        let id = &explained.entry_id;
        section(
            "sealed",
            format!(
                "  hint: a vault-reader opens what is sealed, for a purpose that is recorded:\n  countersign explain {id} --purpose \"…\""
            ),
        );
    }
    sections.join("\n\n")
}

fn head(terminal: &Terminal, explained: &Explanation) -> String {
    let outcome = terminal.paint(outcome_tone(&explained.outcome), &explained.outcome);
    let mut head = format!(
        "{outcome}  {} by {}\n  entry {} ({}), {}",
        explained.action, explained.actor, explained.index, explained.entry_id, explained.timestamp
    );
    for reason in &explained.reasons {
        let _ = write!(
            head,
            "\n  because of {}:\n{}",
            plain(&reason.id),
            wrapped(&reason.text, "    ")
        );
    }
    for note in &explained.notes {
        let _ = write!(head, "\n{}", wrapped(&plain(note), "  "));
    }
    head
}

fn sealable(part: &Sealable, absent: &str, open: impl FnOnce(&Value) -> String) -> String {
    match part {
        Sealable::Absent => format!("  {absent}"),
        Sealable::Sealed { reference } => format!("  sealed ({})", short_ref(reference)),
        Sealable::Erased { reference } => format!("  erased ({})", short_ref(reference)),
        Sealable::Open {
            reference,
            document,
        } => format!("{}\n  {}", open(document), short_ref(reference)),
    }
}

fn is_sealed(explained: &Explanation) -> bool {
    let parts = [
        &explained.turn,
        &explained.call,
        &explained.reasoning,
        &explained.facts,
    ];
    parts
        .iter()
        .any(|part| matches!(part, Sealable::Sealed { .. }))
}

fn turn(document: &Value) -> String {
    turn_within(document, SHOWN)
}

/// A turn, of each part of which at most so many characters are shown.
pub(super) fn turn_within(document: &Value, limit: usize) -> String {
    let of = |member: &str| plain(text_of(document, member));
    let mut out = format!(
        "  {}, a turn of {} by {}, session {}\n  from {} until {}",
        match text_of(document, "author") {
            "human" => "a person".to_owned(),
            other => plain(other),
        },
        of("principal"),
        of("channel"),
        of("session"),
        of("issued_at"),
        of("expires_at"),
    );
    let parts = document
        .get("parts")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for part in parts {
        let whose = match text_of(part, "by") {
            "principal" => "the principal's own words".to_owned(),
            "correspondent" => "a correspondent's words, which carry no authority".to_owned(),
            other => format!("words by {}, which carry no authority", plain(other)),
        };
        let _ = write!(
            out,
            "\n  {whose}:\n{}",
            wrapped(&cut_at(text_of(part, "text"), limit), "    > ")
        );
    }
    if let Some(mandate) = document.get("mandate").and_then(Value::as_str) {
        let _ = write!(
            out,
            "\n  under the standing instruction {}",
            short_ref(mandate)
        );
    }
    out
}

fn call(document: &Value) -> String {
    let args = document.get("args").cloned().unwrap_or_default();
    let args = serde_json::to_string_pretty(&args).unwrap_or_default();
    format!(
        "  tool {}\n{}",
        plain(text_of(document, "tool")),
        indented(&cut(&args), "    ")
    )
}

fn rules(explained: &Explanation) -> String {
    let mut out = format!(
        "  bundle {} ({})",
        plain(&explained.bundle_name),
        short_ref(&explained.policy_ref)
    );
    for policy in &explained.policies {
        let _ = write!(out, "\n{}", rule(policy));
    }
    if explained.policies.is_empty() {
        out.push_str("\n  no policy determined this: the reason is built in");
    }
    out
}

fn rule(policy: &PolicyView) -> String {
    let place = format!(
        "  {}  {}:{}",
        plain(&policy.id),
        plain(&policy.file),
        policy.line
    );
    format!("{place}\n{}", indented(&cut(&policy.source), "    | "))
}

fn targets(explained: &Explanation) -> String {
    match &explained.facts {
        Sealable::Open { document, .. } if explained.targets.is_empty() => {
            match document.get("obstacle").and_then(Value::as_str) {
                None => "  the call acts on nothing that is declared as a target".to_owned(),
                Some(obstacle) => format!(
                    "  not looked at: the call could not be judged ({})",
                    plain(obstacle)
                ),
            }
        }
        Sealable::Open { .. } => explained
            .targets
            .iter()
            .map(|view| target(view, explained.is_mandated))
            .collect::<Vec<_>>()
            .join("\n"),
        other => sealable(
            other,
            "there are no facts: the call was too malformed",
            |_| String::new(),
        ),
    }
}

/// Most values beside the targets that are shown; `--json` has all.
const VALUES: usize = 16;

fn values(explained: &Explanation) -> String {
    let mut shown: Vec<String> = explained.values.iter().take(VALUES).map(value).collect();
    let more = explained.values.len().saturating_sub(VALUES);
    if more > 0 {
        shown.push(format!("  and {more} more; --json has them"));
    }
    shown.join("\n")
}

fn value(value: &ValueView) -> String {
    let shown = shortened(&value.value);
    let mut out = format!("  {shown} at {} ({})", plain(&value.at), value.role);
    sources(&mut out, &value.sources, &value.evidence);
    out
}

fn lacks(explained: &Explanation) -> String {
    let each = explained.lacks.iter().map(|lack| {
        let at = lack
            .at
            .as_deref()
            .map_or_else(String::new, |at| format!(" for {}", plain(at)));
        let mut out = format!(
            "  {}{at} did not hold:\n{}",
            plain(&lack.policy),
            wrapped(&shortened(&lack.condition), "    | ")
        );
        for sentence in &lack.sources {
            let _ = write!(out, "\n{}", wrapped(&shortened(sentence), "    "));
        }
        out
    });
    each.collect::<Vec<_>>().join("\n")
}

fn target(target: &TargetView, is_mandated: bool) -> String {
    let mut out = format!("  {} at {}", plain(&target.value), plain(&target.at));
    sources(&mut out, &target.sources, &target.evidence);
    grounds(
        &mut out,
        is_mandated,
        &target.evidence,
        target.directory.as_ref(),
    );
    out
}

/// What else there is to say of where a target came from: that it was found nowhere, and what the
/// directory says of it.
pub(super) fn grounds(
    out: &mut String,
    is_mandated: bool,
    evidence: &[EvidenceView],
    directory: Option<&Value>,
) {
    if !is_mandated {
        out.push_str("\n    no turn counted for this call, so nobody's words were looked at");
    } else if evidence.is_empty() {
        out.push_str("\n    found nowhere: not in the turn, not in a result, not in the directory");
    }
    if let Some(directory) = directory {
        let text = format!("the directory says: {directory}");
        let _ = write!(out, "\n{}", wrapped(&text, "    "));
    }
}

pub(super) fn sources(out: &mut String, sources: &[String], evidence: &[EvidenceView]) {
    let _ = write!(out, "\n    sources: {}", sources.join(", "));
    for evidence in evidence {
        let mark = if evidence.grounds {
            "grounds it"
        } else {
            "does not ground it"
        };
        let _ = write!(
            out,
            "\n{}",
            wrapped(&format!("{mark}: {}", evidence.text), "    ")
        );
    }
}

fn proof(explained: &Explanation) -> String {
    let proof = &explained.proof;
    wrapped(
        &format!(
            "{}: entry {} is in the tree of {} entries whose checkpoint {} signed",
            proof.status, explained.index, proof.tree_size, proof.origin
        ),
        "  ",
    )
}

fn text_of<'a>(document: &'a Value, member: &str) -> &'a str {
    document
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Most characters of one text that are shown; `--json` has the whole.
const SHOWN: usize = 2_000;

fn cut(text: &str) -> String {
    cut_at(text, SHOWN)
}

fn cut_at(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!(
            "{}… (cut; --json has the whole)",
            text.get(..end).unwrap_or_default()
        ),
    }
}
