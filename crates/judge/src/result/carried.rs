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
                    out.push(digit(c), &mut before);
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

/// The zeros of other scripts' decimal digits that stay as they are under NFKD (Unicode 16,
/// `DerivedNumericType.txt`); the other nine follow each.
const ZEROS: [u32; 37] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0,
    0x11066,
];

/// A decimal digit of any script as that of ASCII; any other character as it is.
fn digit(c: char) -> char {
    if c.is_ascii() || !c.is_numeric() {
        return c;
    }
    let value = ZEROS
        .iter()
        .find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10));
    value
        .and_then(|value| char::from_digit(value, 10))
        .unwrap_or(c)
}

/// Which first bytes there are, folded to a few bits: most places of a text are ruled out by it.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    bits: Box<[u64]>,
    /// The very first byte of each.
    first: [bool; 256],
}

const SIEVE_WORDS: usize = 1024;

impl Sieve {
    pub(super) fn new() -> Self {
        Self {
            bits: vec![0; SIEVE_WORDS].into_boxed_slice(),
            first: [false; 256],
        }
    }

    pub(super) fn add(&mut self, gram: u32) {
        let (word, bit) = Self::place(gram);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
        let [_, first, ..] = gram.to_be_bytes();
        if let Some(known) = self.first.get_mut(usize::from(first)) {
            *known = true;
        }
    }

    fn has_first(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied().unwrap_or(true)
    }

    fn has(&self, gram: u32) -> bool {
        let (word, bit) = Self::place(gram);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
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
    let bytes = text.as_bytes();
    let letters = |bytes: &[u8]| bytes.iter().filter(|b| b.is_ascii_alphanumeric()).count();
    // How many letters and digits stand before the place that was looked at last.
    let (mut looked, mut before) = (0, 0);
    for (start, byte) in bytes.iter().enumerate() {
        if !sieve.has_first(byte.to_ascii_lowercase()) {
            continue;
        }
        let rest = bytes.get(start..).unwrap_or_default().iter();
        let mut next = rest.filter(|b| b.is_ascii_alphanumeric());
        let (Some(a), Some(b), Some(c)) = (next.next(), next.next(), next.next()) else {
            break;
        };
        let gram = gram(&[*a, *b, *c].map(|b| b.to_ascii_lowercase()));
        if sieve.has(gram) {
            before += letters(bytes.get(looked..start).unwrap_or_default());
            looked = start;
            grams.push((gram, u32::try_from(before).unwrap_or(u32::MAX)));
        }
    }
    grams
}
