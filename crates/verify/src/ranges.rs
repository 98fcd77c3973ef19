//! From findings and anchors to a word for every range.

use crate::report::{Findings, RangeWord, Word};

/// The most ranges that are told apart; the rest is one range with the weakest word in it.
const MAX_RANGES: usize = 10_000;

/// The words for entries `0..size`, of which those below `anchored` are covered from outside.
pub(crate) fn words(size: u64, anchored: u64, findings: &Findings) -> Vec<RangeWord> {
    let Some(last) = size.checked_sub(1) else {
        return Vec::new();
    };
    let whole = |first, word| vec![RangeWord { first, last, word }];
    if findings.is_whole_log {
        return whole(0, Word::Failed);
    }
    let mut ranges: Vec<RangeWord> = Vec::new();
    let mut next = 0;
    for index in findings.failed.range(..size) {
        if ranges.len() >= MAX_RANGES {
            ranges.extend(whole(next, Word::Failed));
            return ranges;
        }
        push_sound(&mut ranges, next, *index, anchored);
        push(&mut ranges, *index, *index, Word::Failed);
        next = index + 1;
    }
    push_sound(&mut ranges, next, size, anchored);
    ranges
}

/// Entries `start..end`, without findings.
fn push_sound(ranges: &mut Vec<RangeWord>, start: u64, end: u64, anchored: u64) {
    let border = anchored.clamp(start, end.max(start));
    if start < border {
        push(ranges, start, border - 1, Word::Trusted);
    }
    if border < end {
        push(ranges, border, end - 1, Word::Unanchored);
    }
}

fn push(ranges: &mut Vec<RangeWord>, first: u64, last: u64, word: Word) {
    match ranges.last_mut() {
        Some(before) if before.word == word => before.last = last,
        _ => ranges.push(RangeWord { first, last, word }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Check;

    fn said(size: u64, anchored: u64, failed: &[u64]) -> String {
        let mut findings = Findings::new(1);
        for index in failed {
            findings.entry(*index, None, Check::Leaf, "", "");
        }
        words(size, anchored, &findings)
            .iter()
            .map(|r| format!("{} {}-{}", r.word, r.first, r.last))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn ranges_cover_every_entry_once() {
        assert_eq!(said(0, 0, &[]), "");
        assert_eq!(said(5, 0, &[]), "unanchored 0-4");
        assert_eq!(said(5, 5, &[]), "trusted 0-4");
        assert_eq!(said(5, 9, &[]), "trusted 0-4");
        assert_eq!(said(9, 4, &[]), "trusted 0-3, unanchored 4-8");
        assert_eq!(
            said(9, 4, &[0, 1]),
            "failed 0-1, trusted 2-3, unanchored 4-8"
        );
        assert_eq!(said(9, 4, &[4]), "trusted 0-3, failed 4-4, unanchored 5-8");
        assert_eq!(said(9, 4, &[8]), "trusted 0-3, unanchored 4-7, failed 8-8");
        assert_eq!(said(1, 1, &[0]), "failed 0-0");
    }
}
