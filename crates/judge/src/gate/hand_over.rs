//! Whether somebody's words hand over to what somebody else wrote: "do the actions in the mail from
//! …", "handle her request", "do what the ticket says".
//!
//! Only the phrase is recognised, sentence by sentence, and in English. What it names is for whoever
//! asks to find; what it means, nobody here understands.

use super::spoken::{Said, Word, words};

/// What is done to tasks. A second word belongs to the verb.
const VERBS: [&[&str]; 42] = [
    &["do"],
    &["doing"],
    &["perform"],
    &["performing"],
    &["execute"],
    &["executing"],
    &["complete"],
    &["completing"],
    &["finish"],
    &["finishing"],
    &["follow"],
    &["following"],
    &["obey"],
    &["handle"],
    &["handling"],
    &["fulfil"],
    &["fulfill"],
    &["fulfilling"],
    &["process"],
    &["processing"],
    &["implement"],
    &["implementing"],
    &["action"],
    &["tackle"],
    &["accomplish"],
    &["honor"],
    &["honour"],
    &["carry", "out"],
    &["carrying", "out"],
    &["act", "on"],
    &["acting", "on"],
    &["act", "upon"],
    &["go", "through"],
    &["work", "through"],
    &["work", "off"],
    &["attend", "to"],
    &["see", "to"],
    &["comply", "with"],
    &["deal", "with"],
    &["take", "care", "of"],
    &["taking", "care", "of"],
    &["get", "through"],
];

/// What is handed over.
const THINGS: [&str; 30] = [
    "action",
    "actions",
    "task",
    "tasks",
    "subtasks",
    "instruction",
    "instructions",
    "step",
    "steps",
    "todo",
    "todos",
    "request",
    "requests",
    "errand",
    "errands",
    "chore",
    "chores",
    "direction",
    "directions",
    "directive",
    "directives",
    "assignment",
    "assignments",
    "command",
    "commands",
    "demand",
    "demands",
    "things",
    "wishes",
    "checklist",
];

/// What stands for all of it.
const WHOLES: [&str; 6] = ["what", "whatever", "everything", "anything", "all", "as"];

/// What an author or a document does.
const SPEAKS: [&str; 40] = [
    "asks",
    "asked",
    "says",
    "said",
    "tells",
    "told",
    "wants",
    "wanted",
    "needs",
    "needed",
    "requests",
    "requested",
    "requires",
    "demands",
    "demanded",
    "lists",
    "describes",
    "described",
    "mentions",
    "mentioned",
    "specifies",
    "instructs",
    "instructed",
    "suggests",
    "suggested",
    "recommends",
    "proposes",
    "orders",
    "ordered",
    "commands",
    "commanded",
    "states",
    "contains",
    "sent",
    "gave",
    "wrote",
    "writes",
    "assigned",
    "left",
    "posted",
];

/// What leads to where it stands.
const LEADS: [&str; 10] = [
    "in", "on", "from", "at", "within", "inside", "by", "per", "under", "of",
];

/// What follows such a word where it leads to no document.
const NOWHERE: [&str; 64] = [
    "order",
    "sequence",
    "way",
    "manner",
    "parallel",
    "turn",
    "time",
    "advance",
    "background",
    "morning",
    "afternoon",
    "evening",
    "night",
    "noon",
    "midnight",
    "week",
    "weekend",
    "day",
    "month",
    "year",
    "today",
    "tomorrow",
    "tonight",
    "yesterday",
    "now",
    "then",
    "once",
    "least",
    "most",
    "general",
    "detail",
    "full",
    "total",
    "fact",
    "case",
    "mind",
    "short",
    "particular",
    "behalf",
    "top",
    "hand",
    "yourself",
    "me",
    "us",
    "it",
    "course",
    "these",
    "those",
    "them",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "june",
    "july",
    "september",
    "october",
    "november",
    "december",
    "eod",
];

/// What may stand between such a word and what it leads to.
const PASSED: [&str; 22] = [
    "the", "this", "that", "a", "an", "my", "our", "your", "his", "her", "their", "its", "same",
    "given", "exact", "right", "first", "last", "latest", "newest", "next", "above",
];

/// Words before a verb that make a noun or an adjective of it.
const DETERMINERS: [&str; 14] = [
    "the", "a", "an", "my", "our", "your", "his", "her", "their", "its", "this", "any", "no",
    "each",
];

