//! Quotations: `"…"`, `'…'`, `` `…` ``, `“…”`, `‘…’`, `«…»`, `„…“`.

use crate::limits::QUOTED_BYTES;
use crate::value::text::is_hidden;

/// Every quotation on one line, of at most [`QUOTED_BYTES`].
pub(super) fn quotations<'a>(text: &'a str, sink: &mut dyn FnMut(usize, &'a str)) {
    let mut open: [Option<usize>; OPENERS] = [None; OPENERS];
    let mut before: Option<char> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, c)| *c);
        if c == '\n' {
            open = [None; OPENERS];
        }
        for slot in 0..OPENERS {
            let Some(place) = open.get_mut(slot) else {
                continue;
            };
            if closes(slot, c)
                && let Some(start) = place.take()
                && is_outside(slot, after)
                && let Some(inner) = text.get(start..at)
                && is_quotation(inner)
            {
                sink(start, inner);
            }
            if opens(slot, c) && is_outside(slot, before) {
                *place = Some(at + c.len_utf8());
            }
        }
        before = Some(c);
    }
}

/// How many kinds of quotation marks there are.
const OPENERS: usize = 7;

fn opens(slot: usize, c: char) -> bool {
    matches!(
        (slot, c),
        (0, '"') | (1, '\'') | (2, '`') | (3, '“') | (4, '‘') | (5, '«') | (6, '„')
    )
}

fn closes(slot: usize, c: char) -> bool {
    matches!(
        (slot, c),
        (0, '"') | (1, '\'') | (2, '`') | (3, '”') | (4, '’') | (5, '»') | (6, '“' | '”')
    )
}

/// An apostrophe within a word is no quotation mark.
fn is_outside(slot: usize, neighbour: Option<char>) -> bool {
    !matches!(slot, 1 | 4) || neighbour.is_none_or(|c| !c.is_alphanumeric())
}

fn is_quotation(inner: &str) -> bool {
    !inner.is_empty()
        && inner.len() <= QUOTED_BYTES
        && inner.trim() == inner
        && !inner.chars().any(is_hidden)
}
