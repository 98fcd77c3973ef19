//! Values that not everybody may read, found again in the text of an argument.
//!
//! Both sides are brought to letters and digits in one case, so that other spacing, punctuation and
//! width do not hide a value. A value of a few characters counts only between boundaries; of a long
//! one, any part of [`PART_BYTES`]` * 2` is enough. What is encoded, translated or told in other
//! words is not found.

use countersign_core::document::Confidentiality;
use unicode_normalization::UnicodeNormalization as _;

use crate::limits::CARRIED_STEPS;
use crate::value::text::{is_hidden, is_mark};

/// Values with fewer letters and digits are not looked for.
const LEAST: usize = 3;
/// A value with fewer letters and digits counts only where it begins and ends as a word or number
/// does: `anna` is not in `so an nap`.
const LOOSE: usize = 8;
/// Of a longer value, its parts of [`PART_BYTES`] are looked for.
const WHOLE_BYTES: usize = 64;
/// How long these parts are: any 64 characters of the value in a row hold one of them.
const PART_BYTES: usize = 32;

/// One thing to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Box<str>,
    bounded: bool,
    pub(super) label: Confidentiality,
}

/// What of one result is looked for.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// With the field's number; by the first bytes once settled.
    all: Vec<(Pattern, u32)>,
}

impl Patterns {
    pub(super) fn add(&mut self, pattern: Pattern, field: u32) {
        self.all.push((pattern, field));
    }

    pub(super) fn settle(&mut self) {
        self.all.shrink_to_fit();
    }

    pub(super) fn get(&self, n: u32) -> Option<&(Pattern, u32)> {
        self.all.get(usize::try_from(n).ok()?)
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = Confidentiality> {
        self.all.iter().map(|(pattern, _)| pattern.label)
    }

    /// The first bytes of each pattern, with its number.
    pub(super) fn grams(&self) -> impl Iterator<Item = (u32, u32)> {
        (0_u32..)
            .zip(&self.all)
            .map(|(n, (pattern, _))| (gram(pattern.text.as_bytes()), n))
    }

    pub(super) fn weight(&self) -> usize {
        let texts: usize = self.all.iter().map(|(pattern, _)| pattern.text.len()).sum();
        texts + self.all.len() * (size_of::<(Pattern, u32)>() + 16)
    }
}

/// The first three bytes: every pattern has as many.
fn gram(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, c, ..] => u32::from_be_bytes([0, *a, *b, *c]),
        _ => 0,
    }
}

/// What is looked for of a field.
pub(super) fn patterns_of(text: &str, label: Confidentiality) -> Vec<Pattern> {
    if label == Confidentiality::Public {
        return Vec::new();
    }
    let plain = Plain::of(text);
    let letters = plain.text.chars().count();
    let pattern = |text: &str, bounded| Pattern {
        text: text.into(),
        bounded,
        label,
    };
    if letters < LEAST {
        return Vec::new();
    }
    if plain.text.len() <= WHOLE_BYTES {
        return vec![pattern(&plain.text, letters < LOOSE)];
    }
    let mut parts = Vec::new();
    let mut rest = plain.text.as_str();
    while rest.len() >= PART_BYTES {
        let end = (0..=PART_BYTES)
            .rev()
            .find(|end| rest.is_char_boundary(*end))
            .unwrap_or(PART_BYTES);
        let Some((part, after)) = rest.split_at_checked(end) else {
            break;
        };
        parts.push(pattern(part, false));
        rest = after;
    }
    parts
}

/// A text's letters and digits in one case.
pub(super) struct Plain {
    text: String,
    /// Of each byte, whether a word or number begins with it; one more for the end.
    begins: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    Letter,
}

impl Plain {
    pub(super) fn of(text: &str) -> Self {
        let mut out = Self {
            text: String::with_capacity(text.len()),
            begins: Vec::with_capacity(text.len() + 1),
        };
        let mut before = None;
        if text.is_ascii() {
            out.push_ascii(text);
        } else {
            for c in text.nfkd().flat_map(char::to_lowercase) {
                // Marks and what cannot be seen neither count nor part.
                if !is_mark(c) && (c.is_control() || !is_hidden(c)) {
                    out.push(c, &mut before);
                }
            }
        }
        out.begins.push(true);
        out
    }

    fn push(&mut self, c: char, before: &mut Option<Class>) {
        if !c.is_alphanumeric() {
            *before = None;
            return;
        }
        let class = if c.is_numeric() {
            Class::Digit
        } else {
            Class::Letter
        };
        self.begins.push(*before != Some(class));
        for _ in 1..c.len_utf8() {
            self.begins.push(false);
        }
        self.text.push(c);
        *before = Some(class);
    }