/// What forbids.
const NEGATIONS: [&str; 10] = [
    "not",
    "don't",
    "dont",
    "never",
    "cannot",
    "can't",
    "won't",
    "without",
    "didn't",
    "shouldn't",
];

/// Whose words they are that are the principal's own.
const OWN: [&str; 5] = ["i", "you", "we", "i've", "you've"];

/// How many words may stand between a verb and its object.
const OBJECT: usize = 6;
/// How many words after an object are searched for where it stands.
const REACH: usize = 12;

/// How many words before a verb are searched for what it takes up.
const BEFORE: usize = 40;

/// Whether the text holds a phrase that hands over.
pub(crate) fn hands_over(text: &str) -> bool {
    words(text)
        .split(|word| matches!(word, Word::Stop(_)))
        .any(|sentence| {
            let sentence: Vec<Token<'_>> = sentence.iter().map(Token::of).collect();
            (0..sentence.len()).any(|at| hands_over_at(&sentence, at))
        })
}

/// A word of a sentence; of a number, an address or a file's name only that it is one.
struct Token<'a> {
    text: String,
    owns: bool,
    other: Option<&'a str>,
}

impl<'a> Token<'a> {
    fn of(word: &Word<'a>) -> Self {
        match word {
            Word::Said(Said { parts, owns }) => Self {
                text: parts.concat(),
                owns: *owns,
                other: None,
            },
            Word::Other(text) => Self {
                text: String::new(),
                owns: text.ends_with("'s") || text.ends_with("’s"),
                other: Some(text),
            },
            Word::Stop(_) => Self {
                text: String::new(),
                owns: false,
                other: None,
            },
        }
    }

    fn is(&self, list: &[&str]) -> bool {
        self.other.is_none() && list.contains(&self.text.as_str())
    }
}

