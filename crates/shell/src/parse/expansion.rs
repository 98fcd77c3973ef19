//! What begins with `$` or a backquote.

use super::{Parser, Stop, is_name, name_of};
use crate::ast::Script;
use crate::unparsed::Unparsed;

/// What an expansion comes to, as far as can be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comes {
    /// It is none: a `$` by itself.
    Dollar,
    /// To a number.
    Number,
    /// To any text.
    Anything,
}

impl Parser<'_, '_> {
    /// Takes an expansion whose `$` is taken. What it runs is added to `inner`.
    pub(super) fn dollar(
        &mut self,
        quoted: bool,
        inner: &mut Vec<Script>,
    ) -> Result<Comes, Unparsed> {
        match self.peek() {
            Some('(') if self.starts_with("((") => {
                self.at += 2;
                self.arithmetic(inner)?;
                Ok(Comes::Number)
            }
            Some('(') => {
                self.at += 1;
                inner.push(self.substitution()?);
                Ok(Comes::Anything)
            }
            Some('{') => {
                self.at += 1;
                self.deeper(|parser| parser.braced(quoted, inner))
            }
            Some('[') => Err(self.refuse("`$[` is an old form of `$((`")),
            Some(c) if is_name(c, true) => {
                self.at += name_of(self.rest()).len();
                Ok(Comes::Anything)
            }
            Some('#' | '?' | '$' | '!') => {
                self.at += 1;
                Ok(Comes::Number)
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '@' | '*' | '-') => {
                self.at += 1;
                Ok(Comes::Anything)
            }
            _ => Ok(Comes::Dollar),
        }
    }

    /// Commands up to the `)` that ends them.
    pub(super) fn substitution(&mut self) -> Result<Script, Unparsed> {
        if !self.pending.is_empty() {
            return Err(self.refuse("a substitution between a here-document and its text"));
        }
        let stop = Stop {
            paren: true,
            ..Stop::default()
        };
        let script = self.deeper(|parser| parser.script(&stop))?;
        if !self.pending.is_empty() {
            return Err(self.refuse("a here-document does not end"));
        }
        match self.take(")") {
            true => Ok(script),
            false => Err(self.refuse("a substitution is not closed")),
        }
    }

