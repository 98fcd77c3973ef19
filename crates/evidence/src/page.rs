//! The report as pieces, of which the page and the text are written: so both say the same.
//!
//! What stands in [`Span::Text`] is ours, or of a strict syntax. Whatever anybody else wrote goes
//! into [`Span::Outside`], [`Block::Words`] or [`Block::Code`], which both writers show as it is.

/// A report.
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// How a thing stands. The words say it, too: colour is never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Careful,
    Bad,
    Plain,
}

/// A stretch of a line.
#[derive(Debug, Clone)]
pub(crate) enum Span {
    Text(String),
    Strong(String),
    /// A word that says how a thing stands.
    Mark(Tone, String),
    /// An id, a ref or a value of a strict syntax.
    Code(String),
    /// What somebody else wrote, on one line.
    Outside(String),
    /// A file of the folder, and what to call it.
    File(String, String),
}

/// A line of text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(pub(crate) Vec<Span>);

/// A piece of the report.
pub(crate) enum Block {
    Heading(String),
    /// What the reader is to know first.
    Lead(Line),
    Para(Line),
    /// What somebody wrote: who, the words, and the file that holds all of them if that is more.
    Words {
        by: String,
        text: String,
        whole: Option<String>,
    },
    /// A rule, or arguments.
    Code(String),
    List(Vec<Line>),
    /// Names and what stands under them.
    Facts(Vec<(&'static str, Line)>),
    /// Rows, each with how it stands.
    Table {
        caption: String,
        head: Vec<&'static str>,
        rows: Vec<(Tone, Vec<Line>)>,
    },
    /// Numbers that are seen first.
    Tiles(Vec<(Tone, usize, String)>),
    /// Something with a title of its own.
    Card {
        tone: Tone,
        title: Line,
        blocks: Vec<Self>,
    },
}

impl Line {
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self::default().text(text)
    }

    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Text(text.into()));
        self
    }

    pub(crate) fn strong(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Strong(text.into()));
        self
    }

    pub(crate) fn mark(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push(Span::Mark(tone, text.into()));
        self
    }

    pub(crate) fn code(mut self, text: impl ToString) -> Self {
        self.0.push(Span::Code(text.to_string()));
        self
    }

    pub(crate) fn outside(mut self, text: &str) -> Self {
        self.0.push(Span::Outside(text.to_owned()));
        self
    }

    pub(crate) fn file(mut self, name: impl Into<String>, label: impl Into<String>) -> Self {
        self.0.push(Span::File(name.into(), label.into()));
        self
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}
