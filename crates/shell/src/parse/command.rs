//! Lists, pipelines, and commands that hold others (POSIX.1-2024, Shell Command Language, 2.10).

use super::{Parser, Stop, is_meta, is_name};
use crate::ast::{Chain, Command, Joint, Kind, Redirect, Script, Simple};
use crate::unparsed::Unparsed;

/// Words that end something, and begin no command.
const CLOSERS: [&str; 9] = [
    "then", "elif", "else", "fi", "do", "done", "esac", "}", "in",
];
/// Words that begin what is not taken apart.
const REFUSED: [&str; 4] = ["select", "coproc", "repeat", "foreach"];

impl Parser<'_, '_> {
    /// A list of commands up to what ends it, which is not taken.
    pub(super) fn script(&mut self, stop: &Stop) -> Result<Script, Unparsed> {
        let mut chains = Vec::new();
        loop {
            self.line_ends()?;
            if self.is_end(stop)? {
                return Ok(Script(chains));
            }
            let mut chain = self.chain()?;
            self.blanks();
            if self.starts_with(";;") || self.starts_with(";&") || self.starts_with(";|") {
                // Ends a branch of a `case`, or nothing.
            } else if self.take(";") {
            } else if self.starts_with("&") && !self.starts_with("&&") {
                self.at += 1;
                if matches!(self.peek(), Some('!' | '|')) {
                    return Err(self.refuse("shells differ in what this ends"));
                }
                chain.background = true;
            } else if !matches!(self.peek(), None | Some('\n' | ')')) {
                return Err(self.refuse("a command does not end where it should"));
            }
            chains.push(chain);
        }
    }

    fn is_end(&self, stop: &Stop) -> Result<bool, Unparsed> {
        match self.peek() {
            None => return Ok(true),
            Some(')') if stop.paren => return Ok(true),
            Some(';') if stop.case && self.starts_with(";;") => return Ok(true),
            Some(';') if stop.case && self.starts_with(";&") => return Ok(true),
            _ => {}
        }
        let word = self.bare();
        if stop.words.contains(&word) {
            return Ok(true);
        }
        if CLOSERS.contains(&word) {
            return Err(self.refuse("something is closed that was not opened"));
        }
        Ok(false)
    }

    /// What stands here up to the next blank or operator, as it is written.
    fn bare(&self) -> &str {
        let rest = self.rest();
        let end = rest.find(is_meta).unwrap_or(rest.len());
        rest.get(..end).unwrap_or("")
    }

    /// Takes a reserved word.
    fn reserved(&mut self, word: &str) -> bool {
        let comes = self.bare() == word;
        if comes {
            self.at += word.len();
        }
        comes
    }

    fn expect(&mut self, word: &str) -> Result<(), Unparsed> {
        match self.reserved(word) {
            true => Ok(()),
            false => Err(self.refuse("a loop, condition or group is not complete")),
        }
    }

