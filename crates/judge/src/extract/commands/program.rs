//! What one program does, by its rule.

use countersign_core::document::{
    CommandActions, CommandOperands, CommandRule, CommandScript, TargetType,
};
use countersign_core::names::ActionName;
use countersign_shell::{Place, Run, Word};

use super::options::{self, Given};
use super::{Doing, Object, script};
use crate::limits::COMMAND_WORDS;
use crate::value::parse;

/// It is run in a way that its rule does not know.
pub(super) struct Otherwise;

impl Doing<'_> {
    /// Runs a program: what its rule says, or that it runs.
    pub(super) fn run(&mut self, run: &Run) {
        let table = self.table;
        let does = &table.declaration().does;
        let mut name = run.program.text.as_str();
        if name.contains('/') {
            self.path(&does.scripts, &run.program, &run.place);
            // `.venv/bin/pip` does what `pip` does.
            name = name.rsplit('/').next().unwrap_or_default();
            if !table.names(name) {
                return;
            }
        }
        let (place, args) = self.before(name, &run.args, &run.place);
        let found = (0..COMMAND_WORDS).rev().find_map(|count| {
            let words = args.get(..count)?.iter().map(Word::known);
            let words: Option<Vec<&str>> = std::iter::once(Some(name)).chain(words).collect();
            let key = words?.join(" ");
            Some((table.rule(&key)?, key, args.get(count..)?))
        });
        let by_rule = match &found {
            Some((rule, key, rest)) => apply(rule, does, key, rest),
            None => Err(Otherwise),
        };
        match by_rule {
            Ok(doing) => {
                for (action, to) in doing {
                    match to {
                        To::Word(word) => self.path(&action, &word, &place),
                        To::Here => self.here(&action, &place),
                        To::Object(object) => self.add(&action, object),
                    }
                }
            }
            Err(Otherwise) => {
                let key = match found {
                    Some((_, key, _)) => key,
                    None => self.named(name, args),
                };
                self.add(&does.runs, Object::Program(key));
            }
        }
    }

    /// A program that no rule names, with its subcommand where rules tell others apart.
    fn named(&self, name: &str, args: &[Word]) -> String {
        let first = args.first().and_then(Word::known);
        match first.filter(|word| !word.starts_with('-')) {
            Some(word) if self.table.has_subcommands(name) => format!("{name} {word}"),
            _ => name.to_owned(),
        }
    }

    /// What stands between a program and its subcommand: where it works, and the words after.
    fn before<'w>(&self, name: &str, args: &'w [Word], place: &Place) -> (Place, &'w [Word]) {
        let mut place = place.clone();
        let Some(known) = self.table.declaration().before.get(name) else {
            return (place, args);
        };
        let mut rest = args;
        while let Some((first, after)) = rest.split_first() {
            let Some(option) = first.known() else { break };
            if known.flags.iter().any(|flag| flag == option) {
                rest = after;
                continue;
            }
            let mut joined = known.places.iter().filter(|name| name.starts_with("--"));
            let value =
                joined.find_map(|name| option.strip_prefix(name.as_str())?.strip_prefix('='));
            if let Some(value) = value {
                place = place.at(&Word::literal(value));
                rest = after;
            } else if known.places.iter().any(|name| name == option) {
                let Some((value, after)) = after.split_first() else {
                    break;
                };
                place = match value.splits {
                    true => Place::unknown(),
                    false => place.at(value),
                };
                rest = after;
            } else {
                break;
            }
        }
        (place, rest)
    }
}

/// What something is done to, before it is known where.
pub(super) enum To {
    Word(Word),
    Here,
    Object(Object),
}

type Doings = Vec<(ActionName, To)>;

/// What a rule makes of the words after the program and its subcommand.
fn apply(
    rule: &CommandRule,
    does: &CommandActions,
    key: &str,
    args: &[Word],
) -> Result<Doings, Otherwise> {
    let Given {
        action,
        mut done,
        operands,
        away,
        skips,
    } = options::read(rule, does, args)?;
    let skip = if skips { usize::from(rule.skip) } else { 0 };
    let (skipped, operands) = operands
        .split_at_checked(skip)
        .unwrap_or((operands.as_slice(), &[]));
    if let Some(language) = rule.script {
        check_script(language, skipped)?;
    }
    let most = rule.most.map_or(usize::MAX, usize::from);
    let goes_away = |word: &&Word| {
        let is_place = matches!(rule.on, CommandOperands::Here | CommandOperands::Paths);
        let leads = |text: &str| options::is_remote(text) || options::is_option_away(text);
        is_place && word.known().is_some_and(leads)
    };
    let is_odd = |word: &&Word| {
        let odd = rule.odd.iter().any(|odd| word.text.contains(odd.as_str()));
        odd || (!rule.odd.is_empty() && !word.is_literal)
    };
    let mut all = skipped.iter().chain(operands);
    if operands.len() > most || operands.iter().any(goes_away) || all.any(is_odd) {
        return Err(Otherwise);
    }
    let take = rule.take.map_or(usize::MAX, usize::from);
    // `-` is what comes to the program, which is read where it comes from.
    let is_file = |word: &&&Word| rule.on != CommandOperands::Paths || word.text != "-";
    let operands: Vec<&Word> = operands
        .iter()
        .take(take)
        .filter(is_file)
        .copied()
        .collect();
    if matches!(rule.on, CommandOperands::Here | CommandOperands::Paths) {
        done.extend(
            away.into_iter()
                .map(|word| (action.clone(), To::Word(word))),
        );
    }
    done.extend(on(rule, key, &action, &operands)?);
    Ok(done)
}

