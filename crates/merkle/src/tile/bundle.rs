//! Bundles of entries: each a big-endian 16-bit length and that many bytes.

use super::path::{EntriesTile, TILE_WIDTH};

/// The longest entry that a bundle can hold.
pub const MAX_ENTRY_LEN: usize = u16::MAX as usize;

/// An entry that no bundle can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {got} bytes is longer than the maximum of {MAX_ENTRY_LEN}")]
pub struct EntryTooLong {
    /// How many bytes it has.
    pub got: usize,
}

/// Why bytes are not a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes end within an entry or its length.
    #[error("the bundle ends within entry {entry}")]
    Truncated {
        /// Zero-based position of the entry in the bundle.
        entry: usize,
    },
    /// There are more entries than a full bundle has.
    #[error("the bundle has more than {TILE_WIDTH} entries")]
    TooMany,
    /// There are more or fewer entries than the bundle's width.
    #[error("the bundle has {got} entries, it must have {expected}")]
    Count {
        /// The width of the bundle.
        expected: u16,
        /// How many came.
        got: usize,
    },
}

/// Adds an entry to the end of a bundle.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let too_long = EntryTooLong { got: entry.len() };
    let len = u16::try_from(entry.len()).map_err(|_| too_long)?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bundle of these entries, in order.
pub fn encode_bundle<E: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = E>,
) -> Result<Vec<u8>, EntryTooLong> {
    let mut bundle = Vec::new();
    for entry in entries {
        push_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The entries of a bundle, which must have exactly the tile's width.
pub fn decode_bundle<'b>(
    bundle: &'b [u8],
    tile: &EntriesTile,
) -> Result<Vec<&'b [u8]>, BundleError> {
    let entries: Vec<&[u8]> = BundleEntries::new(bundle).collect::<Result<_, _>>()?;
    if entries.len() != usize::from(tile.width()) {
        return Err(BundleError::Count {
            expected: tile.width(),
            got: entries.len(),
        });
    }
    Ok(entries)
}

/// Iterates over the entries of a bundle; the first error is the last item.
#[derive(Debug, Clone)]
pub struct BundleEntries<'b> {
    rest: &'b [u8],
    seen: usize,
}

impl<'b> BundleEntries<'b> {
    /// Reads these bytes, at most 256 entries of them.
    pub const fn new(bundle: &'b [u8]) -> Self {
        Self {
            rest: bundle,
            seen: 0,
        }
    }

    fn read(&mut self) -> Result<&'b [u8], BundleError> {
        if self.seen >= usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        let truncated = BundleError::Truncated { entry: self.seen };
        let (len, rest) = self.rest.split_first_chunk::<2>().ok_or(truncated)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (entry, rest) = rest.split_at_checked(len).ok_or(truncated)?;
        self.rest = rest;
        self.seen += 1;
        Ok(entry)
    }
}

impl<'b> Iterator for BundleEntries<'b> {
    type Item = Result<&'b [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.read();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

impl std::iter::FusedIterator for BundleEntries<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
        BundleEntries::new(bundle).collect()
    }

    #[test]
    fn entries_come_back() {
        let longest = vec![7; MAX_ENTRY_LEN];
        let entries: [&[u8]; 3] = [b"", b"abc", &longest];
        let bundle = encode_bundle(entries).unwrap();
        assert!(bundle.starts_with(&[0, 0, 0, 3, b'a', b'b', b'c', 0xff, 0xff, 7]));
        assert_eq!(decode(&bundle).unwrap(), entries);
        let tile = EntriesTile::new(0, 3).unwrap();
        assert_eq!(decode_bundle(&bundle, &tile).unwrap(), entries);
        assert_eq!(decode(b"").unwrap(), Vec::<&[u8]>::new());
    }

    #[test]
    fn an_entry_that_does_not_fit_is_refused() {
        let got = MAX_ENTRY_LEN + 1;
        let mut bundle = vec![1];
        let refused = push_entry(&mut bundle, &vec![0; got]);
        assert_eq!(refused, Err(EntryTooLong { got }));
        assert_eq!(bundle, [1]);
    }

    #[test]
    fn what_is_cut_off_is_noticed() {
        let bundle = encode_bundle([b"abc".as_slice(), b"de"]).unwrap();
        for len in 1..bundle.len() {
            let expected = match len {
                5 => Ok(vec![b"abc".as_slice()]),
                0..5 => Err(BundleError::Truncated { entry: 0 }),
                _ => Err(BundleError::Truncated { entry: 1 }),
            };
            assert_eq!(decode(&bundle[..len]), expected, "{len} bytes");
        }
        let mut entries = BundleEntries::new(&[0, 9, 1]);
        assert!(entries.next().unwrap().is_err());
        assert!(entries.next().is_none());
    }

    #[test]
    fn the_number_of_entries_is_bounded_and_checked() {
        let full = encode_bundle(vec![b"x"; 256]).unwrap();
        assert_eq!(decode(&full).unwrap().len(), 256);
        let more = encode_bundle(vec![b"x"; 257]).unwrap();
        assert_eq!(decode(&more), Err(BundleError::TooMany));
        let tile = EntriesTile::new(0, 255).unwrap();
        assert_eq!(
            decode_bundle(&full, &tile),
            Err(BundleError::Count {
                expected: 255,
                got: 256
            })
        );
    }
}