    fn push_ascii(&mut self, text: &str) {
        let mut before = None;
        for byte in text.bytes() {
            let class = match byte {
                b'0'..=b'9' => Class::Digit,
                b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
                _ => {
                    before = None;
                    continue;
                }
            };
            self.begins.push(before != Some(class));
            self.text.push(char::from(byte.to_ascii_lowercase()));
            before = Some(class);
        }
    }

    fn holds(&self, pattern: &Pattern, at: u32, steps: &mut usize) -> bool {
        let Some(start) = usize::try_from(at).ok() else {
            return false;
        };
        *steps += 1 + pattern.text.len() / 8;
        let end = start + pattern.text.len();
        let begins = |at: usize| self.begins.get(at).copied().unwrap_or(false);
        self.text.as_bytes().get(start..end) == Some(pattern.text.as_bytes())
            && (!pattern.bounded || begins(start) && begins(end))
    }
}

/// Which first bytes there are, folded to a few bits: most places of a text are ruled out by it.
#[derive(Clone, Debug)]
pub(super) struct Sieve(Box<[u64]>);

const SIEVE_WORDS: usize = 1024;

impl Sieve {
    pub(super) fn new() -> Self {
        Self(vec![0; SIEVE_WORDS].into_boxed_slice())
    }

    pub(super) fn add(&mut self, gram: u32) {
        let (word, bit) = Self::place(gram);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn has(&self, gram: u32) -> bool {
        let (word, bit) = Self::place(gram);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    fn place(gram: u32) -> (usize, u64) {
        let mixed = gram.wrapping_mul(0x9E37_79B1) >> 16;
        let word = usize::try_from(mixed >> 6).unwrap_or(0);
        (word, 1 << (mixed & 63))
    }
}

/// The places of a text where something that is looked for could begin.
pub(super) struct Places<'t> {
    text: &'t str,
    /// The letters and digits of the text; made when something is compared with them.
    plain: Option<Plain>,
    /// By first bytes, then place.
    grams: Vec<(u32, u32)>,
    steps: usize,
}

impl<'t> Places<'t> {
    /// The places of a text, after so many steps in others.
    pub(super) fn of(text: &'t str, sieve: &Sieve, steps: usize) -> Self {
        let plain = (!text.is_ascii()).then(|| Plain::of(text));
        let mut grams = match &plain {
            Some(plain) => (0_u32..)
                .zip(plain.text.as_bytes().windows(3))
                .map(|(at, bytes)| (gram(bytes), at))
                .filter(|(gram, _)| sieve.has(*gram))
                .collect(),
            None => ascii_grams(text, sieve),
        };
        grams.sort_unstable();
        Self {
            text,
            plain,
            grams,
            steps,
        }
    }

    /// Something was looked at.
    pub(super) fn step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// How much was looked at, here and before.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// The runs of places that have the same first bytes.
    pub(super) fn runs(&self) -> Vec<(u32, std::ops::Range<usize>)> {
        let mut runs = Vec::new();
        let mut start = 0;
        for run in self.grams.chunk_by(|a, b| a.0 == b.0) {
            let end = start + run.len();
            if let Some((gram, _)) = run.first() {
                runs.push((*gram, start..end));
            }
            start = end;
        }
        runs
    }

    /// Whether the pattern stands at one of these places. When too much was compared, it counts as
    /// found: this search may say too much, never too little.
    pub(super) fn hold(&mut self, pattern: &Pattern, run: &std::ops::Range<usize>) -> bool {
        let Some(places) = self.grams.get(run.clone()) else {
            return false;
        };
        let text = self.text;
        let plain = self.plain.get_or_insert_with(|| Plain::of(text));
        for (_, at) in places {
            if self.steps > CARRIED_STEPS {
                return true;
            }
            if plain.holds(pattern, *at, &mut self.steps) {
                return true;
            }
        }
        false
    }
}

/// The first bytes that are looked for, in the letters and digits of an ASCII text.
fn ascii_grams(text: &str, sieve: &Sieve) -> Vec<(u32, u32)> {
    let mut grams = Vec::new();
    let mut gram = 0_u32;
    let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
    for (end, byte) in (1_u32..).zip(letters) {
        gram = (gram << 8 | u32::from(byte.to_ascii_lowercase())) & 0xff_ffff;
        if end >= 3 && sieve.has(gram) {
            grams.push((gram, end - 3));
        }
    }
    grams
}
