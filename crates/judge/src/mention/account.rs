//! Phone numbers and bank accounts in a text.

use super::scan::{Found, Sink};
use crate::value::text::{is_hidden, is_mark};
use crate::value::{Key, KeyKind, iban, phone};

/// Something that stands in a text: its form, where it begins, and where it ends.
pub(super) struct Account {
    pub(super) kind: KeyKind,
    pub(super) form: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a text mentions. Nothing hidden may stand beside it.
pub(super) fn scan<'a>(text: &'a str, sink: Sink<'_, 'a>) {
    accounts(text, &mut |account| {
        let Account { start, end, .. } = account;
        let before = text.get(..start).and_then(|left| left.chars().next_back());
        let after = text.get(end..).and_then(|right| right.chars().next());
        let tricks = |c: char| is_mark(c) || is_hidden(c) && !c.is_whitespace();
        if before.is_some_and(tricks) || after.is_some_and(tricks) {
            return;
        }
        if let Some(written) = text.get(start..end) {
            sink(Found {
                offset: start,
                ..Found::whole(written, Key::new(account.kind, account.form))
            });
        }
    });
}

/// Every phone number and bank account.
pub(super) fn accounts(text: &str, sink: &mut dyn FnMut(Account)) {
    let mut next = 0;
    for (at, byte) in near_digits(text.as_bytes()) {
        if at < next || !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'(')) {
            continue;
        }
        let mut before = text.get(..at).unwrap_or_default().chars().rev();
        let (last, earlier) = (before.next(), before.next());
        if last.is_some_and(char::is_alphanumeric) {
            continue;
        }
        let found = if byte.is_ascii_alphabetic() {
            text.get(at..)
                .and_then(iban::at_start)
                .map(|found| (KeyKind::Iban, found))
        } else {
            // What follows a digit and a mark is the rest of a number, a date or a time.
            let rest = last.is_some_and(|c| ".,-/:+".contains(c))
                && earlier.is_some_and(|c| c.is_ascii_digit());
            let money = last.is_some_and(|c| "$€£¥₹₩₽₺#".contains(c));
            text.get(at..)
                .filter(|_| !rest && !money)
                .and_then(phone::at_start)
                .map(|found| (KeyKind::Phone, found))
        };
        if let Some((kind, (form, used))) = found {
            next = at + used;
            sink(Account {
                kind,
                form,
                start: at,
                end: next,
            });
        }
    }
}

/// The bytes among which an account can begin, with their places: its first digit is not far.
/// Blocks that have none near are passed over as a whole.
fn near_digits(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    const BLOCK: usize = 64;
    // Two letters, and a gap of up to three bytes.
    const REACH: usize = 6;
    let starts = (0..).step_by(BLOCK);
    starts.zip(bytes.chunks(BLOCK)).flat_map(|(start, block)| {
        let end = bytes.len().min(start + BLOCK + REACH);
        let near = bytes.get(start..end).unwrap_or(block);
        let opens = |byte: u8| byte.is_ascii_digit() | (byte == b'+') | (byte == b'(');
        let any = near.iter().fold(false, |any, byte| any | opens(*byte));
        let block = if any { block } else { &[] };
        (start..).zip(block.iter().copied())
    })
}