    fn chain(&mut self) -> Result<Chain, Unparsed> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let joint = if self.take("&&") {
                Joint::And
            } else if self.take("||") {
                Joint::Or
            } else {
                break;
            };
            self.line_ends()?;
            rest.push((joint, self.pipeline()?));
        }
        Ok(Chain {
            first,
            rest,
            background: false,
        })
    }

    fn pipeline(&mut self) -> Result<Vec<Command>, Unparsed> {
        self.blanks();
        if self.starts_with("!(") {
            return Err(self.refuse("shells differ in what this means"));
        }
        while self.reserved("!") || self.is_timed() {
            self.blanks();
        }
        let mut commands = vec![self.command()?];
        loop {
            self.blanks();
            if self.starts_with("||") || !self.starts_with("|") {
                return Ok(commands);
            }
            self.at += 1;
            self.take("&");
            self.line_ends()?;
            commands.push(self.command()?);
        }
    }

    /// Takes the reserved word `time`. With options it may be a program.
    fn is_timed(&mut self) -> bool {
        let after = self.rest().strip_prefix("time ").map(str::trim_start);
        after.is_some_and(|rest| !rest.starts_with('-')) && self.reserved("time")
    }

    fn command(&mut self) -> Result<Command, Unparsed> {
        self.deeper(|parser| {
            let (kind, inner) = parser.kind()?;
            let mut command = Command {
                redirects: Vec::new(),
                kind,
                inner,
            };
            if let Kind::Simple(_) = command.kind {
                let Kind::Simple(simple) = &mut command.kind else {
                    return Ok(command);
                };
                parser.simple(simple, &mut command.redirects)?;
                let is_nothing = simple.sets.is_empty() && simple.words.is_empty();
                if is_nothing && command.redirects.is_empty() {
                    return Err(parser.refuse("a command is missing"));
                }
                parser.function(&mut command)?;
            } else {
                parser.redirects(&mut command.redirects)?;
            }
            Ok(command)
        })
    }

    /// What kind of command comes. Of a simple one nothing is taken.
    fn kind(&mut self) -> Result<(Kind, Vec<Script>), Unparsed> {
        self.blanks();
        let mut inner = Vec::new();
        let kind = if self.starts_with("((") {
            return Err(self.refuse("shells differ in whether this is arithmetic"));
        } else if self.take("(") {
            let script = self.script(&Stop {
                paren: true,
                ..Stop::default()
            })?;
            match self.take(")") {
                true => Kind::Subshell(script),
                false => return Err(self.refuse("a group is not closed")),
            }
        } else if self.reserved("{") {
            let script = self.until(&["}"])?;
            self.expect("}")?;
            Kind::Group(script)
        } else if self.reserved("if") {
            self.condition()?
        } else if self.reserved("while") || self.reserved("until") {
            let asks = self.until(&["do"])?;
            self.expect("do")?;
            let body = self.until(&["done"])?;
            self.expect("done")?;
            Kind::Parts {
                parts: vec![asks, body],
                repeats: true,
            }
        } else if self.reserved("for") {
            self.each()?
        } else if self.reserved("case") {
            self.branches(&mut inner)?
        } else if self.reserved("[[") {
            self.of_bash()?;
            self.test(&mut inner)?;
            Kind::Test
        } else if self.reserved("function") {
            self.of_bash()?;
            self.named_function()?
        } else if REFUSED.contains(&self.bare()) {
            return Err(self.refuse("a command of shells that is not taken apart"));
        } else {
            Kind::Simple(Simple::default())
        };
        Ok((kind, inner))
    }

    fn until(&mut self, words: &'static [&'static str]) -> Result<Script, Unparsed> {
        self.script(&Stop {
            words,
            ..Stop::default()
        })
    }

    fn condition(&mut self) -> Result<Kind, Unparsed> {
        let mut parts = vec![self.until(&["then"])?];
        loop {
            self.expect("then")?;
            parts.push(self.until(&["elif", "else", "fi"])?);
            if self.reserved("elif") {
                parts.push(self.until(&["then"])?);
                continue;
            }
            if self.reserved("else") {
                parts.push(self.until(&["fi"])?);
            }
            self.expect("fi")?;
            return Ok(Kind::Parts {
                parts,
                repeats: false,
            });
        }
    }

    fn each(&mut self) -> Result<Kind, Unparsed> {
        self.blanks();
        let Some(name) = self.word()?.filter(|word| word.is_bare) else {
            return Err(self.refuse("a loop without a variable"));
        };
        let is_name = name.text.char_indices().all(|(n, c)| is_name(c, n == 0));
        if !is_name {
            return Err(self.refuse("a loop without a variable"));
        }
        self.line_ends()?;
        let mut words = Vec::new();
        if self.reserved("in") {
            self.blanks();
            while let Some(word) = self.word()? {
                let harmless = word.is_count || (word.is_literal && !word.text.contains('['));
                self.shared.unsure |= !harmless;
                words.push(word);
                self.blanks();
            }
        }
        if !self.take(";") && self.peek() != Some('\n') && self.bare() != "do" {
            return Err(self.refuse("a loop that is not complete"));
        }
        self.line_ends()?;
        self.expect("do")?;
        let body = self.until(&["done"])?;
        self.expect("done")?;
        Ok(Kind::For(name.text, words, body))
    }

    fn branches(&mut self, inner: &mut Vec<Script>) -> Result<Kind, Unparsed> {
        self.blanks();
        match self.word()? {
            Some(mut word) => inner.append(&mut word.inner),
            None => return Err(self.refuse("a `case` of nothing")),
        }
        self.line_ends()?;
        self.expect("in")?;
        let mut parts = Vec::new();
        loop {
            self.line_ends()?;
            if self.reserved("esac") {
                return Ok(Kind::Parts {
                    parts,
                    repeats: false,
                });
            }
            self.take("(");
            loop {
                self.blanks();
                match self.word()? {
                    Some(mut word) => inner.append(&mut word.inner),
                    None => return Err(self.refuse("a `case` without a pattern")),
                }
                self.blanks();
                if !self.take("|") {
                    break;
                }
            }
            if !self.take(")") {
                return Err(self.refuse("a pattern of a `case` is not closed"));
            }
            parts.push(self.script(&Stop {
                words: &["esac"],
                case: true,
                ..Stop::default()
            })?);
            let _ = self.take(";;&") || self.take(";;") || self.take(";&");
        }
    }

    /// `[[ … ]]`, of which `[[` is taken. It runs nothing but what stands in its words; some of its
    /// operators evaluate arithmetic.
    fn test(&mut self, inner: &mut Vec<Script>) -> Result<(), Unparsed> {
        loop {
            self.blanks();
            if self.reserved("]]") {
                return Ok(());
            }
            if self.take("&&") || self.take("||") || self.take("(") || self.take(")") {
                continue;
            }
            let is_process = self.starts_with("<(") || self.starts_with(">(");
            if self.take("|") || (!is_process && (self.take("<") || self.take(">"))) {
                continue;
            }
            let Some(mut word) = self.word()? else {
                return Err(self.refuse("a test is not closed"));
            };
            match word.text.as_str() {
                "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => self.shared.evaluates = true,
                "_" => self.shared.unsure = true,
                text if text.contains('[') && text.contains(['$', '`']) => {
                    self.shared.unsure = true;
                }
                "-v" | "-R" => return Err(self.refuse("a test of a variable by its name")),
                _ => {}
            }
            inner.append(&mut word.inner);
        }
    }

    fn named_function(&mut self) -> Result<Kind, Unparsed> {
        self.blanks();
        let Some(name) = self.word()?.filter(|word| word.is_bare && word.is_literal) else {
            return Err(self.refuse("a function without a name"));
        };
        self.blanks();
        if self.take("(") {
            self.blanks();
            if !self.take(")") {
                return Err(self.refuse("a function that is not complete"));
            }
        }
        self.body(name.text)
    }

    fn body(&mut self, name: String) -> Result<Kind, Unparsed> {
        self.line_ends()?;
        let body = self.command()?;
        match body.kind {
            Kind::Simple(_) => Err(self.refuse("a function that is not complete")),
            _ => Ok(Kind::Function(name, Box::new(body))),
        }
    }

    /// Makes a function of `name ()`.
    fn function(&mut self, command: &mut Command) -> Result<(), Unparsed> {
        if self.peek() != Some('(') {
            return Ok(());
        }
        let name = match &command.kind {
            Kind::Simple(simple) if simple.sets.is_empty() && command.redirects.is_empty() => {
                match simple.words.as_slice() {
                    [name] if name.is_bare && name.is_literal => Some(name.text.clone()),
                    _ => None,
                }
            }
            _ => None,
        };
        self.at += 1;
        self.blanks();
        match name {
            Some(name) if self.take(")") => command.kind = self.body(name)?,
            _ => return Err(self.refuse("a parenthesis where none can stand")),
        }
        Ok(())
    }

    fn redirects(&mut self, out: &mut Vec<Redirect>) -> Result<(), Unparsed> {
        loop {
            self.blanks();
            if !self.redirect(out)? {
                return Ok(());
            }
        }
    }
}
