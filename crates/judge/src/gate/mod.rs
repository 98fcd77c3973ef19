//! The action gate: whether a turn speaks of an action at all, hands over to somebody else's words,
//! or only assents.
//!
//! Words are compared, not understood: "do not send it" speaks of sending. So the gate is a second
//! factor: it can stop a call that a turn says nothing of, and it never allows one.

mod assent;
mod english;
mod german;
mod hand_over;
mod spoken;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::ActionWords;

use crate::finding::Finding;
use crate::limits::{ACTION_WORD_BYTES, ACTION_WORDS};

pub(crate) use assent::is_assent;
pub(crate) use hand_over::hands_over;
pub(crate) use spoken::Spoken;

/// What a turn's words hold of an action's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    /// Whether one of its verbs stands there.
    pub(crate) verb: bool,
    /// Whether one of its nouns stands there.
    pub(crate) noun: bool,
}

/// The words of one action, with all their inflections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    verbs: Vec<Phrase>,
    nouns: Vec<Phrase>,
}

/// A few words in a row, each in any of its forms.
type Phrase = Vec<BTreeSet<String>>;

/// What a language does to words.
struct Language {
    code: &'static str,
    /// Adds the forms of a verb.
    verb: fn(&str, &mut BTreeSet<String>),
    /// Adds the forms of a noun.
    noun: fn(&str, &mut BTreeSet<String>),
    /// Which word of a verb of several words is inflected.
    head: Head,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    First,
    Last,
}

/// The languages whose inflections are known.
const LANGUAGES: [Language; 2] = [
    Language {
        code: "en",
        verb: english::verb,
        noun: english::noun,
        head: Head::First,
    },
    Language {
        code: "de",
        verb: german::verb,
        noun: german::noun,
        head: Head::Last,
    },
];

impl Words {
    /// Reads what a manifest says. What cannot be read is a finding, and left out.
    pub(crate) fn compile(
        words: &BTreeMap<String, ActionWords>,
        file: &str,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut out = Self::default();
        for (code, words) in words {
            let language = LANGUAGES.iter().find(|language| language.code == code);
            if language.is_none() {
                findings.push(unknown_language(code, file));
            }
            if words.verbs.is_empty() && words.nouns.is_empty() {
                findings.push(Finding::error(
                    file,
                    format!("the words of language `{code}` are empty"),
                ));
            }
            for (list, name, is_verb) in
                [(&words.verbs, "verb", true), (&words.nouns, "noun", false)]
            {
                if list.len() > ACTION_WORDS {
                    findings.push(Finding::error(
                        file,
                        format!(
                            "{} {name}s in language `{code}`; {ACTION_WORDS} are allowed",
                            list.len()
                        ),
                    ));
                }
                let phrases = if is_verb {
                    &mut out.verbs
                } else {
                    &mut out.nouns
                };
                for written in list.iter().take(ACTION_WORDS) {
                    match parts(written) {
                        Some(parts) => phrases.push(phrase(&parts, language, is_verb)),
                        None => findings.push(unreadable(written, name, code, file)),
                    }
                }
            }
        }
        out
    }

    /// What of these words is spoken.
    pub(crate) fn asked(&self, spoken: &Spoken) -> Asked {
        Asked {
            verb: self.verbs.iter().any(|verb| spoken.holds(verb, true)),
            noun: self.nouns.iter().any(|noun| spoken.holds(noun, false)),
        }
    }
}

fn phrase(parts: &[String], language: Option<&Language>, is_verb: bool) -> Phrase {
    let last = parts.len() - 1;
    let head = match language {
        Some(language) if is_verb && language.head == Head::First => 0,
        _ => last,
    };
    parts
        .iter()
        .enumerate()
        .map(|(n, part)| {
            let mut forms = BTreeSet::from([part.clone()]);
            if let Some(language) = language.filter(|_| n == head) {
                let inflect = if is_verb {
                    language.verb
                } else {
                    language.noun
                };
                inflect(part, &mut forms);
            }
            forms
        })
        .collect()
}

/// The words of a phrase in lower case; `None` if it is none. A hyphen within a word is left out, as
/// it is in what is spoken.
fn parts(written: &str) -> Option<Vec<String>> {
    let is_letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'' | '’');
    if written.len() > ACTION_WORD_BYTES {
        return None;
    }
    let parts: Vec<String> = written
        .split(' ')
        .filter(|part| part.chars().all(is_letter) && part.chars().any(char::is_alphabetic))
        .map(spoken::form)
        .collect();
    let whole = written.split(' ').count() == parts.len();
    (whole && !parts.is_empty() && parts.len() <= PHRASE_WORDS).then_some(parts)
}

/// Most words of one verb or noun.
const PHRASE_WORDS: usize = 4;

fn unreadable(written: &str, name: &str, code: &str, file: &str) -> Finding {
    Finding::error(
        file,
        format!("`{written}`, a {name} in language `{code}`, cannot be read"),
    )
    .hint(format!(
        "write one to {PHRASE_WORDS} words of letters with one space between, such as `send` or \
         `set up`, in at most {ACTION_WORD_BYTES} bytes"
    ))
}

fn unknown_language(code: &str, file: &str) -> Finding {
    let known: Vec<String> = LANGUAGES
        .iter()
        .map(|language| format!("`{}`", language.code))
        .collect();
    let known = known.join(" and ");
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    if is_code {
        Finding::warning(
            file,
            format!(
                "of language `{code}` no inflections are known: its words count only as written"
            ),
        )
        .hint(format!(
            "list each form that people write; inflections are known of {known}"
        ))
    } else {
        Finding::error(file, format!("`{code}` is no language"))
            .hint("write its code of two or three letters (ISO 639), such as `en`")
    }
}

#[cfg(test)]
mod tests;
