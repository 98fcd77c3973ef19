//! Words: quotes, escapes, and what makes a word more than its letters.

use super::expansion::Comes;
use super::{Parser, is_meta};
use crate::ast::{Script, Word};
use crate::limits::SHOWN_BYTES;
use crate::unparsed::Unparsed;

/// What a word is found to be while it is read.
struct Reading {
    word: Word,
    /// Whether `[` was met, which a `]` makes a pattern.
    bracket: bool,
    /// How many `{` are open, and whether something in them makes several words of one.
    braces: usize,
    several: bool,
    digits_only: bool,
}

impl Parser<'_, '_> {
    /// The word that begins here; none if something else does.
    pub(super) fn word(&mut self) -> Result<Option<Word>, Unparsed> {
        let start = self.at;
        let mut reading = Reading {
            word: Word {
                is_literal: true,
                is_bare: true,
                ..Word::default()
            },
            bracket: false,
            braces: 0,
            several: false,
            digits_only: true,
        };
        while let Some(c) = self.peek() {
            if (c == '<' || c == '>') && self.rest().get(1..2) == Some("(") {
                self.of_bash()?;
                self.at += 2;
                let script = self.substitution()?;
                reading.word.inner.push(script);
                reading.dynamic();
            } else if c == '(' && self.at > start && !self.starts_with("()") {
                return Err(self.refuse("a parenthesis within a word"));
            } else if is_meta(c) {
                break;
            } else {
                self.at += c.len_utf8();
                self.part(c, start, &mut reading)?;
            }
        }
        if self.at == start {
            return Ok(None);
        }
        let written = self.since(start);
        let Reading {
            mut word,
            digits_only,
            ..
        } = reading;
        word.is_count = digits_only;
        if written.starts_with('{') && written.ends_with('}') && written.len() > 2 && word.is_bare {
            let redirects = matches!(self.peek(), Some('<' | '>'));
            if redirects {
                return Err(self.refuse("a redirection that names its own descriptor"));
            }
        }
        if !word.is_literal {
            let mut end = written.len().min(SHOWN_BYTES);
            while !written.is_char_boundary(end) {
                end -= 1;
            }
            word.text = written.get(..end).unwrap_or("").to_owned();
        }
        Ok(Some(word))
    }

    /// Takes on a part of a word whose first character is taken.
    fn part(&mut self, c: char, start: usize, reading: &mut Reading) -> Result<(), Unparsed> {
        let is_first = self.at == start + c.len_utf8();
        match c {
            '\\' => {
                match self.next() {
                    None => return Err(self.refuse("the line ends with a backslash")),
                    Some('\n') => {}
                    Some(c) => reading.word.text.push(c),
                }
                reading.quoted();
            }
            '\'' => {
                let from = self.at;
                self.single()?;
                let text = self.text.get(from..self.at - 1).unwrap_or("");
                reading.word.text.push_str(text);
                reading.quoted();
            }
            '"' => self.double_in(reading)?,
            '$' if self.take("\"") => self.double_in(reading)?,
            '$' if self.take("'") => {
                self.of_bash()?;
                self.ansi(&mut reading.word.text)?;
                reading.quoted();
            }
            '$' => match self.dollar(false, &mut reading.word.inner)? {
                Comes::Dollar => reading.letter('$'),
                Comes::Number => reading.number(),
                Comes::Anything => reading.expanded(),
            },
            '`' => {
                let script = self.backquoted(false)?;
                reading.word.inner.push(script);
                reading.expanded();
            }
            '~' if is_first => {
                reading.letter('~');
                match self.peek() {
                    None | Some('/') => reading.word.is_tilde = true,
                    Some(c) if is_meta(c) => reading.word.is_tilde = true,
                    Some(_) => reading.dynamic(),
                }
            }
            // `=name` is the path of a program in zsh.
            '=' if is_first
                && self
                    .peek()
                    .is_some_and(|c| !is_meta(c) && c != '=' && c != '~') =>
            {
                reading.letter('=');
                reading.dynamic();
            }
            c => reading.plain(c),
        }
        Ok(())
    }

