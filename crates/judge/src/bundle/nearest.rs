//! The declared name that a misspelt one was meant to be. Cedar's own guess depends on the order
//! of a hash map.

/// Most edits between a name and what it was meant to be.
const EDITS: usize = 3;
/// Longest name that is compared, in bytes: a longer one is no slip of the hand.
const NAME_BYTES: usize = 256;

/// The nearest of `names`; of several, the first in alphabetical order.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_BYTES {
        return None;
    }
    names
        .map(|other| (distance(name, other), other))
        .filter(|(edits, other)| is_near(*edits, name.len().max(other.len())))
        .min()
        .map(|(_, other)| other)
}

/// Of a short name, many edits leave another name.
fn is_near(edits: usize, length: usize) -> bool {
    edits <= 1 || (edits <= EDITS && edits * 2 < length)
}

/// Edits of one letter, or of two neighbours that changed places.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous: Option<char> = None;
    for (row, c) in one.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, d) in other.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let mut edits = (at(&last, column) + usize::from(c != *d))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0 && previous == Some(*d) && other.get(column - 1) == Some(&c);
            if swapped {
                edits = edits.min(at(&before_last, column - 1).saturating_add(1));
            }
            current.push(edits);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(c);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_found_whatever_the_order() {
        let names = ["reads", "mail.send", "mail.read", "Contact"];
        for (name, found) in [
            ("mail.sned", Some("mail.send")),
            ("mail.sed", Some("mail.send")),
            ("Contract", Some("Contact")),
            ("red", Some("reads")),
            ("something.else", None),
        ] {
            assert_eq!(nearest(name, names.into_iter()), found, "{name}");
            assert_eq!(nearest(name, names.into_iter().rev()), found, "{name}");
        }
        assert_eq!(nearest("amount", ["note"].into_iter()), None);
        assert_eq!(nearest("ot", ["to"].into_iter()), Some("to"));
    }
}
