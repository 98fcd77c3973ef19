//! Where a label stands: a JSON Pointer with wildcards, or a JSONPath of names, indices and
//! wildcards.

/// One step from a value to what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A token of a JSON Pointer: a member's name, or an item's index.
    Token(String),
    /// A member.
    Name(String),
    /// An item, from 0.
    Index(u32),
    /// Any member or item.
    Any,
}

impl Step {
    /// The step as text, by which two spellings of one step are the same; nothing for any.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Token(text) | Self::Name(text) => Some(text.clone()),
            Self::Index(n) => Some(n.to_string()),
            Self::Any => None,
        }
    }
}

/// Where a label stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelPath {
    /// From the whole result to the value.
    pub(super) steps: Vec<Step>,
    /// Whether the label is of the names of that value's members, and not of the value.
    pub(super) names: bool,
}

impl LabelPath {
    /// Reads a path; an error says what is wrong with it.
    pub(super) fn parse(at: &str) -> Result<Self, String> {
        if at.is_empty() || at.starts_with('/') {
            pointer(at)
        } else if let Some(rest) = at.strip_prefix('$') {
            json_path(rest)
        } else {
            Err("a path is empty, or begins with `/` (JSON Pointer) or `$` (JSONPath)".to_owned())
        }
    }
}

fn pointer(at: &str) -> Result<LabelPath, String> {
    let mut steps = Vec::new();
    for token in at.split('/').skip(1) {
        steps.push(match token {
            "*" => Step::Any,
            token => Step::Token(unescape(token)?),
        });
    }
    Ok(LabelPath {
        steps,
        names: false,
    })
}

/// RFC 6901 section 3: `~0` is `~`, `~1` is `/`, and no other `~` stands in a pointer.
fn unescape(token: &str) -> Result<String, String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => {
                    return Err("`~` in a JSON Pointer is followed by `0` or `1`".to_owned());
                }
            },
            c => c,
        });
    }
    Ok(out)
}

const ONLY: &str =
    "of a JSONPath only names, indices and wildcards are known here, such as `$.items[*].owner`";

fn json_path(mut rest: &str) -> Result<LabelPath, String> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        // `.*~`: the names of the members that `.*` finds.
        if rest == "~" {
            return match steps.pop() {
                Some(Step::Any) => Ok(LabelPath { steps, names: true }),
                _ => Err("`~` stands after `.*`, for the names of all members".to_owned()),
            };
        }
        let (step, after) = if let Some(after) = rest.strip_prefix('[') {
            bracket(after)?
        } else if let Some(after) = rest.strip_prefix('.') {
            dotted(after)?
        } else {
            return Err(ONLY.to_owned());
        };
        steps.push(step);
        rest = after;
    }
    Ok(LabelPath {
        steps,
        names: false,
    })
}

/// A name without quotation marks (RFC 9535 section 2.5.1.1, `member-name-shorthand`), or `*`.
fn dotted(after: &str) -> Result<(Step, &str), String> {
    if let Some(rest) = after.strip_prefix('*') {
        return Ok((Step::Any, rest));
    }
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    if !after.starts_with(first) {
        return Err(ONLY.to_owned());
    }
    let end = after
        .find(|c: char| !first(c) && !c.is_ascii_digit())
        .unwrap_or(after.len());
    let (name, rest) = after.split_at_checked(end).unwrap_or((after, ""));
    Ok((Step::Name(name.to_owned()), rest))
}

/// What stands between brackets.
fn bracket(after: &str) -> Result<(Step, &str), String> {
    if let Some(rest) = after.strip_prefix("*]") {
        return Ok((Step::Any, rest));
    }
    for mark in ['\'', '"'] {
        if let Some(quoted) = after.strip_prefix(mark) {
            let (name, rest) = quoted_name(quoted, mark)?;
            let rest = rest.strip_prefix(']').ok_or_else(|| ONLY.to_owned())?;
            return Ok((Step::Name(name), rest));
        }
    }
    let (digits, rest) = after.split_once(']').ok_or_else(|| ONLY.to_owned())?;
    let canonical = digits == "0" || !digits.starts_with('0');
    let number = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten();
    match number {
        Some(n) if canonical => Ok((Step::Index(n), rest)),
        _ => Err(ONLY.to_owned()),
    }
}

fn quoted_name(text: &str, mark: char) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == mark => {
                let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
                return Ok((name, rest));
            }
            '\\' => match chars.next() {
                Some((_, c)) if c == mark || c == '\\' || c == '/' => name.push(c),
                _ => return Err(
                    "of escapes in names only those of `\\` and of quotation marks are known here"
                        .to_owned(),
                ),
            },
            c => name.push(c),
        }
    }
    Err("a name's quotation mark is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{LabelPath, Step};

    fn steps(at: &str) -> Vec<Step> {
        LabelPath::parse(at).unwrap().steps
    }

    #[test]
    fn both_notations_are_read() {
        let name = |text: &str| Step::Name(text.to_owned());
        let token = |text: &str| Step::Token(text.to_owned());
        assert_eq!(steps(""), []);
        assert_eq!(steps("$"), []);
        assert_eq!(
            steps("/items/*/a~1b~0"),
            [token("items"), Step::Any, token("a/b~")]
        );
        assert_eq!(steps("/"), [token("")]);
        assert_eq!(steps("$[*].id_"), [Step::Any, name("id_")]);
        assert_eq!(
            steps("$.items[0]['a.b'][\"c\\\"\"].*"),
            [
                name("items"),
                Step::Index(0),
                name("a.b"),
                name("c\""),
                Step::Any
            ]
        );
    }

    #[test]
    fn names_of_members_can_be_labelled() {
        let path = LabelPath::parse("$[*].shared_with.*~").unwrap();
        assert!(path.names);
        assert_eq!(
            path.steps,
            [Step::Any, Step::Name("shared_with".to_owned())]
        );
        assert!(LabelPath::parse("$.a[*]~").unwrap().names);
    }

    #[test]
    fn what_could_find_something_else_is_refused() {
        for at in [
            "items",
            "$..id",
            "$.items[-1]",
            "$[01]",
            "$[?(@.a)]",
            "$[0:2]",
            "$['a",
            "$['a\\n']",
            "$[0,1]",
            "$.a~",
            "$~",
            "$.*~.a",
            "/a~2",
            "/a/~",
            "$a",
            "$.",
            "$[",
            "$[]",
            "$.1",
            "$[+1]",
            "$[99999999999]",
            "$['a'",
            "$ .a",
        ] {
            assert!(LabelPath::parse(at).is_err(), "{at}");
        }
    }
}
