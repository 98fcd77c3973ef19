//! What somebody says, word by word.

use std::collections::{BTreeSet, HashMap};

use crate::limits::SPOKEN_WORDS;
use crate::value::text::{is_hidden, nfc};

/// The words of a turn's principal. Never iterated by hash.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    /// Where each word stands, ascending.
    places: HashMap<String, Vec<u32>>,
    /// The next place.
    count: u32,
    /// How many words there are.
    said: usize,
}

/// How many other words may stand between the words of a verb: "set the meeting up".
const BETWEEN: u32 = 3;

impl Spoken {
    /// Adds a text. Words beyond [`SPOKEN_WORDS`] do not count.
    pub(crate) fn add(&mut self, text: &str) {
        for word in words(text) {
            match word {
                Word::Said(said) => {
                    if said.parts.len() > 1 {
                        self.place(said.parts.concat());
                    }
                    for part in said.parts {
                        if self.said >= SPOKEN_WORDS {
                            return;
                        }
                        self.place(part);
                        self.said += 1;
                        self.count = self.count.saturating_add(1);
                    }
                }
                Word::Other(_) => self.count = self.count.saturating_add(1),
                // No phrase goes on in the next sentence.
                Word::Stop(_) => self.count = self.count.saturating_add(BETWEEN + 1),
            }
        }
        self.count = self.count.saturating_add(BETWEEN + 1);
    }

    fn place(&mut self, word: String) {
        self.places.entry(word).or_default().push(self.count);
    }

    /// Whether a phrase stands here. Of a verb, the words may stand a little apart.
    pub(super) fn holds(&self, phrase: &[BTreeSet<String>], apart: bool) -> bool {
        let Some((first, rest)) = phrase.split_first() else {
            return false;
        };
        let reach = if apart && rest.len() == 1 { BETWEEN } else { 0 };
        first
            .iter()
            .filter_map(|form| self.places.get(form))
            .flatten()
            .any(|at| self.goes_on(rest, *at, reach))
    }

    fn goes_on(&self, rest: &[BTreeSet<String>], at: u32, reach: u32) -> bool {
        let mut at = at;
        rest.iter().all(|forms| {
            let next = forms
                .iter()
                .filter_map(|form| self.places.get(form))
                .filter_map(|places| {
                    let after = places.partition_point(|place| *place <= at);
                    places.get(after).copied()
                })
                .filter(|place| *place <= at + 1 + reach)
                .min();
            match next {
                Some(place) => {
                    at = place;
                    true
                }
                None => false,
            }
        })
    }
}

/// One word of a text, or what stands between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// A word.
    Said(Said),
    /// Something that is no word: a number, an address, a file's name.
    Other(&'a str),
    /// The end of a sentence, with the mark.
    Stop(char),
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The word, or the parts of a hyphenated one, each in its [`form`].
    pub(super) parts: Vec<String>,
    /// Whether it stands with `'s`.
    pub(super) owns: bool,
}

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    for line in text.split('\n') {
        for chunk in line.split(|c: char| c.is_whitespace() || "—–…|".contains(c)) {
            chunk_words(chunk, &mut out);
        }
        if !matches!(out.last(), None | Some(Word::Stop(_))) && line.trim().is_empty() {
            out.push(Word::Stop('\n'));
        }
    }
    out
}

fn chunk_words<'a>(chunk: &'a str, out: &mut Vec<Word<'a>>) {
    let inner = |c: char| c.is_alphanumeric();
    let front =
        chunk.trim_start_matches(|c: char| !inner(c) && !is_hidden(c) && !"@/~\\".contains(c));
    let front = if front.is_empty() { chunk } else { front };
    let closes = |c: char| ".,;:!?\"'”’»)]}>*`".contains(c);
    let core = front.trim_end_matches(closes);
    let tail = front.get(core.len()..).unwrap_or_default();
    if core.is_empty() {
        if let Some(stop) = tail.chars().find(|c| is_stop(*c)) {
            out.push(Word::Stop(stop));
        }
        return;
    }
    if let Some((before, after)) = missing_space(core) {
        chunk_words(before, out);
        out.push(Word::Stop('.'));
        chunk_words(after, out);
    } else if core.contains(['/', ',']) && core.split(['/', ',']).all(is_word) {
        for part in core.split(['/', ',']) {
            word(part, out);
        }
    } else {
        word(core, out);
    }
    if let Some(stop) = tail.chars().find(|c| is_stop(*c)) {
        out.push(Word::Stop(stop));
    }
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | ';')
}

/// `lunch.Send`, `1.Send`: the end of one sentence and the start of the next.
fn missing_space(core: &str) -> Option<(&str, &str)> {
    let (before, after) = core.split_once('.')?;
    let is_number = !before.is_empty() && before.bytes().all(|b| b.is_ascii_digit());
    let is_lower = is_number || before.ends_with(char::is_lowercase) && is_word(before);
    let mut rest = after.chars();
    let is_title = rest.next().is_some_and(char::is_uppercase)
        && rest.next().is_some_and(char::is_lowercase)
        && is_word(after);
    (is_lower && is_title).then_some((before, after))
}

fn is_word(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
        && text
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’'))
}

fn word<'a>(core: &'a str, out: &mut Vec<Word<'a>>) {
    if !is_word(core) {
        out.push(Word::Other(core));
        return;
    }
    let name = ["'s", "’s"].iter().find_map(|end| core.strip_suffix(end));
    let parts: Vec<String> = name
        .unwrap_or(core)
        .split('-')
        .filter(|part| !part.is_empty())
        .map(form)
        .collect();
    let owns = name.is_some() || core.ends_with(['\'', '’']);
    out.push(Word::Said(Said { parts, owns }));
}

/// A word as it is compared: in lower case, without hyphens, with one kind of apostrophe.
pub(super) fn form(word: &str) -> String {
    let lower: String = word
        .chars()
        .filter(|c| *c != '-')
        .flat_map(char::to_lowercase)
        .map(|c| if c == '’' { '\'' } else { c })
        .collect();
    nfc(&lower)
}