/// What an action of a rule is taken on.
fn on(
    rule: &CommandRule,
    key: &str,
    action: &ActionName,
    operands: &[&Word],
) -> Result<Doings, Otherwise> {
    let to = |to: To| (action.clone(), to);
    let object = |object: Object| to(To::Object(object));
    Ok(match rule.on {
        CommandOperands::Nothing => vec![object(Object::Nothing)],
        CommandOperands::Program => vec![object(Object::Program(key.to_owned()))],
        CommandOperands::Here => {
            // It works here, whatever its operands are; but not on what lies elsewhere.
            let is_away =
                |word: &&&Word| word.is_tilde || word.known().is_some_and(options::leads_away);
            let away = operands.iter().filter(is_away);
            let away = away.map(|word| to(To::Word((*word).clone())));
            away.chain([to(To::Here)]).collect()
        }
        CommandOperands::Paths | CommandOperands::Urls | CommandOperands::Names
            if operands.is_empty() =>
        {
            // A URL or a name that does not stand there may stand anywhere.
            match (&rule.bare, rule.on) {
                (Some(bare), _) => vec![(bare.clone(), To::Here)],
                (None, CommandOperands::Paths) => Vec::new(),
                (None, _) => return Err(Otherwise),
            }
        }
        CommandOperands::Paths => {
            let count = operands.len();
            let within = within_last(rule, operands);
            let each = operands.iter().enumerate().map(|(n, word)| {
                let last = rule.last.as_ref().filter(|_| n + 1 == count);
                let action = last.unwrap_or(action).clone();
                (action, To::Word((*word).clone()))
            });
            each.chain(within).collect()
        }
        CommandOperands::Urls => {
            let url = |word: &&Word| {
                let url = word
                    .known()
                    .filter(|url| parse(TargetType::Url, url).is_some());
                Ok(object(Object::Url(url.ok_or(Otherwise)?.to_owned())))
            };
            operands.iter().map(url).collect::<Result<_, _>>()?
        }
        CommandOperands::Names => {
            let name = |word: &&Word| {
                let name = word.known().ok_or(Otherwise)?.to_owned();
                Ok(object(Object::Program(name)))
            };
            operands.iter().map(name).collect::<Result<_, _>>()?
        }
    })
}

/// What is made in the last operand if it is a directory: entries of the names of the others, or of
/// names that do not stand there.
fn within_last(rule: &CommandRule, operands: &[&Word]) -> Doings {
    let (Some(action), Some((last, others))) = (&rule.last, operands.split_last()) else {
        return Vec::new();
    };
    let name = last.text.trim_end_matches('/').rsplit('/').next();
    let name = name.unwrap_or_default();
    // `a.txt` is a file, as far as names tell; `.`, `..` and `.git` are directories.
    let is_file = !last.text.ends_with('/') && !name.starts_with('.') && name.contains('.');
    let is_here = matches!(name, "" | "." | "..");
    let made = others.iter().filter_map(|other| {
        match last.with_name_of(other).filter(|_| !is_file) {
            Some(word) => Some(word),
            // All that is in a directory, of whatever names.
            None if is_here => Some(Word::unknown(&other.text)),
            None => None,
        }
    });
    made.map(|word| (action.clone(), To::Word(word))).collect()
}

fn check_script(language: CommandScript, skipped: &[&Word]) -> Result<(), Otherwise> {
    for word in skipped {
        // Of an empty one, some take the next word for the script.
        let text = word.known().filter(|text| !text.is_empty());
        let text = text.ok_or(Otherwise)?;
        let is_plain = match language {
            CommandScript::Sed => script::is_plain_sed(text),
            CommandScript::Awk => script::is_plain_awk(text),
        };
        if !is_plain {
            return Err(Otherwise);
        }
    }
    Ok(())
}
