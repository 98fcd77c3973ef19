//! Numbers, dates and times in a text.
//!
//! A number that is part of something longer (an id, a version, a range) is none, and neither is
//! what people of two countries read as two numbers.

use countersign_core::time::Timestamp;

use super::amount;
use super::scan::{Found, Sink};
use crate::limits::MOMENTS;
use crate::value::moment::{self, Day};
use crate::value::text::is_hidden;
use crate::value::{Key, KeyKind, number};

/// The day on which a turn was issued: a date without a year is the last or the next such day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Issued {
    year: u16,
    day: Day,
}

impl Issued {
    pub(super) fn at(time: Timestamp) -> Option<Self> {
        let text = time.to_string();
        let mut parts = text.get(..10)?.split('-');
        Some(Self {
            year: parts.next()?.parse().ok()?,
            day: Day {
                month: parts.next()?.parse().ok()?,
                day: parts.next()?.parse().ok()?,
            },
        })
    }

    /// The last and the next such day, or the same one.
    fn near(self, day: Day) -> Vec<String> {
        let years = match day.cmp(&self.day) {
            std::cmp::Ordering::Less => vec![self.year, self.year + 1],
            std::cmp::Ordering::Equal => vec![self.year],
            std::cmp::Ordering::Greater => vec![self.year.saturating_sub(1), self.year],
        };
        years
            .into_iter()
            .filter_map(|year| moment::date_form(year, day))
            .collect()
    }
}

/// A word between white space, without brackets, quotation marks and sentence marks around it.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    core: &'a str,
    offset: usize,
    /// What was cut off behind.
    tail: &'a str,
}

impl Chunk<'_> {
    /// Whether what follows can belong to it.
    fn goes_on(&self) -> bool {
        self.tail.is_empty() || self.tail == ","
    }
}

fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    // Narrow spaces group the digits of one number.
    let parts = |c: char| c.is_whitespace() && !matches!(c, '\u{2009}' | '\u{202f}');
    for piece in text.split_inclusive(parts) {
        let start = at;
        at += piece.len();
        let chunk = piece.trim_end_matches(char::is_whitespace);
        if chunk.is_empty() || chunk.chars().any(is_hidden) {
            continue;
        }
        let front = chunk.trim_start_matches(|c: char| "([{\"'“‘„«*_`".contains(c));
        let core = front.trim_end_matches(|c: char| ")]}\"'”’»*_`,;:.!?…".contains(c));
        if !core.is_empty() {
            out.push(Chunk {
                core,
                offset: start + chunk.len() - front.len(),
                tail: front.get(core.len()..).unwrap_or_default(),
            });
        }
    }
    out
}

/// One thing that was read: its keys, and how many chunks it took.
struct Read {
    keys: Vec<Key>,
    chunks: usize,
}

impl Read {
    fn one(kind: KeyKind, form: impl Into<String>) -> Self {
        Self {
            keys: vec![Key::new(kind, form)],
            chunks: 1,
        }
    }
}

/// Everything that `text` mentions of how much and when.
pub(super) fn scan<'a>(text: &'a str, issued: Option<Issued>, sink: Sink<'_, 'a>) {
    let chunks = chunks(text);
    let mut moments = Moments::default();
    let mut at = 0;
    while let Some(rest) = chunks.get(at..).filter(|rest| !rest.is_empty()) {
        let before = at.checked_sub(1).and_then(|at| chunks.get(at));
        let Some(read) = read(before, rest, issued) else {
            at += 1;
            continue;
        };
        let taken = rest.get(..read.chunks).unwrap_or(rest);
        if let (Some(first), Some(last)) = (taken.first(), taken.last()) {
            let end = last.offset + last.core.len();
            let written = text.get(first.offset..end).unwrap_or_default();
            for key in read.keys {
                moments.note(&key, first.offset, written);
                sink(Found {
                    offset: first.offset,
                    ..Found::whole(written, key)
                });
            }
        }
        at += read.chunks.max(1);
    }
    moments.together(sink);
}

/// Dates and times of a text. Each date is put together with each time: which belongs to which,
/// nobody here understands.
#[derive(Default)]
struct Moments<'a> {
    dates: Vec<(String, usize, &'a str)>,
    times: Vec<String>,
}

impl<'a> Moments<'a> {
    fn note(&mut self, key: &Key, offset: usize, written: &'a str) {
        match key.kind {
            KeyKind::Date
                if !key.text.starts_with("--")
                    && self.dates.len() < MOMENTS
                    && self.dates.iter().all(|(date, ..)| *date != key.text) =>
            {
                self.dates.push((key.text.clone(), offset, written));
            }
            KeyKind::Time if self.times.len() < MOMENTS && !self.times.contains(&key.text) => {
                self.times.push(key.text.clone());
            }
            _ => {}
        }
    }

    fn together(self, sink: Sink<'_, 'a>) {
        for (date, offset, written) in &self.dates {
            for time in &self.times {
                let key = Key::new(KeyKind::DateTime, format!("{date}T{time}"));
                sink(Found {
                    offset: *offset,
                    ..Found::whole(written, key)
                });
            }
        }
    }
}

