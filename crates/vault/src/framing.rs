//! Byte strings joined so that no two lists of them give the same bytes.

/// A label that ends in a line feed, then every field after its length in eight bytes.
pub(crate) fn frame(label: &str, fields: &[&[u8]]) -> Vec<u8> {
    let length = fields.iter().map(|field| field.len().saturating_add(8));
    let mut framed = Vec::with_capacity(length.sum::<usize>().saturating_add(label.len()));
    framed.extend_from_slice(label.as_bytes());
    for field in fields {
        // A length is at most `isize::MAX`, so eight bytes always hold it.
        framed.extend_from_slice(&(field.len() as u64).to_be_bytes());
        framed.extend_from_slice(field);
    }
    framed
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn fields_cannot_flow_into_each_other() {
        let framed = |fields: &[&[u8]]| frame("x\n", fields);
        assert_ne!(framed(&[b"ab", b"c"]), framed(&[b"a", b"bc"]));
        assert_ne!(framed(&[b"abc"]), framed(&[b"abc", b""]));
        assert_ne!(framed(&[b"", b"abc"]), framed(&[b"abc", b""]));
    }
}
