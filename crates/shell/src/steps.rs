//! From commands to what they do, and where.

use crate::ast::{Assignment, Chain, Command, Joint, Kind, Redirect, Script, Simple, Way};
use crate::limits::{PATH_WORDS, PLACES, STEPS};
use crate::parse::Shared;
use crate::unparsed::Unparsed;
use crate::wrap::{self, Within};

/// One thing that a command line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Runs a program.
    Run(Run),
    /// Reads a file by redirection.
    Reads(Word, Place),
    /// Writes a file by redirection.
    Writes(Word, Place),
    /// Sets a variable that programs or the shell may look at.
    Sets(String),
    /// Runs text as code that does not stand in the line, by this interpreter; or gives this name a
    /// meaning of its own.
    Code(String),
    /// Opens a connection by redirection.
    Connects(String),
}

/// A program and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name or path. It is always literal.
    pub program: Word,
    /// Its arguments.
    pub args: Vec<Word>,
    /// Where it runs.
    pub place: Place,
}

/// A word as a program will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word, or what stands there where it is not known beforehand.
    pub text: String,
    /// Whether it is known.
    pub is_literal: bool,
    /// Whether it begins with `~` for the user's home.
    pub is_tilde: bool,
    /// Whether it may become several words, or none.
    pub splits: bool,
}

impl Word {
    /// A word that is known.
    pub fn literal(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_literal: true,
            is_tilde: false,
            splits: false,
        }
    }

    /// A word of which nothing is known.
    pub fn unknown(text: impl Into<String>) -> Self {
        Self {
            is_literal: false,
            splits: true,
            ..Self::literal(text)
        }
    }

    /// The word, if it is known.
    pub fn known(&self) -> Option<&str> {
        self.is_literal.then_some(self.text.as_str())
    }

    /// What something of the name of another would be in the directory that this word names; `None`
    /// where one of them is not known, or the other names no entry of a directory.
    pub fn with_name_of(&self, other: &Self) -> Option<Self> {
        let name = other.known()?.rsplit('/').next()?;
        let text = self.known().filter(|text| !text.is_empty())?;
        if matches!(name, "" | "." | "..") || name.starts_with('~') {
            return None;
        }
        let text = format!("{}/{name}", text.trim_end_matches('/'));
        Some(Self {
            text,
            ..self.clone()
        })
    }

    fn of(word: &crate::ast::Word) -> Self {
        Self {
            text: word.text.clone(),
            is_literal: word.is_literal,
            is_tilde: word.is_tilde,
            splits: word.splits,
        }
    }
}

/// The directories in which a command may run: more than one where a `cd` before it may have failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Option<Vec<String>>);

impl Place {
    /// Where the command line begins.
    pub fn start() -> Self {
        Self(Some(vec![String::new()]))
    }

    /// Anywhere.
    pub fn unknown() -> Self {
        Self(None)
    }

    /// The paths that a word may name: absolute, beginning with `~`, or relative to where the line
    /// begins. `None` if that cannot be told.
    pub fn paths(&self, word: &Word) -> Option<Vec<String>> {
        let text = word.known()?;
        if text.starts_with('/') || word.is_tilde {
            return Some(vec![text.to_owned()]);
        }
        let bases = self.0.as_ref()?;
        Some(bases.iter().map(|base| joined(base, text)).collect())
    }

    /// The directories themselves.
    pub fn directories(&self) -> Option<Vec<String>> {
        self.paths(&Word::literal("."))
    }

    /// After going to a directory.
    pub fn at(&self, word: &Word) -> Self {
        Self(self.paths(word))
    }

    /// After `cd`: a shell takes `..` off the text of where it is, whatever link it came through; the
    /// system goes up from what the link leads to, as the shell does where the other way fails.
    fn after_cd(&self, word: &Word) -> Self {
        let Some(paths) = self.paths(word) else {
            return Self(None);
        };
        let of_text = Self(Some(paths.iter().map(|path| without_ups(path)).collect()));
        of_text.or(Self(Some(paths)))
    }

    /// Either of two.
    fn or(self, other: Self) -> Self {
        let (Some(one), Some(other)) = (self.0, other.0) else {
            return Self(None);
        };
        let both = one.into_iter().chain(other);
        let mut one: Vec<String> = Vec::new();
        for place in both {
            if !one.contains(&place) {
                one.push(place);
            }
        }
        Self((one.len() <= PLACES).then_some(one))
    }
}

/// A relative path below a base; a `~` that stands for no home is a name like others.
fn joined(base: &str, text: &str) -> String {
    let tilde = if text.starts_with('~') { "./" } else { "" };
    match base {
        "" => format!("{tilde}{text}"),
        base => format!("{}/{text}", base.trim_end_matches('/')),
    }
}