fn read(before: Option<&Chunk<'_>>, rest: &[Chunk<'_>], issued: Option<Issued>) -> Option<Read> {
    let (first, after) = rest.split_first()?;
    if !first.core.contains(|c: char| c.is_ascii_digit()) {
        return month_first(first, after, issued).or_else(|| number_word(before, first, after));
    }
    if let Some((date, time, whole)) = moment::date_time(first.core) {
        let mut keys = vec![Key::new(KeyKind::DateTime, whole.clone())];
        // With a zone, neither part stands for itself.
        if whole.ends_with(&time) {
            keys.push(Key::new(KeyKind::Date, date));
            keys.push(Key::new(KeyKind::Time, time));
        }
        return Some(Read { keys, chunks: 1 });
    }
    if let Some(date) = moment::date(first.core) {
        return Some(Read::one(KeyKind::Date, date));
    }
    clock(first, after)
        .or_else(|| day_first(first, after, issued))
        .or_else(|| money_or_number(before, first, after))
}

/// `10:00`, `10 am`, `10:00-11:00`, `2pm–3pm`.
fn clock(first: &Chunk<'_>, after: &[Chunk<'_>]) -> Option<Read> {
    if let Some(time) = moment::time(first.core) {
        let half = after.first().filter(|_| first.tail.is_empty());
        return match half.and_then(|half| moment::time(&format!("{}{}", first.core, half.core))) {
            Some(time) => Some(Read {
                chunks: 2,
                ..Read::one(KeyKind::Time, time)
            }),
            None => Some(Read::one(KeyKind::Time, time)),
        };
    }
    if first.tail.is_empty()
        && let Some(half) = after.first()
        && let Some(time) = moment::time(&format!("{}{}", first.core, half.core))
    {
        return Some(Read {
            chunks: 2,
            ..Read::one(KeyKind::Time, time)
        });
    }
    let (from, to) = first.core.split_once(['-', '–'])?;
    let keys = vec![
        Key::new(KeyKind::Time, moment::time(from)?),
        Key::new(KeyKind::Time, moment::time(to)?),
    ];
    Some(Read { keys, chunks: 1 })
}

/// `May 24th, 2024`, `Sept. 24`.
fn month_first(first: &Chunk<'_>, after: &[Chunk<'_>], issued: Option<Issued>) -> Option<Read> {
    let named = match first.core {
        "noon" => Some("12:00"),
        "midnight" => Some("00:00"),
        _ => None,
    };
    if let Some(time) = named {
        return Some(Read::one(KeyKind::Time, time));
    }
    let month = moment::month(first.core)?;
    let abbreviated = first.tail == "." && first.core.len() <= 4;
    if !first.tail.is_empty() && !abbreviated {
        return None;
    }
    let (day, rest) = after.split_first()?;
    let number = moment::day_of_month(day.core)?;
    let day_of = Day { month, day: number };
    with_year(day_of, 2, day, rest, issued)
}

/// `24 May 2024`, `the 24th of May`.
fn day_first(first: &Chunk<'_>, after: &[Chunk<'_>], issued: Option<Issued>) -> Option<Read> {
    let day = moment::day_of_month(first.core)?;
    let dotted = first.tail == ".";
    if !first.tail.is_empty() && !dotted {
        return None;
    }
    let skipped = usize::from(after.first().is_some_and(|next| next.core == "of"));
    let (named, rest) = after.get(skipped..)?.split_first()?;
    let month = moment::month(named.core)?;
    with_year(Day { month, day }, 2 + skipped, named, rest, issued)
}

