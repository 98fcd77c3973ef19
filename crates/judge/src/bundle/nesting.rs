//! How deep the expressions of a policy file nest, told from its text before anything parses it.
//!
//! Cedar walks expressions by recursion: an operator of a chain, a member, a call and a bracket are
//! each a level. What is counted here is never less than what Cedar walks, and takes no recursion.

/// How deep one statement of a file nests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nesting {
    /// Where the statement begins, in bytes.
    pub(super) start: usize,
    /// How many levels.
    pub(super) depth: usize,
}

/// The nesting of each statement of a file. The last need not be ended.
pub(super) fn statements(text: &str) -> Vec<Nesting> {
    let mut scanner = Scanner::default();
    let mut rest = text;
    while let Some(token) = Token::first(rest) {
        scanner.take(token.text, text.len() - rest.len());
        rest = rest.get(token.end..).unwrap_or_default();
    }
    scanner.end();
    scanner.done
}

/// The deepest statement of a file.
pub(super) fn deepest(text: &str) -> Option<Nesting> {
    statements(text).into_iter().max_by_key(|it| it.depth)
}

/// A run of text that means something. Blanks, comments and texts are empty ones.
struct Token<'a> {
    text: &'a str,
    end: usize,
}

impl<'a> Token<'a> {
    fn first(rest: &'a str) -> Option<Self> {
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = match first {
            '/' if rest.starts_with("//") => {
                rest.find(['\n', '\r']).map_or(rest.len(), |at| at + 1)
            }
            '"' => end_of_string(rest),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            '|' if rest.starts_with("||") => 2,
            '&' if rest.starts_with("&&") => 2,
            '=' if rest.starts_with("==") => 2,
            c => c.len_utf8(),
        };
        let means = !(first == '"' || first == '/' || first.is_whitespace());
        let text = rest.get(..end).filter(|_| means).unwrap_or_default();
        Some(Self { text, end })
    }
}

fn end_of_string(rest: &str) -> usize {
    let mut escaped = true;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' if !escaped => escaped = true,
            // The quotation mark that it begins with ends nothing.
            _ => escaped = false,
        }
    }
    rest.len()
}

#[derive(Default)]
struct Scanner {
    /// What is open around the innermost bracket.
    around: Vec<Level>,
    level: Level,
    start: Option<usize>,
    done: Vec<Nesting>,
    /// What the token before was.
    before: Before,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Before {
    #[default]
    Other,
    Dot,
    /// `has`, or a dot after it.
    Has,
    /// A member after it: each dot that follows is two levels.
    HasMember,
}

/// What stands between two brackets so far. A chain of `||` holds chains of `&&`, and these hold terms.
#[derive(Default)]
struct Level {
    /// Operators, members, calls and brackets of the term.
    steps: usize,
    /// The deepest bracket of the term.
    inner: usize,
    ands: usize,
    deepest_term: usize,
    ors: usize,
    deepest_and: usize,
    ifs: usize,
    /// The deepest part of `if`, `then` and `else` that has ended.
    deepest_part: usize,
    /// The deepest item of a list that has ended.
    deepest_item: usize,
}

impl Scanner {
    fn take(&mut self, token: &str, at: usize) {
        if token.is_empty() {
            return;
        }
        self.start.get_or_insert(at);
        let before = std::mem::take(&mut self.before);
        match token {
            "(" | "[" | "{" => self.around.push(std::mem::take(&mut self.level)),
            ")" | "]" | "}" => {
                if let Some(outer) = self.around.pop() {
                    let inner = std::mem::replace(&mut self.level, outer).ended();
                    self.level.steps += 1;
                    self.level.inner = self.level.inner.max(inner);
                }
            }
            "," => self.level.end_item(),
            ";" if self.around.is_empty() => self.end(),
            "||" => self.level.end_and(true),
            "&&" => self.level.end_term(true),
            "." if before == Before::HasMember => {
                self.level.steps += 2;
                self.before = Before::Has;
            }
            "." => {
                self.level.steps += 1;
                self.before = Before::Dot;
            }
            // What is more than something is what is not at most that.
            ">" => self.level.steps += 2,
            "==" | "=" | "!" | "<" | "+" | "-" | "*" => self.level.steps += 1,
            _ if before == Before::Dot => {}
            _ if before == Before::Has => self.before = Before::HasMember,
            "if" | "then" | "else" => self.level.end_part(token == "if"),
            "has" => {
                self.level.steps += 1;
                self.before = Before::Has;
            }
            "in" | "is" | "like" => self.level.steps += 1,
            _ => {}
        }
    }

    fn end(&mut self) {
        let mut depth = std::mem::take(&mut self.level).ended();
        while let Some(outer) = self.around.pop() {
            depth = depth.max(outer.ended()) + 1;
        }
        if let Some(start) = self.start.take() {
            self.done.push(Nesting { start, depth });
        }
    }
}

impl Level {
    fn end_term(&mut self, goes_on: bool) {
        self.deepest_term = self.deepest_term.max(self.steps + self.inner);
        (self.steps, self.inner) = (0, 0);
        self.ands += usize::from(goes_on);
    }

    fn end_and(&mut self, goes_on: bool) {
        self.end_term(false);
        self.deepest_and = self.deepest_and.max(self.ands + self.deepest_term);
        (self.ands, self.deepest_term) = (0, 0);
        self.ors += usize::from(goes_on);
    }

    fn end_part(&mut self, is_if: bool) {
        self.end_and(false);
        self.deepest_part = self.deepest_part.max(self.ors + self.deepest_and);
        (self.ors, self.deepest_and) = (0, 0);
        self.ifs += usize::from(is_if);
    }

    fn end_item(&mut self) {
        self.end_part(false);
        self.deepest_item = self.deepest_item.max(self.ifs + self.deepest_part);
        (self.ifs, self.deepest_part) = (0, 0);
    }

    fn ended(mut self) -> usize {
        self.end_item();
        self.deepest_item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(condition: &str) -> usize {
        deepest(condition).unwrap().depth
    }

    #[test]
    fn each_way_to_nest_counts() {
        for (condition, expected) in [
            ("a", 0),
            ("a || b || c", 2),
            ("a && b || c && d && e || f", 4),
            ("a.b == c.d || e", 4),
            ("!(!(!a))", 5),
            ("[a, b, c || d || e, f].contains(g)", 5),
            ("{a: {b: {c: 1}}}", 3),
            ("if a then b else if c then d else e || f", 3),
            ("a has b.c.d", 5),
            ("a > b", 2),
            ("a != b", 2),
            ("a[\"||\"][\"b\"]", 2),
            ("a // || b || c\r|| d", 1),
            ("\"a\\\" || b\" || c", 1),
            ("a.if || a.then || b", 3),
            ("a has if || a has else || b", 3),
            ("if a has b then c || d || e else f || g", 3),
            ("((((", 4),
            ("))))a||b", 1),
        ] {
            assert_eq!(depth(condition), expected, "{condition}");
        }
        assert_eq!(depth(&"1||".repeat(100_000)), 100_000);
        assert_eq!(depth(&"(".repeat(100_000)), 100_000);
    }

    #[test]
    fn each_statement_is_for_itself() {
        let found = statements("permit (a, b, c);\n\nforbid (a, b, c) when { x.y } when { z };");
        let found: Vec<_> = found.iter().map(|it| (it.start, it.depth)).collect();
        assert_eq!(found, [(0, 1), (19, 4)]);
    }
}
