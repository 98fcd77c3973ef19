//! The options of a program, by its rule.

use countersign_core::document::{CommandActions, CommandOperands, CommandRule};
use countersign_core::names::ActionName;
use countersign_shell::Word;

use super::program::{Otherwise, To};

/// What a program is given.
pub(super) struct Given<'w> {
    /// What it does, by its options.
    pub(super) action: ActionName,
    /// What it does by an option's value.
    pub(super) done: Vec<(ActionName, To)>,
    pub(super) operands: Vec<&'w Word>,
    /// Values of options that nothing is known of, where they look like paths that lead away.
    pub(super) away: Vec<Word>,
    /// Whether the operands that come first stand there, and no option in their place.
    pub(super) skips: bool,
}

/// Reads the words after a program and its subcommand.
pub(super) fn read<'w>(
    rule: &CommandRule,
    does: &CommandActions,
    args: &'w [Word],
) -> Result<Given<'w>, Otherwise> {
    let mut reading = Reading {
        rule,
        does,
        given: Given {
            action: rule.does.clone(),
            done: Vec::new(),
            operands: Vec::new(),
            away: Vec::new(),
            skips: true,
        },
    };
    let mut rest = args;
    let mut only_operands = false;
    while let Some((word, after)) = rest.split_first() {
        let given = &reading.given;
        let skipped = if given.skips { rule.skip } else { 0 };
        let counted = |take: u8| usize::from(skipped) + usize::from(take);
        if rule
            .take
            .is_some_and(|take| given.operands.len() >= counted(take))
        {
            break;
        }
        rest = after;
        match word.known() {
            Some("--") if !only_operands => only_operands = true,
            Some(option) if !only_operands && option.len() > 1 && option.starts_with('-') => {
                rest = reading.option(option, rest)?;
            }
            None if !only_operands && may_be_option(word) && is_particular(rule) => {
                return Err(Otherwise);
            }
            _ => reading.given.operands.push(word),
        }
    }
    Ok(reading.given)
}

/// Whether a text names something on another machine, or is code itself (`data:text/javascript,…`).
pub(super) fn is_remote(text: &str) -> bool {
    let here = ["://localhost", "://127.0.0.1", "://[::1]"];
    let names_host = |(at, _): (usize, &str)| {
        let rest = text.get(at..).unwrap_or("");
        let begin = here.iter().find_map(|begin| rest.strip_prefix(begin));
        !begin.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    };
    let lower = text.to_ascii_lowercase();
    lower.starts_with("data:")
        || lower.contains("=data:")
        || text.match_indices("://").any(names_host)
}

/// Whether an operand is an option of something else, with a path that leads away.
pub(super) fn is_option_away(text: &str) -> bool {
    let behind = text.strip_prefix('-').unwrap_or("");
    let behind = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    behind.contains("..")
        || behind.starts_with(['/', '~'])
        || behind.contains("=/")
        || behind.contains("=~")
}

/// Whether a text reads as a path that leads out of where it begins.
pub(super) fn leads_away(text: &str) -> bool {
    text.starts_with('/') || text.split('/').any(|name| name == "..")
}

/// Whether an option that nobody sees could change what the program does.
fn is_particular(rule: &CommandRule) -> bool {
    let lists = [&rule.reads, &rule.writes, &rule.other];
    rule.flags.is_some() || !rule.changes.is_empty() || lists.iter().any(|list| !list.is_empty())
}

/// Whether a word that is not known beforehand may come to be an option, or several words.
fn may_be_option(word: &Word) -> bool {
    let first = word.text.trim_start_matches(['"', '\'']).chars().next();
    let begins_plainly = first.is_some_and(|c| c.is_alphanumeric() || "_./@%+:,~".contains(c));
    let is_pattern = word.splits && !word.text.contains(['$', '`', '{']);
    !begins_plainly || (word.splits && !is_pattern)
}

struct Reading<'r, 'w> {
    rule: &'r CommandRule,
    does: &'r CommandActions,
    given: Given<'w>,
}

/// What an option is by the rule.
enum Meaning {
    Flag,
    Value,
    Reads,
    Writes,
}