fn with_year(
    day: Day,
    chunks: usize,
    last: &Chunk<'_>,
    rest: &[Chunk<'_>],
    issued: Option<Issued>,
) -> Option<Read> {
    let year = rest
        .first()
        .filter(|_| last.goes_on() || last.tail == ".")
        .and_then(|next| moment::year(next.core));
    if let Some(year) = year {
        let form = moment::date_form(year, day)?;
        return Some(Read {
            chunks: chunks + 1,
            ..Read::one(KeyKind::Date, form)
        });
    }
    let mut keys = vec![Key::new(KeyKind::Date, moment::day_form(day)?)];
    if let Some(issued) = issued {
        let near = issued.near(day);
        keys.extend(near.into_iter().map(|form| Key::new(KeyKind::Date, form)));
    }
    Some(Read { keys, chunks })
}

fn money_or_number(
    before: Option<&Chunk<'_>>,
    first: &Chunk<'_>,
    after: &[Chunk<'_>],
) -> Option<Read> {
    let next = after.first().filter(|_| first.tail.is_empty());
    let split = amount::split(first.core);
    let beside = || {
        before
            .filter(|before| before.tail.is_empty())
            .and_then(|before| amount::currency(before.core))
            .or_else(|| next.and_then(|next| amount::currency(next.core)))
    };
    let (currency, written) = match split {
        Some((currency, written)) => (Some(currency), written),
        None => (beside(), first.core),
    };
    let written = written.strip_suffix('%').unwrap_or(written);
    // `1-hour`: the number of a compound.
    let written = match written.split_once('-') {
        Some((number, unit)) if unit.starts_with(char::is_alphabetic) => number,
        _ => written,
    };
    // `1 250` is one number or two.
    let is_group = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let short = written.len() <= 3 && written.bytes().all(|b| b.is_ascii_digit());
    let groups = after
        .iter()
        .take_while(|chunk| is_group(chunk.core))
        .count();
    if currency.is_none() && short && first.tail.is_empty() && groups > 0 {
        return Some(Read {
            keys: Vec::new(),
            chunks: 1 + groups,
        });
    }
    if next.is_some_and(|next| is_multiple(next.core)) {
        return None;
    }
    let in_words = next.is_some_and(|next| is_currency_word(next.core));
    let form = number::read(written, currency.is_some() || in_words)?;
    let mut keys = vec![Key::new(KeyKind::Number, form.clone())];
    keys.extend(currency.map(|name| Key::new(KeyKind::Number, format!("{name} {form}"))));
    Some(Read { keys, chunks: 1 })
}

fn is_currency_word(word: &str) -> bool {
    let words = [
        "dollar", "dollars", "euro", "euros", "pound", "pounds", "franc", "francs", "yen",
    ];
    words.contains(&word.to_ascii_lowercase().as_str())
}

fn is_multiple(word: &str) -> bool {
    let words = [
        "hundred", "thousand", "million", "billion", "trillion", "dozen", "k", "bn", "mio", "half",
    ];
    words.contains(&word.to_ascii_lowercase().as_str())
}

/// `two`, `twenty-five`. Larger numbers in words are not read.
fn number_word(before: Option<&Chunk<'_>>, first: &Chunk<'_>, after: &[Chunk<'_>]) -> Option<Read> {
    let word = first.core.to_ascii_lowercase();
    let next = after.first().filter(|_| first.tail.is_empty());
    let previous = before.map(|before| before.core.to_ascii_lowercase());
    if next.is_some_and(|next| is_multiple(next.core))
        || previous
            .as_deref()
            .is_some_and(|word| is_multiple(word) || word == "and" || word == "point")
    {
        return None;
    }
    let (tens, ones) = word.split_once('-').unwrap_or((&word, ""));
    let value = number_of(tens)?;
    let form = |number: u32| Read::one(KeyKind::Number, number.to_string());
    if !ones.is_empty() {
        let ones = number_of(ones).filter(|ones| *ones < 10 && value >= 20)?;
        return Some(form(value + ones));
    }
    if let Some(ones) = next.and_then(|next| number_of(&next.core.to_ascii_lowercase())) {
        return (value >= 20 && ones < 10).then(|| Read {
            chunks: 2,
            ..form(value + ones)
        });
    }
    // "The one", "no one", "one of them".
    if value == 1 {
        let other = [
            "the", "this", "that", "no", "any", "some", "every", "each", "which", "another",
            "other", "last", "next", "first", "new", "old", "right",
        ];
        let counts = next.is_some_and(|next| {
            next.core.starts_with(char::is_alphabetic) && !matches!(next.core, "of" | "or" | "and")
        });
        if !counts || previous.is_some_and(|word| other.contains(&word.as_str())) {
            return None;
        }
    }
    Some(form(value))
}

fn number_of(word: &str) -> Option<u32> {
    const WORDS: [&str; 20] = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    const TENS: [&str; 7] = [
        "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let at = |list: &[&str]| list.iter().position(|name| *name == word);
    let small = at(&WORDS).and_then(|n| u32::try_from(n + 1).ok());
    small.or_else(|| at(&TENS).and_then(|n| u32::try_from(30 + 10 * n).ok()))
}

/// The amount that a text is as a whole: `$1,250.00`, `1250 EUR`.
pub(crate) fn whole_amount(text: &str) -> Option<String> {
    whole(text, |key| {
        key.kind == KeyKind::Number && key.text.contains(' ')
    })
}

/// The date that a text is as a whole: `May 24th, 2024`, `24 May`.
pub(crate) fn whole_date(text: &str) -> Option<String> {
    whole(text, |key| key.kind == KeyKind::Date)
}

fn whole(text: &str, wanted: impl Fn(&Key) -> bool) -> Option<String> {
    let chunks = chunks(text);
    if chunks.len() > 4 {
        return None;
    }
    let (first, after) = chunks.split_first()?;
    let last = chunks.last()?;
    if first.offset != 0 || last.offset + last.core.len() != text.len() {
        return None;
    }
    let currency = amount::currency(first.core).is_some() && after.len() == 1;
    let read = if currency {
        read(Some(first), after, None).map(|read| (read.keys, 2))
    } else {
        read(None, &chunks, None).map(|read| {
            let unit = after.len() == 1 && after.iter().all(|c| amount::currency(c.core).is_some());
            (read.keys, read.chunks.max(if unit { 2 } else { 1 }))
        })
    };
    let (keys, taken) = read?;
    (taken == chunks.len())
        .then(|| keys.into_iter().find(wanted).map(|key| key.text))
        .flatten()
}