    /// Commands between backquotes, the first of which is taken.
    pub(super) fn backquoted(&mut self, quoted: bool) -> Result<Script, Unparsed> {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.refuse("a backquote is not closed")),
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(c @ ('`' | '\\' | '$')) => text.push(c),
                    Some('"') if quoted => text.push('"'),
                    Some(c) => {
                        text.push('\\');
                        text.push(c);
                    }
                    None => return Err(self.refuse("a backquote is not closed")),
                },
                Some(c) => text.push(c),
            }
        }
        self.deeper(|parser| {
            let (depth, posix) = (parser.depth, parser.posix);
            parser.shared.parse(&text, depth, posix)
        })
    }

    /// Arithmetic up to its `))`. What stands there as a name is evaluated in its turn.
    pub(super) fn arithmetic(&mut self, inner: &mut Vec<Script>) -> Result<(), Unparsed> {
        let mut open = 0_usize;
        loop {
            match self.next() {
                None => return Err(self.refuse("arithmetic is not closed")),
                Some(')') if open > 0 => open -= 1,
                Some(')') if self.take(")") => return Ok(()),
                Some('(') => open += 1,
                Some('$') => {
                    // A parameter's value, and that of the last word before, stand in no assignment.
                    let named = self.rest().trim_start_matches('{');
                    let is_parameter = |c: char| c.is_ascii_digit() || matches!(c, '@' | '*');
                    self.shared.unsure |= named.starts_with(is_parameter) || name_of(named) == "_";
                    let comes = self.deeper(|parser| parser.dollar(true, inner))?;
                    self.shared.evaluates |= comes != Comes::Number;
                    // What a command prints is evaluated where it stands.
                    self.shared.unsure |= comes != Comes::Number && !inner.is_empty();
                }
                Some(c) if is_name(c, true) => {
                    let more = name_of(self.rest()).len();
                    self.shared.unsure |= c == '_' && more == 0;
                    self.at += more;
                    self.shared.evaluates = true;
                }
                Some(c) if c.is_ascii_digit() => {
                    while self.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
                        self.at += 1;
                    }
                }
                Some(
                    ' ' | '\t' | '\n' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '!' | '&'
                    | '|' | '^' | '~' | '?' | ':' | ',' | '#' | ';',
                ) => {}
                Some(_) => return Err(self.refuse("arithmetic over more than numbers and names")),
            }
        }
    }

    /// `${…}`, of which `${` is taken.
    fn braced(&mut self, quoted: bool, inner: &mut Vec<Script>) -> Result<Comes, Unparsed> {
        let is_length = self.starts_with("#") && !self.starts_with("#}");
        if is_length {
            self.at += 1;
        }
        let name = name_of(self.rest());
        let name = match self.peek() {
            Some(_) if !name.is_empty() => name,
            Some(c) if c.is_ascii_digit() || matches!(c, '@' | '*' | '#' | '?' | '-' | '$') => "",
            _ => return Err(self.refuse("an expansion that is more than a variable's value")),
        };
        self.at += name.len().max(1);
        if name.is_empty() {
            while self.peek().is_some_and(|c| c.is_ascii_digit()) {
                self.at += 1;
            }
        }
        if !name.is_empty() && self.take("[") {
            self.subscript()?;
        }
        if self.take("}") {
            return Ok(if is_length {
                Comes::Number
            } else {
                Comes::Anything
            });
        }
        if is_length {
            return Err(self.refuse("an expansion that is more than a variable's value"));
        }
        self.operator(name)?;
        self.operand(quoted, inner)?;
        Ok(Comes::Anything)
    }

    fn subscript(&mut self) -> Result<(), Unparsed> {
        loop {
            match self.next() {
                Some(']') => return Ok(()),
                Some('@' | '*' | '-' | '+') => {}
                Some(c) if c.is_ascii_digit() => {}
                Some(c) if is_name(c, true) || c == '$' => {
                    self.shared.evaluates = true;
                    self.shared.unsure |= c == '_';
                }
                _ => return Err(self.refuse("an index that is more than a number or a name")),
            }
        }
    }

    /// The operator of `${name…`.
    fn operator(&mut self, name: &str) -> Result<(), Unparsed> {
        let colon = self.take(":");
        match self.peek() {
            Some('-' | '+' | '?') => self.at += 1,
            Some('=') if crate::steps::is_plain(name) => {
                self.at += 1;
                self.shared.unsure = true;
            }
            Some('#' | '%' | '/' | '^' | ',') if !colon => self.at += 1,
            // A part of the value: where it begins is arithmetic.
            Some(_) if colon => {
                let rest = self.rest();
                let end = rest.find('}').unwrap_or(rest.len());
                let part = rest.get(..end).unwrap_or("");
                let fits = |c: char| {
                    c.is_ascii_alphanumeric()
                        || matches!(c, ' ' | '-' | '+' | ':' | '_' | '$' | '#')
                };
                if !part.chars().all(fits) {
                    return Err(
                        self.refuse("a part of a value that is more than numbers and names")
                    );
                }
                self.shared.evaluates |= part.contains(|c: char| is_name(c, true) || c == '$');
            }
            _ => return Err(self.refuse("an expansion that is more than a variable's value")),
        }
        Ok(())
    }

    /// What follows the operator, up to `}`.
    fn operand(&mut self, quoted: bool, inner: &mut Vec<Script>) -> Result<(), Unparsed> {
        loop {
            match self.next() {
                None => return Err(self.refuse("an expansion is not closed")),
                Some('}') => return Ok(()),
                Some('\\') => {
                    self.next();
                }
                // Shells differ in what quotes mean here.
                Some('\'' | '"') if quoted => {
                    return Err(self.refuse("a quote in an expansion that is quoted"));
                }
                Some('\'') => self.single()?,
                Some('"') => {
                    self.double(&mut String::new(), inner)?;
                }
                Some('$') => {
                    self.dollar(quoted, inner)?;
                }
                Some('`') => inner.push(self.backquoted(quoted)?),
                Some('<' | '>' | '=') if self.starts_with("(") => {
                    return Err(self.refuse("a process in an expansion"));
                }
                Some(_) => {}
            }
        }
    }
}