/// A path with each `..` taken off the text before it, as far as there is any.
fn without_ups(path: &str) -> String {
    if !path.split('/').any(|name| name == "..") {
        return path.to_owned();
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        match names.last() {
            Some(last) if name == ".." && !matches!(*last, ".." | "~") => {
                names.pop();
            }
            None if name == ".." && !root.is_empty() => {}
            _ => names.push(name),
        }
    }
    format!("{root}{}", names.join("/"))
}

/// What a command line does, each thing at least once, in the order of the line.
pub fn steps(command: &str) -> Result<Vec<Step>, Unparsed> {
    let mut walk = Walk::default();
    let script = walk.shared.parse(command, 0, false)?;
    walk.script(&script, Place::start())?;
    walk.loose()?;
    if walk.shared.evaluates && walk.shared.unsure {
        walk.push(Step::Code("arithmetic".to_owned()))?;
    }
    // Whoever resolves links must see all of them.
    match crate::paths::of(&walk.steps).len() > PATH_WORDS {
        true => Err(Unparsed::new(0, "the command line names too many paths")),
        false => Ok(walk.steps),
    }
}

/// Whether a variable of this name means nothing to a shell or to programs.
pub(crate) fn is_plain(name: &str) -> bool {
    const KNOWN: [&str; 14] = [
        "path",
        "fpath",
        "cdpath",
        "mailpath",
        "manpath",
        "module_path",
        "prompt",
        "histchars",
        "status",
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "all_proxy",
        "no_proxy",
    ];
    // Package managers read their settings from such names, and what zsh is made of bears them: a
    // value of `functions` or `commands` gives a command another meaning.
    const BEGIN: [&str; 6] = ["npm_", "pnpm_", "yarn_", "dis_", "zle_", "zsh_"];
    const OF_ZSH: [&str; 14] = [
        "aliases",
        "argv",
        "builtins",
        "commands",
        "dirstack",
        "functions",
        "galiases",
        "modules",
        "nameddirs",
        "options",
        "parameters",
        "saliases",
        "userdirs",
        "widgets",
    ];
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let means = KNOWN.contains(&name)
        || OF_ZSH.contains(&name)
        || BEGIN.iter().any(|begin| name.starts_with(begin))
        || name.ends_with("_functions");
    !name.is_empty() && name.chars().all(lower) && !means
}

/// What may have become of the directory.
struct Went {
    succeeded: Place,
    failed: Place,
}

#[derive(Default)]
struct Walk {
    shared: Shared,
    steps: Vec<Step>,
    depth: usize,
}

impl Walk {
    fn push(&mut self, step: Step) -> Result<(), Unparsed> {
        if self.steps.len() == STEPS {
            return Err(Unparsed::new(0, "the command line does too much"));
        }
        self.steps.push(step);
        Ok(())
    }

    /// What stands in here-documents runs wherever their commands do.
    fn loose(&mut self) -> Result<(), Unparsed> {
        for script in std::mem::take(&mut self.shared.loose) {
            self.script(&script, Place::unknown())?;
        }
        Ok(())
    }

    fn script(&mut self, script: &Script, mut place: Place) -> Result<Place, Unparsed> {
        for chain in &script.0 {
            place = self.chain(chain, place)?;
        }
        Ok(place)
    }

    fn scripts(&mut self, scripts: &[Script], place: &Place) -> Result<(), Unparsed> {
        for script in scripts {
            self.script(script, place.clone())?;
        }
        Ok(())
    }

    fn chain(&mut self, chain: &Chain, place: Place) -> Result<Place, Unparsed> {
        let before = place.clone();
        let mut went = self.pipeline(&chain.first, place)?;
        for (joint, pipeline) in &chain.rest {
            went = match joint {
                Joint::And => {
                    let next = self.pipeline(pipeline, went.succeeded)?;
                    Went {
                        succeeded: next.succeeded,
                        failed: went.failed.or(next.failed),
                    }
                }
                Joint::Or => {
                    let next = self.pipeline(pipeline, went.failed)?;
                    Went {
                        succeeded: went.succeeded.or(next.succeeded),
                        failed: next.failed,
                    }
                }
            };
        }
        Ok(match chain.background {
            true => before,
            false => went.succeeded.or(went.failed),
        })
    }

    fn pipeline(&mut self, commands: &[Command], place: Place) -> Result<Went, Unparsed> {
        if let [command] = commands {
            return self.command(command, place);
        }
        let mut last = place.clone();
        for command in commands {
            let went = self.command(command, place.clone())?;
            last = went.succeeded.or(went.failed);
        }
        // Some shells run the last command of a pipeline themselves.
        let either = place.or(last);
        Ok(Went {
            succeeded: either.clone(),
            failed: either,
        })
    }

