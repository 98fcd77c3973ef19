//! Names in JSON Pointers (RFC 6901 section 3).

/// Goes on from a pointer to a member of this name.
pub fn push_member(pointer: &mut String, name: &str) {
    pointer.push('/');
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// The pointer to a member of what stands at `at`.
pub fn member(at: &str, name: &str) -> String {
    let mut pointer = String::with_capacity(at.len() + 1 + name.len());
    pointer.push_str(at);
    push_member(&mut pointer, name);
    pointer
}

/// The name that a token of a pointer, between two `/`, stands for (RFC 6901 section 4).
pub fn name_of(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["", "a", "a/b", "m~n", "~1", "~01", "/~", "é"] {
            let pointer = member("/x", name);
            let token = pointer.strip_prefix("/x/").unwrap();
            assert!(!token.contains('/'), "{pointer}");
            assert_eq!(name_of(token), name);
        }
        // RFC 6901 section 5.
        assert_eq!(member("", "a/b"), "/a~1b");
        assert_eq!(member("", "m~n"), "/m~0n");
    }
}