fn hands_over_at(sentence: &[Token<'_>], at: usize) -> bool {
    let rest = sentence.get(at..).unwrap_or_default();
    let before = sentence
        .get(at.saturating_sub(BEFORE)..at)
        .unwrap_or_default();
    if before.iter().rev().take(3).any(|word| word.is(&NEGATIONS)) {
        return false;
    }
    if goes_by(rest) {
        return true;
    }
    let Some(verb) = verb(rest) else {
        return false;
    };
    if before.last().is_some_and(|word| word.is(&DETERMINERS)) {
        return false;
    }
    let object = rest.get(verb..).unwrap_or_default();
    whole(object) || things(object) || them(before, object)
}

fn verb(rest: &[Token<'_>]) -> Option<usize> {
    let length = VERBS
        .iter()
        .filter(|verb| verb.len() <= rest.len() && verb.iter().zip(rest).all(|(a, b)| b.is(&[a])))
        .map(|verb| verb.len())
        .max()?;
    // "Follow up" is another verb.
    (!rest.get(length).is_some_and(|next| next.is(&["up"]))).then_some(length)
}

/// "Act according to the mail", "proceed as described in the ticket".
fn goes_by(rest: &[Token<'_>]) -> bool {
    let [verb, how, after @ ..] = rest else {
        return false;
    };
    if !verb.is(&["act", "proceed", "go", "work", "do", "respond", "react"]) {
        return false;
    }
    match how.text.as_str() {
        "according" => after.first().is_some_and(|next| next.is(&["to"])) && after.len() > 1,
        "by" | "per" => after.iter().take(3).any(|next| is_document(next)),
        "as" => {
            stands_somewhere(after) || speaks(after) || {
                after.first().is_some_and(|next| next.is(&["per"])) && after.len() > 1
            }
        }
        _ => false,
    }
}

/// "What the mail from … asks", "everything in the file".
fn whole(object: &[Token<'_>]) -> bool {
    let skipped = object
        .iter()
        .take(2)
        .take_while(|word| word.is(&["exactly", "just", "precisely", "all", "of"]))
        .count();
    let skipped = if object.get(skipped).is_some_and(|word| word.is(&WHOLES)) {
        skipped
    } else {
        0
    };
    let Some((first, rest)) = object.get(skipped..).unwrap_or_default().split_first() else {
        return false;
    };
    if !first.is(&WHOLES) {
        return false;
    }
    let rest = match rest {
        [that, rest @ ..] if that.is(&["that", "which"]) => rest,
        rest => rest,
    };
    if rest.first().is_some_and(|word| word.is(&OWN)) {
        return false;
    }
    let led = !first.is(&["as"]) && stands_somewhere(rest);
    led || speaks(rest)
}

/// "The tasks in the file", "her request", "my to-do list".
fn things(object: &[Token<'_>]) -> bool {
    for (n, word) in object.iter().enumerate().take(OBJECT + 1) {
        let after = object.get(n + 1..).unwrap_or_default();
        let list = after
            .first()
            .is_some_and(|next| next.is(&["list", "lists"]));
        let spaced = word.is(&["to"])
            && after.first().is_some_and(|next| next.is(&["do", "dos"]))
            && after.get(1).is_some_and(|next| next.is(&["list", "lists"]));
        if spaced || list && word.is(&["todo", "todos", "task", "tasks", "action", "chore"]) {
            return true;
        }
        if word.is(&THINGS) {
            let owners = object.get(..n).unwrap_or_default();
            let owned = owners
                .iter()
                .any(|owner| owner.owns || owner.is(&["his", "her", "their", "its"]));
            return owned || stands_somewhere(after) || speaks(after);
        }
        // The object is another one, or was said before in this turn.
        if word.is(&NEGATIONS)
            || word.is(&LEADS) && !word.is(&["of"])
            || word.is(&[
                "for",
                "with",
                "to",
                "and",
                "or",
                "about",
                "following",
                "below",
                "then",
            ])
        {
            return false;
        }
    }
    false
}

/// "Read the tasks in the mail and do them".
fn them(before: &[Token<'_>], object: &[Token<'_>]) -> bool {
    let skipped = usize::from(object.first().is_some_and(|word| word.is(&["all"])));
    let skipped = skipped + usize::from(object.get(skipped).is_some_and(|word| word.is(&["of"])));
    let pronoun = object
        .get(skipped)
        .is_some_and(|word| word.is(&["them", "these", "those", "it", "this", "that"]));
    let ends = object
        .get(skipped + 1)
        .is_none_or(|word| !word.is(&THINGS) && !word.is(&["list", "lists"]));
    let Some(thing) = before.iter().position(|word| word.is(&THINGS)) else {
        return false;
    };
    pronoun && ends && stands_somewhere(before.get(thing + 1..).unwrap_or_default())
}

/// Whether a word leads to a place where words can stand.
fn stands_somewhere(after: &[Token<'_>]) -> bool {
    let after = after.get(..after.len().min(REACH)).unwrap_or_default();
    after.iter().enumerate().any(|(n, word)| {
        word.is(&LEADS) && {
            let place = after
                .get(n + 1..)
                .unwrap_or_default()
                .iter()
                .find(|next| !next.is(&PASSED));
            place.is_some_and(|place| match place.other {
                Some(other) => !other.starts_with(|c: char| c.is_ascii_digit()),
                None => !place.is(&NOWHERE) && (!word.is(&["of", "by"]) || is_document(place)),
            })
        }
    })
}

/// Whether somebody else says, asks or wants something.
fn speaks(after: &[Token<'_>]) -> bool {
    let after = after.get(..after.len().min(REACH)).unwrap_or_default();
    after.iter().enumerate().any(|(n, word)| {
        word.is(&SPEAKS) && {
            let subject = after
                .get(..n)
                .unwrap_or_default()
                .iter()
                .rev()
                .find(|word| !word.is(&["has", "have", "had", "just", "also"]));
            subject.is_some_and(|subject| !subject.is(&OWN))
        }
    })
}

fn is_document(word: &Token<'_>) -> bool {
    let kinds = [
        "mail",
        "mails",
        "email",
        "emails",
        "message",
        "messages",
        "file",
        "files",
        "document",
        "documents",
        "doc",
        "note",
        "notes",
        "list",
        "page",
        "website",
        "site",
        "ticket",
        "issue",
        "letter",
        "inbox",
        "notice",
        "attachment",
        "spreadsheet",
        "sheet",
        "readme",
        "chat",
        "thread",
        "post",
        "comment",
        "wiki",
        "manual",
        "guide",
        "book",
        "plan",
        "minutes",
    ];
    word.other.is_some() || word.is(&kinds)
}