    fn command(&mut self, command: &Command, place: Place) -> Result<Went, Unparsed> {
        self.scripts(&command.inner, &place)?;
        for redirect in &command.redirects {
            self.redirect(redirect, &place)?;
        }
        let after = match &command.kind {
            Kind::Simple(simple) => return self.simple(simple, place),
            Kind::Test => place,
            Kind::Group(script) => self.script(script, place)?,
            Kind::Subshell(script) => {
                self.script(script, place.clone())?;
                place
            }
            Kind::Parts { parts, repeats } => self.parts(parts, *repeats, place)?,
            Kind::For(name, words, body) => {
                self.set(name)?;
                for word in words {
                    self.scripts(&word.inner, &place)?;
                }
                self.parts(std::slice::from_ref(body), true, place)?
            }
            // From here on, its name means something else.
            Kind::Function(name, body) => {
                self.push(Step::Code(name.clone()))?;
                self.command(body, Place::unknown())?;
                Place::unknown()
            }
        };
        Ok(Went {
            succeeded: after.clone(),
            failed: after,
        })
    }

    /// Parts that may run or not, in their order, and perhaps again.
    fn parts(&mut self, parts: &[Script], repeats: bool, start: Place) -> Result<Place, Unparsed> {
        let mark = self.steps.len();
        let mut place = start.clone();
        for part in parts {
            let went = self.script(part, place.clone())?;
            place = place.or(went);
        }
        if !repeats || place == start {
            return Ok(place);
        }
        // What runs again begins where it ended.
        self.steps.truncate(mark);
        for part in parts {
            self.script(part, Place::unknown())?;
        }
        Ok(Place::unknown())
    }

    fn redirect(&mut self, redirect: &Redirect, place: &Place) -> Result<(), Unparsed> {
        self.scripts(&redirect.word.inner, place)?;
        let word = Word::of(&redirect.word);
        if redirect.way == Way::Text {
            return Ok(());
        }
        if let Some(path) = word.known() {
            // `/dev/./tcp` is a file that is not there; only the plain spelling connects.
            if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") {
                return self.push(Step::Connects(path.to_owned()));
            }
            if matches!(
                path,
                "/dev/null" | "/dev/stdin" | "/dev/stdout" | "/dev/stderr"
            ) {
                return Ok(());
            }
        }
        if redirect.way != Way::Write {
            self.push(Step::Reads(word.clone(), place.clone()))?;
        }
        if redirect.way != Way::Read {
            self.push(Step::Writes(word, place.clone()))?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str) -> Result<(), Unparsed> {
        match is_plain(name) {
            true => Ok(()),
            false => self.push(Step::Sets(name.to_owned())),
        }
    }

    fn simple(&mut self, simple: &Simple, place: Place) -> Result<Went, Unparsed> {
        for Assignment { name, value } in &simple.sets {
            self.set(name)?;
            for word in value {
                self.scripts(&word.inner, &place)?;
            }
        }
        for word in &simple.words {
            self.scripts(&word.inner, &place)?;
        }
        let words: Vec<Word> = simple.words.iter().map(Word::of).collect();
        match words.split_first() {
            Some((program, args)) => self.run(program, args, place),
            None => Ok(Went {
                succeeded: place.clone(),
                failed: place,
            }),
        }
    }

    /// Runs a program, with what it runs in its turn.
    fn run(&mut self, program: &Word, args: &[Word], place: Place) -> Result<Went, Unparsed> {
        let Some(name) = program.known().filter(|name| !name.is_empty()) else {
            return Err(Unparsed::new(0, "what runs is not known beforehand"));
        };
        if name == "cd" || name == "chdir" {
            self.push(Step::Run(Run {
                program: program.clone(),
                args: Vec::new(),
                place: place.clone(),
            }))?;
            return Ok(Went {
                succeeded: wrap::destination(args)
                    .map_or_else(Place::unknown, |to| place.after_cd(to)),
                failed: place,
            });
        }
        if self.depth == crate::limits::DEPTH {
            return Err(Unparsed::new(0, "the command line is nested too deeply"));
        }
        self.depth += 1;
        self.shared.unsure |= wrap::is_unsure(name, args);
        let mut after = place.clone();
        for within in wrap::within(program, args)? {
            match within {
                Within::Itself(args) => self.push(Step::Run(Run {
                    program: program.clone(),
                    args,
                    place: place.clone(),
                }))?,
                Within::Runs(words) => {
                    if let Some((program, args)) = words.split_first() {
                        // `command cd` goes where `cd` goes.
                        let went = self.run(program, args, place.clone())?;
                        after = after.or(went.succeeded).or(went.failed);
                    }
                }
                Within::Sets(name) => self.set(&name)?,
                Within::Code => self.push(Step::Code(name.to_owned()))?,
                Within::Script { text, posix } => {
                    let script = self.shared.parse(&text, self.depth, posix)?;
                    self.script(&script, place.clone())?;
                }
                Within::Here(text) => {
                    let script = self.shared.parse(&text, self.depth, false)?;
                    after = after.or(self.script(&script, place.clone())?);
                }
                Within::Moves => after = Place::unknown(),
            }
        }
        self.depth -= 1;
        Ok(Went {
            succeeded: after.clone(),
            failed: after,
        })
    }
}
