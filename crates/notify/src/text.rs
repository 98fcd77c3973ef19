//! The words that people read in a chat or a mail.
//!
//! All that comes from the log is a closed set, an id, or a declared name. What was opened of a
//! sealed record is somebody else's text, an attacker's perhaps: it comes last, is marked as such,
//! and no markup, mention or link in it survives.

use countersign_core::entry::{Detector, Severity};
use countersign_core::is_hidden;
use countersign_core::time::Timestamp;

use crate::limits::{DIGEST_SHOWN, ENTRIES_SHOWN};
use crate::message::{Change, Message, Opened};
use crate::payload::linked;

/// Entries that a text names; a webhook names more.
const ENTRIES_IN_TEXT: usize = 8;

/// What is told at once.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    /// One entry.
    One {
        /// Which.
        message: &'a Message,
        /// What was opened for it.
        opened: Option<&'a Opened>,
    },
    /// What the quiet hours gathered.
    Digest {
        /// The first of them, in the order of the log.
        messages: &'a [Message],
        /// How many more there are.
        more: u64,
    },
    /// Nothing: somebody wants to see whether it arrives.
    Test {
        /// The log.
        origin: &'a str,
    },
}

/// A line, and whether it is somebody else's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Ours.
    Own(String),
    /// Somebody else's.
    Foreign(String),
}

/// The first line: what stands in a mail's subject.
pub(crate) fn subject(message: &Message) -> String {
    let by = message.actor.as_ref().map(|actor| format!(", {actor}"));
    let word = match message.change {
        Change::Raised => String::new(),
        other => format!(" ({})", other.word()),
    };
    clean(&format!(
        "[countersign] {}: {}{}{word}",
        message.severity,
        message.detector,
        by.unwrap_or_default()
    ))
}

/// The lines below it.
pub(crate) fn lines(message: &Message, opened: Option<&Opened>, link: Option<&str>) -> Vec<Line> {
    let mut lines = own(message, link);
    if let Some(opened) = opened {
        lines.extend(foreign(opened));
    }
    lines
}

impl Told<'_> {
    /// The first line.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::One { message, .. } => subject(message),
            Self::Digest { messages, more } => {
                let count = u64::try_from(messages.len())
                    .unwrap_or(u64::MAX)
                    .saturating_add(*more);
                format!("[countersign] digest: {count} messages")
            }
            Self::Test { .. } => "[countersign] a test; nothing happened".to_owned(),
        }
    }

    /// The names of actors in it that nobody need have declared, as a credential can be for all that
    /// begin alike up to a `/`; the longest first, so that one within another is met last.
    pub(crate) fn chosen_names(&self) -> Vec<&str> {
        let messages = match *self {
            Self::One { message, .. } => std::slice::from_ref(message),
            Self::Digest { messages, .. } => messages,
            Self::Test { .. } => &[],
        };
        let named = messages.iter().filter_map(|of| of.actor.as_ref());
        let named = named.map(|actor| actor.as_str());
        let mut actors: Vec<&str> = named.filter(|actor| actor.contains('/')).collect();
        actors.sort_by_key(|actor| (std::cmp::Reverse(actor.len()), *actor));
        actors.dedup();
        actors
    }

    /// The lines below it.
    pub(crate) fn lines(&self, now: Timestamp, link: Option<&str>) -> Vec<Line> {
        match self {
            Self::One { message, opened } => lines(message, *opened, link),
            Self::Digest { messages, more } => digest(messages, *more, link),
            Self::Test { origin } => vec![
                Line::Own(format!("sent at {now} by `countersign notify test`")),
                Line::Own(format!("log {}", clean(origin))),
            ],
        }
    }
}

fn own(message: &Message, link: Option<&str>) -> Vec<Line> {
    let changed = match message.change {
        Change::Raised => "was raised",
        Change::Grown => "grew",
        Change::Acknowledged => "was acknowledged",
        Change::Closed => "was closed",
    };
    let mut lines = vec![
        found(message.detector).to_owned(),
        format!("flag {} {changed} at {}", message.flag, message.at),
    ];
    let began = message.onset_at.map(|at| format!(", at {at}"));
    let began = began.unwrap_or_default();
    lines.push(format!("it began with entry {}{began}", message.onset));
    lines.push(amounts(message));
    if let Some(turn) = message.turn {
        lines.push(format!("the newest turn then was {turn}"));
    }
    if let Some(after) = message.after {
        lines.push(format!(
            "the last result to come in before was that of {after}"
        ));
    }
    if !message.entries.is_empty() {
        let shown = message.entries.iter().take(ENTRIES_IN_TEXT);
        let shown: Vec<String> = shown.map(ToString::to_string).collect();
        let more = message.entries.len().saturating_sub(ENTRIES_IN_TEXT);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        lines.push(format!("entries {}{more}", shown.join(", ")));
    }
    lines.push(format!("log {}", message.origin));
    lines.extend(next_steps(message));
    lines.extend(link.map(|link| linked(link, message)));
    lines
        .into_iter()
        .map(|line| Line::Own(clean(&line)))
        .collect()
}

