//! Simple commands: assignments, words and redirections.

use super::here::Pending;
use super::{Parser, is_meta, name_of};
use crate::ast::{Assignment, Redirect, Simple, Way};
use crate::unparsed::Unparsed;

impl Parser<'_, '_> {
    /// Takes the parts of a simple command.
    pub(super) fn simple(
        &mut self,
        simple: &mut Simple,
        redirects: &mut Vec<Redirect>,
    ) -> Result<(), Unparsed> {
        loop {
            self.blanks();
            if self.redirect(redirects)? {
                continue;
            }
            if simple.words.is_empty()
                && let Some(set) = self.assignment()?
            {
                simple.sets.push(set);
                continue;
            }
            match self.word_or_end()? {
                Some(word) => simple.words.push(word),
                None => return Ok(()),
            }
        }
    }

    fn word_or_end(&mut self) -> Result<Option<crate::ast::Word>, Unparsed> {
        match self.peek() {
            Some('(' | ')') | None => Ok(None),
            Some(c) if is_meta(c) && !matches!(c, '<' | '>') => Ok(None),
            _ => self.word(),
        }
    }

    /// `NAME=value`, `NAME+=value` or `NAME=(…)`.
    fn assignment(&mut self) -> Result<Option<Assignment>, Unparsed> {
        let name = name_of(self.rest());
        let after = self.rest().get(name.len()..).unwrap_or("");
        let sign = match after {
            _ if name.is_empty() => return Ok(None),
            after if after.starts_with("+=") => 2,
            after if after.starts_with('=') => 1,
            _ => return Ok(None),
        };
        self.at += name.len() + sign;
        let name = name.to_owned();
        let mut value = Vec::new();
        if self.take("(") {
            self.of_bash()?;
            loop {
                self.line_ends()?;
                match self.word()? {
                    Some(word) => value.push(word),
                    None if self.take(")") => break,
                    None => return Err(self.refuse("a list of values is not closed")),
                }
            }
        } else if let Some(word) = self.word_or_end()? {
            value.push(word);
        }
        let harmless = |word: &crate::ast::Word| {
            word.is_count || (word.is_literal && !word.text.contains('['))
        };
        self.shared.unsure |= !value.iter().all(harmless);
        Ok(Some(Assignment { name, value }))
    }

    /// Takes a redirection, if one comes.
    pub(super) fn redirect(&mut self, out: &mut Vec<Redirect>) -> Result<bool, Unparsed> {
        let rest = self.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let operator = rest.get(digits..).unwrap_or("");
        if operator.starts_with("<(") || operator.starts_with(">(") {
            return match digits {
                0 => Ok(false),
                _ => Err(self.refuse("a parenthesis within a word")),
            };
        }
        const OPERATORS: [(&str, Way); 12] = [
            ("<<<", Way::Text),
            ("<<-", Way::Text),
            ("<<", Way::Text),
            ("<>", Way::Both),
            ("<&", Way::Read),
            ("<", Way::Read),
            (">>", Way::Write),
            (">|", Way::Write),
            (">&", Way::Write),
            (">", Way::Write),
            ("&>>", Way::Write),
            ("&>", Way::Write),
        ];
        let Some((operator, way)) = OPERATORS
            .into_iter()
            .find(|(name, _)| operator.starts_with(name))
        else {
            return Ok(false);
        };
        if digits > 0 && operator.starts_with('&') {
            return Ok(false);
        }
        if operator.starts_with('&') || operator == "<<<" {
            self.of_bash()?;
        }
        self.at += digits + operator.len();
        if operator.contains('>') && matches!(self.peek(), Some('!' | '&')) {
            return Err(self.refuse("shells differ in where this writes"));
        }
        self.take_blanks();
        let Some(word) = self.word_or_end()? else {
            return Err(self.refuse("a redirection to nothing"));
        };
        if matches!(operator, "<<" | "<<-") {
            self.document(&word, operator == "<<-")?;
            return Ok(true);
        }
        let copies = operator.ends_with('&') && {
            let digits = word.text.strip_suffix('-').unwrap_or(&word.text);
            word.is_bare && digits.bytes().all(|b| b.is_ascii_digit())
        };
        if operator == "<&" && !copies {
            return Err(self.refuse("a copy of something that is no descriptor"));
        }
        let way = if copies { Way::Text } else { way };
        out.push(Redirect { way, word });
        Ok(true)
    }

    fn take_blanks(&mut self) {
        while self.take(" ") || self.take("\t") || self.take("\\\n") {}
    }

    fn document(&mut self, end: &crate::ast::Word, strips_tabs: bool) -> Result<(), Unparsed> {
        if !end.is_literal || end.text.is_empty() || end.text.contains('\n') || end.is_tilde {
            return Err(self.refuse("a here-document without a plain end"));
        }
        self.pending.push(Pending {
            end: end.text.clone(),
            strips_tabs,
            is_quoted: !end.is_bare,
        });
        Ok(())
    }
}
