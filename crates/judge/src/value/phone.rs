//! Phone numbers: in international form (E.164), and in groups as people write them.
//!
//! No numbering plan is known here. `+1 202 555 0143` is `+12025550143`; a number without a `+` stays
//! what it is, whatever country it is of.

/// Fewest and most digits (E.164 section 6).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Longest spelling, in characters.
const LENGTH: usize = 32;

/// A phone number in digits, with its `+` if it has one, if `text` is one and nothing else.
pub(crate) fn read(text: &str) -> Option<String> {
    let (phone, used) = at_start(text)?;
    (used == text.len()).then_some(phone)
}

/// The longest phone number that `text` begins with, and how many bytes it takes.
pub(crate) fn at_start(text: &str) -> Option<(String, usize)> {
    let mut spelling = Spelling::default();
    let mut found = None;
    let mut open = false;
    for (at, c) in text.char_indices().take(LENGTH) {
        let end = at + c.len_utf8();
        match c {
            '+' if at == 0 => spelling.plus = true,
            '(' if !open => {
                open = true;
                spelling.in_group = false;
            }
            ')' if open => {
                open = false;
                spelling.in_group = false;
                spelling.parens = true;
            }
            c if c.is_ascii_digit() => {
                spelling.digit(c);
                let after = text.get(end..)?.chars().next();
                if !open && !after.is_some_and(char::is_alphanumeric) {
                    let used = text.get(..end)?;
                    found = spelling.number(used).map(|number| (number, end)).or(found);
                }
            }
            c if is_gap(c) => spelling.gap(c),
            _ => break,
        }
    }
    found
}

fn is_gap(c: char) -> bool {
    matches!(
        c,
        ' ' | '-' | '.' | '/' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{2010}'..='\u{2013}'
    )
}

#[derive(Default)]
struct Spelling {
    plus: bool,
    parens: bool,
    digits: String,
    /// How many digits each group has.
    groups: Vec<usize>,
    in_group: bool,
    /// What stands between the groups.
    gaps: Vec<char>,
    /// What stands after the last one, so far.
    gap: Option<char>,
}

impl Spelling {
    fn digit(&mut self, c: char) {
        self.digits.push(c);
        self.gaps.extend(self.gap.take());
        match self.groups.last_mut() {
            Some(last) if self.in_group => *last += 1,
            _ => self.groups.push(1),
        }
        self.in_group = true;
    }

    fn gap(&mut self, c: char) {
        // ` - ` is a dash between spaces.
        self.gap = self.gap.filter(|gap| *gap != ' ').or(Some(c));
        self.in_group = false;
    }

    fn number(&self, used: &str) -> Option<String> {
        // `+44 (0)20 …`: the zero is for callers at home.
        let home = self.plus && used.contains("(0)");
        let digits = if home {
            self.digits.replacen('0', "", 1)
        } else {
            self.digits.clone()
        };
        if !DIGITS.contains(&digits.len()) {
            return None;
        }
        if self.plus {
            return Some(format!("+{digits}"));
        }
        self.is_grouped(used).then_some(digits)
    }

    /// Whether digits without a `+` are grouped as phone numbers are.
    fn is_grouped(&self, used: &str) -> bool {
        let groups = self.groups.as_slice();
        if groups.len() < 2 || is_date_or_address(used, groups) {
            return false;
        }
        if self.parens || matches!(groups, [3, 3, 4] | [1, 3, 3, 4]) {
            return true;
        }
        if used.starts_with('0') {
            return groups.len() <= 7;
        }
        let Some(gap) = self.gaps.first().filter(|gap| !gap.is_whitespace()) else {
            return false;
        };
        self.gaps.iter().all(|other| other == gap)
            && match groups {
                [3, 4] => true,
                [first, second] => (2..=5).contains(first) && (6..=8).contains(second),
                groups => groups.len() <= 6 && groups.iter().all(|digits| (1..=8).contains(digits)),
            }
    }
}

/// `2024-05-24`, `24.05.2024 10`, `192.168.1.100`, `1.250.000`.
fn is_date_or_address(used: &str, groups: &[usize]) -> bool {
    let dated = matches!(groups, [4, 2, 2, ..] | [1 | 2, 1 | 2, 4, ..]);
    let quads = groups.len() == 4
        && !used.contains(|c: char| c != '.' && !c.is_ascii_digit())
        && used.split('.').all(|part| part.parse::<u8>().is_ok());
    let thousands = groups
        .split_first()
        .is_some_and(|(first, rest)| *first <= 3 && rest.iter().all(|digits| *digits == 3))
        && !used.contains('-');
    dated || quads || thousands || super::moment::date(used).is_some()
}
