//! What a command line is made of.

/// A list of commands: a line, a body, what stands in a substitution.
#[derive(Debug, Default)]
pub(crate) struct Script(pub(crate) Vec<Chain>);

/// Pipelines that are joined by `&&` and `||`.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) first: Vec<Command>,
    pub(crate) rest: Vec<(Joint, Vec<Command>)>,
    /// Whether it ends with `&`, and so runs in a shell of its own.
    pub(crate) background: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    And,
    Or,
}

/// One command of a pipeline.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) kind: Kind,
    pub(crate) redirects: Vec<Redirect>,
    /// What its redirections and patterns run: substitutions in words that are no operands.
    pub(crate) inner: Vec<Script>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Simple(Simple),
    /// `{ … }`
    Group(Script),
    /// `( … )`
    Subshell(Script),
    /// Bodies and conditions, of which each may run or not.
    Parts {
        parts: Vec<Script>,
        /// Whether they may run again.
        repeats: bool,
    },
    /// A body that runs again and again, with a variable that takes these values.
    For(String, Vec<Word>, Script),
    Function(String, Box<Command>),
    /// `[[ … ]]`: nothing but what stands in its words.
    Test,
}

#[derive(Debug, Default)]
pub(crate) struct Simple {
    pub(crate) sets: Vec<Assignment>,
    pub(crate) words: Vec<Word>,
}

/// `NAME=value` before a command or by itself.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: Vec<Word>,
}

/// One word, with what it runs.
#[derive(Debug, Default)]
pub(crate) struct Word {
    /// What the program will see, or what stands there where that is not known.
    pub(crate) text: String,
    pub(crate) is_literal: bool,
    /// Whether it begins with a `~` that stands for somebody's home.
    pub(crate) is_tilde: bool,
    /// Whether nothing of it is quoted or escaped.
    pub(crate) is_bare: bool,
    /// Whether it may become several words, or none.
    pub(crate) splits: bool,
    /// Whether it is a number or nothing but arithmetic over them.
    pub(crate) is_count: bool,
    pub(crate) inner: Vec<Script>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Read,
    Write,
    Both,
    /// Text of the line itself.
    Text,
}

#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) way: Way,
    pub(crate) word: Word,
}