impl<'w> Reading<'_, 'w> {
    /// Takes an option; what of the words is left.
    fn option(&mut self, option: &str, rest: &'w [Word]) -> Result<&'w [Word], Otherwise> {
        // As it stands, it may be one of those that begin with a single `-` (`find -name`).
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        if let Some(meaning) = self.meaning(name)? {
            return self.take(&meaning, name, value, rest);
        }
        if option.starts_with("--") {
            // A long option may be given by its beginning.
            let begins = |list: &[String]| list.iter().any(|known| known.starts_with(name));
            let lists = [&self.rule.reads, &self.rule.writes, &self.rule.other];
            let changes = self
                .rule
                .changes
                .keys()
                .any(|known| known.starts_with(name));
            if changes || lists.iter().any(|list| begins(list)) || self.rule.flags.is_some() {
                return Err(Otherwise);
            }
            // What a list of files names is read, or shown where it cannot be.
            if name.len() > 2 && "--files0-from".starts_with(name) {
                return Err(Otherwise);
            }
            self.unknown(value)?;
            return Ok(rest);
        }
        self.letters(option, rest)
    }

    /// Takes letters that stand together behind one `-`.
    fn letters(&mut self, option: &str, rest: &'w [Word]) -> Result<&'w [Word], Otherwise> {
        let letters = option.get(1..).unwrap_or("");
        if !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(rest);
        }
        for (number, (at, letter)) in letters.char_indices().enumerate() {
            // Beyond them, nobody has looked for links.
            if number == countersign_shell::limits::LETTERS {
                return Err(Otherwise);
            }
            let behind = letters.get(at + letter.len_utf8()..).unwrap_or("");
            let name = format!("-{letter}");
            match self.meaning(&name)? {
                Some(Meaning::Flag) => {}
                Some(meaning) => {
                    let value = (!behind.is_empty()).then_some(behind);
                    return self.take(&meaning, &name, value, rest);
                }
                None if self.rule.flags.is_some() => return Err(Otherwise),
                None => self.unknown(Some(behind))?,
            }
            if !letter.is_ascii_alphanumeric() {
                break;
            }
        }
        Ok(rest)
    }

    /// The value of an option that the rule does not name.
    fn unknown(&mut self, value: Option<&str>) -> Result<(), Otherwise> {
        match value {
            Some(value) if is_remote(value) => return Err(Otherwise),
            Some(value) if value.starts_with('~') => self.given.away.push(Word::unknown(value)),
            Some(value) if leads_away(value) => self.given.away.push(Word::literal(value)),
            // It may lead away through a link.
            Some(value) if value.contains('/') && !value.contains("://") => {
                self.given.away.push(Word::literal(value));
            }
            _ => {}
        }
        Ok(())
    }

    /// What the rule says of an option, if it names it.
    fn meaning(&mut self, name: &str) -> Result<Option<Meaning>, Otherwise> {
        let rule = self.rule;
        let names = |list: &[String]| list.iter().any(|known| known == name);
        if names(&rule.other) {
            return Err(Otherwise);
        }
        self.given.skips &= !names(&rule.instead);
        if let Some(action) = rule.changes.get(name) {
            self.given.action = action.clone();
            return Ok(Some(match names(&rule.values) {
                true => Meaning::Value,
                false => Meaning::Flag,
            }));
        }
        Ok(if names(&rule.writes) {
            Some(Meaning::Writes)
        } else if names(&rule.reads) {
            Some(Meaning::Reads)
        } else if names(&rule.values) {
            Some(Meaning::Value)
        } else if rule.flags.as_deref().is_some_and(names) {
            Some(Meaning::Flag)
        } else {
            None
        })
    }

    fn is_odd(&self, value: &Word) -> bool {
        let mut odd = self.rule.odd.iter();
        odd.any(|odd| value.text.contains(odd.as_str()))
    }

    fn take(
        &mut self,
        meaning: &Meaning,
        name: &str,
        value: Option<&str>,
        rest: &'w [Word],
    ) -> Result<&'w [Word], Otherwise> {
        if let Meaning::Flag = meaning {
            // Where it goes is not known: `sed -i` with a suffix may write anywhere.
            return match value.is_some_and(|value| value.contains(['/', '*', '~'])) {
                true => Err(Otherwise),
                false => Ok(rest),
            };
        }
        let (word, rest) = match value {
            // Shells differ in whether `--file=~/x` names a home.
            Some(value) if value.starts_with('~') => (Word::unknown(value), rest),
            Some(value) => (Word::literal(value), rest),
            None => match rest.split_first() {
                Some((word, rest)) if !word.splits => (word.clone(), rest),
                // It may be several words, of which the others are options.
                Some(_) if is_particular(self.rule) => return Err(Otherwise),
                Some((word, rest)) => (word.clone(), rest),
                None => return Ok(rest),
            },
        };
        // `-d @file` sends a file, `-w @file` prints it.
        let takes_files =
            self.rule.on == CommandOperands::Urls || self.rule.changes.contains_key(name);
        if (takes_files && word.text.starts_with('@')) || self.is_odd(&word) {
            return Err(Otherwise);
        }
        match meaning {
            Meaning::Reads => self
                .given
                .done
                .push((self.does.reads.clone(), To::Word(word))),
            Meaning::Writes => self
                .given
                .done
                .push((self.does.writes.clone(), To::Word(word))),
            Meaning::Flag | Meaning::Value => {}
        }
        Ok(rest)
    }
}