/// What a detector looks for, in a sentence: at night nobody looks a name up.
fn found(detector: Detector) -> &'static str {
    match detector {
        Detector::Burst => "more calls than usual were rejected",
        Detector::Unmandated => "calls were made with no live turn behind them",
        Detector::ToolChanged => "a tool is not the one that a person confirmed",
        Detector::Retry => "a stopped call was tried again in other ways",
        Detector::NovelTarget => "a call went for something that this actor never named before",
        Detector::OffHours => "calls came at an hour at which this actor was never at work",
        Detector::Spread => "calls of many turns went for one new target",
        Detector::MissingExecution => "approved calls were not reported to have run",
        Detector::UnapprovedExecution => "something was to run, or ran, that was not approved",
        Detector::ReadingAround => "sealed records were opened out of pattern",
        Detector::Loosened => "a new bundle permitted what had just been rejected",
    }
}

/// What to do about it, as commands.
fn next_steps(message: &Message) -> Vec<String> {
    let mut steps = vec![format!("look: countersign flags show {}", message.flag)];
    let is_news = matches!(message.change, Change::Raised | Change::Grown);
    if let (true, true, Some(actor)) = (
        is_news,
        message.severity >= Severity::Warning,
        &message.actor,
    ) {
        steps.push(format!("stop it: countersign stop {actor}"));
    }
    if is_news {
        let flag = message.flag;
        steps.push(format!("take it: countersign flags acknowledge {flag}"));
    }
    steps
}

fn amounts(message: &Message) -> String {
    let held = match message.policy_held() {
        Some(true) => "; the policy held",
        Some(false) => "; the policy did not stop all of it",
        None => "",
    };
    let entries = counted(message.count, "entry", "entries");
    match (message.stopped, message.passed) {
        (Some(stopped), Some(passed)) => {
            let stopped = counted(stopped, "call", "calls");
            format!("{entries}: {stopped} stopped, {passed} passed{held}")
        }
        _ => format!("{entries}{held}"),
    }
}

fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn foreign(opened: &Opened) -> Vec<Line> {
    let mut lines = Vec::new();
    for part in &opened.turn {
        lines.push(Line::Own(format!(
            "the turn, in the words of the {}:",
            part.by
        )));
        lines.extend(part.text.lines().map(|line| Line::Foreign(clean(line))));
    }
    if let Some(call) = &opened.call {
        lines.push(Line::Own("the call with which it began:".to_owned()));
        lines.extend(call.lines().map(|line| Line::Foreign(clean(line))));
    }
    lines.extend(opened.note.iter().map(|note| Line::Own(clean(note))));
    lines
}

fn digest(messages: &[Message], more: u64, link: Option<&str>) -> Vec<Line> {
    let mut lines = Vec::new();
    for message in messages.iter().take(DIGEST_SHOWN) {
        let title = subject(message);
        let title = title.strip_prefix("[countersign] ").unwrap_or(&title);
        lines.push(Line::Own(format!("{} {title}", message.at)));
        let link = link.map(|link| format!("; {}", linked(link, message)));
        lines.push(Line::Own(clean(&format!(
            "    flag {}, {}{}",
            message.flag,
            amounts(message),
            link.unwrap_or_default()
        ))));
    }
    if more > 0 {
        lines.push(Line::Own(format!("and {more} more: countersign flags")));
    }
    lines
}

/// Text without what steers a terminal, hides or reorders: such characters become U+FFFD.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Slack's three escapes, for our own words.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|it| escape(it, &mut out));
    out
}

/// Somebody else's words for a chat: escaped, and with a zero-width space after every sign of
/// punctuation, so that no chat finds markup, a mention, an address or a link in them.
pub fn defanged(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    for character in text.chars() {
        escape(character, &mut out);
        if character.is_ascii_punctuation() {
            out.push('\u{200b}');
        }
    }
    out
}

fn escape(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

/// Text cut to a number of characters, which says so.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

const _: () = assert!(ENTRIES_IN_TEXT <= ENTRIES_SHOWN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_keep_no_markup_mention_or_link() {
        let told =
            defanged("<!channel> @here *bold* [x](https://evil.example) www.evil.example &lt;");
        for whole in [
            "<",
            "@here",
            "*bold*",
            "](",
            "://",
            "evil.example",
            "&lt;!",
            "!c",
        ] {
            assert!(!told.contains(whole), "`{whole}` in {told}");
        }
        assert_eq!(
            clean("a\u{202e}b\r\nc\u{7}\u{200b}"),
            "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_cut_says_that_it_is_one() {
        assert_eq!(cut("aéb", 2), "aé…");
        assert_eq!(cut("aéb", 3), "aéb");
    }
}
