//! From text to commands, by recursive descent. Every function that can come back to itself counts
//! its depth.

mod command;
mod expansion;
mod here;
mod simple;
mod word;

use crate::ast::Script;
use crate::limits::{COMMAND_BYTES, DEPTH, PARSED_BYTES};
use crate::unparsed::Unparsed;
use here::Pending;

/// What all texts of one command line share: the line, and the commands that stand in its words.
#[derive(Default)]
pub(crate) struct Shared {
    parsed: usize,
    /// Substitutions that stand in here-documents.
    pub(crate) loose: Vec<Script>,
    /// Whether a value of a variable is evaluated as arithmetic, by which it could run commands.
    pub(crate) evaluates: bool,
    /// Whether a variable is given a value that could.
    pub(crate) unsure: bool,
}

impl Shared {
    /// Parses one text. `posix` says that it may be read by a shell that knows nothing of bash.
    pub(crate) fn parse(
        &mut self,
        text: &str,
        depth: usize,
        posix: bool,
    ) -> Result<Script, Unparsed> {
        self.parsed += text.len();
        if text.len() > COMMAND_BYTES || self.parsed > PARSED_BYTES {
            return Err(Unparsed::new(0, "the command line is too long"));
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| is_hidden(*c)) {
            return Err(Unparsed::new(at, "a character that cannot be seen"));
        }
        let mut parser = Parser {
            text,
            at: 0,
            depth,
            posix,
            shared: self,
            pending: Vec::new(),
        };
        let script = parser.script(&Stop::default())?;
        match parser.peek() {
            None if parser.pending.is_empty() => Ok(script),
            None => Err(parser.refuse("a here-document does not end")),
            Some(_) => Err(parser.refuse("something is closed that was not opened")),
        }
    }
}

/// Control characters, and those that show nothing or turn what is shown around.
fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
            | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// What ends a list beside the end of the text.
#[derive(Default)]
struct Stop {
    /// Reserved words.
    words: &'static [&'static str],
    /// `)`
    paren: bool,
    /// `;;` and its like.
    case: bool,
}

struct Parser<'t, 's> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// Whether what bash adds may mean something else.
    posix: bool,
    shared: &'s mut Shared,
    /// Here-documents whose text comes after the line.
    pending: Vec<Pending>,
}

impl<'t> Parser<'t, '_> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts_with(&self, what: &str) -> bool {
        self.rest().starts_with(what)
    }

    /// The next character, taken.
    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes this if it comes next.
    fn take(&mut self, what: &str) -> bool {
        let comes = self.starts_with(what);
        if comes {
            self.at += what.len();
        }
        comes
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or("")
    }

    fn refuse(&self, why: &'static str) -> Unparsed {
        Unparsed::new(self.at, why)
    }

    /// Refuses what a shell without bash's additions would read otherwise.
    fn of_bash(&self) -> Result<(), Unparsed> {
        match self.posix {
            true => Err(self.refuse("`sh` may read this in another way")),
            false => Ok(()),
        }
    }

    /// Runs something one level deeper.
    fn deeper<T>(
        &mut self,
        what: impl FnOnce(&mut Self) -> Result<T, Unparsed>,
    ) -> Result<T, Unparsed> {
        if self.depth >= DEPTH {
            return Err(self.refuse("the command line is nested too deeply"));
        }
        self.depth += 1;
        let done = what(self);
        self.depth -= 1;
        done
    }

    /// Takes blanks, continued lines and a comment.
    fn blanks(&mut self) {
        let start = self.at;
        while self.take(" ") || self.take("\t") || self.take("\\\n") {}
        let before = self.text.get(..start).and_then(|text| text.chars().last());
        let may_begin = self.at > start || before.is_none_or(is_meta);
        if may_begin && self.peek() == Some('#') {
            let end = self.rest().find('\n').unwrap_or(self.rest().len());
            self.at += end;
        }
    }

    /// Takes blanks and line ends, with the here-documents that follow them.
    fn line_ends(&mut self) -> Result<(), Unparsed> {
        loop {
            self.blanks();
            if !self.take("\n") {
                return Ok(());
            }
            self.here_documents()?;
        }
    }
}

/// Whether a character ends a word.
fn is_meta(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\n' | '|' | '&' | ';' | '<' | '>' | '(' | ')'
    )
}

/// Whether a name of a variable can begin so, or go on so.
fn is_name(c: char, first: bool) -> bool {
    c == '_' || c.is_ascii_alphabetic() || (!first && c.is_ascii_digit())
}

/// The name that the text begins with; empty if it begins with none.
fn name_of(text: &str) -> &str {
    let end = text
        .char_indices()
        .find(|(at, c)| !is_name(*c, *at == 0))
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or("")
}