    fn double_in(&mut self, reading: &mut Reading) -> Result<(), Unparsed> {
        let mut text = std::mem::take(&mut reading.word.text);
        let before = reading.word.inner.len();
        let comes = self.double(&mut text, &mut reading.word.inner)?;
        reading.word.text = text;
        reading.quoted();
        match comes {
            Comes::Dollar => {}
            Comes::Number if reading.word.inner.len() == before => reading.number(),
            Comes::Number | Comes::Anything => reading.dynamic(),
        }
        Ok(())
    }

    /// Takes what stands between single quotes, the first of which is taken.
    pub(super) fn single(&mut self) -> Result<(), Unparsed> {
        match self.rest().find('\'') {
            Some(end) => {
                self.at += end + 1;
                Ok(())
            }
            None => Err(self.refuse("a quote is not closed")),
        }
    }

    /// Takes what stands between double quotes, the first of which is taken; what it comes to beside
    /// the text.
    pub(super) fn double(
        &mut self,
        text: &mut String,
        inner: &mut Vec<Script>,
    ) -> Result<Comes, Unparsed> {
        let mut comes = Comes::Dollar;
        loop {
            match self.next() {
                None => return Err(self.refuse("a quote is not closed")),
                Some('"') => return Ok(comes),
                Some('\\') => match self.next() {
                    None => return Err(self.refuse("a quote is not closed")),
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => text.push(c),
                    Some(c) => {
                        text.push('\\');
                        text.push(c);
                    }
                },
                Some('$') => match self.dollar(true, inner)? {
                    Comes::Dollar => text.push('$'),
                    Comes::Number if comes != Comes::Anything => comes = Comes::Number,
                    _ => comes = Comes::Anything,
                },
                Some('`') => {
                    inner.push(self.backquoted(true)?);
                    comes = Comes::Anything;
                }
                Some(c) => text.push(c),
            }
        }
    }

    /// `$'…'` with its escapes, of which `$'` is taken.
    fn ansi(&mut self, text: &mut String) -> Result<(), Unparsed> {
        loop {
            match self.next() {
                None => return Err(self.refuse("a quote is not closed")),
                Some('\'') => return Ok(()),
                Some('\\') => {
                    let escaped = match self.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(c @ ('\\' | '\'' | '"' | '?')) => c,
                        // What cannot be read at a glance has no business in a command line.
                        _ => return Err(self.refuse("an escape that hides a character")),
                    };
                    text.push(escaped);
                }
                Some(c) => text.push(c),
            }
        }
    }
}

impl Reading {
    fn letter(&mut self, c: char) {
        self.word.text.push(c);
        self.digits_only &= c.is_ascii_digit();
    }

    fn quoted(&mut self) {
        self.word.is_bare = false;
        self.digits_only &= self.word.text.bytes().all(|b| b.is_ascii_digit());
    }

    /// Its value is not known.
    fn dynamic(&mut self) {
        self.word.is_literal = false;
        self.digits_only = false;
    }

    /// The same, and it stands unquoted.
    fn expanded(&mut self) {
        self.dynamic();
        self.word.is_bare = false;
        self.word.splits = true;
    }

    /// A number that is not known.
    fn number(&mut self) {
        self.word.is_literal = false;
        self.word.is_bare = false;
    }

    fn plain(&mut self, c: char) {
        let before = self.word.text.chars().last();
        self.letter(c);
        let makes_more = match c {
            '*' | '?' => true,
            '[' => {
                self.bracket = true;
                false
            }
            ']' => self.bracket,
            '{' => {
                self.braces += 1;
                false
            }
            ',' => {
                self.several |= self.braces > 0;
                false
            }
            '.' => {
                self.several |= self.braces > 0 && before == Some('.');
                false
            }
            '}' if self.braces > 0 => {
                self.braces -= 1;
                self.several
            }
            _ => false,
        };
        if makes_more {
            self.word.is_literal = false;
            self.word.splits = true;
        }
    }
}
