//! Patterns of paths: `/messages/{id}/send`.

use crate::target::{self, Segment};

/// A part of a pattern, between slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Exactly this text.
    Fixed(String),
    /// An argument of this name.
    Argument(String, Kind),
}

/// What a text in a path or query becomes as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text.
    String,
    /// A whole number.
    Integer,
    /// Any number, as JSON has it.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of texts, for a name of a query that may stand there more than once.
    Strings,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "strings" => Self::Strings,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Strings => "strings",
        }
    }
}

/// Reads a pattern, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let rest = text.strip_prefix('/').ok_or("a path begins with `/`")?;
    let parts: Vec<Part> = rest.split('/').map(part).collect::<Result<_, _>>()?;
    // What is fixed must itself be a path of one reading, or no request could ever match.
    let fixed: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            Part::Fixed(text) => text.as_str(),
            Part::Argument(..) => "x",
        })
        .collect();
    let path = format!("/{}", fixed.join("/"));
    target::read(&path, None).map_err(|error| error.to_string())?;
    Ok(parts)
}

fn part(text: &str) -> Result<Part, String> {
    let Some(inner) = text.strip_prefix('{') else {
        return Ok(Part::Fixed(text.to_owned()));
    };
    let inner = inner
        .strip_suffix('}')
        .ok_or("an argument takes a whole part of the path, as in `/{id}/`")?;
    let (name, kind) = inner.split_once(':').unwrap_or((inner, "string"));
    let kind = Kind::parse(kind).filter(|kind| *kind != Kind::Strings);
    let kind = kind.ok_or("an argument of a path is a string, integer, number or boolean")?;
    match is_argument(name) {
        true => Ok(Part::Argument(name.to_owned(), kind)),
        false => Err("the name of an argument has letters, digits, `_`, `-` and `.`".to_owned()),
    }
}

/// Whether a name can stand in a path, a query and a file.
pub(super) fn is_argument(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=128).contains(&name.len()) && name.bytes().all(fits)
}

pub(super) fn show(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Fixed(text) => format!("/{text}"),
            Part::Argument(name, Kind::String) => format!("/{{{name}}}"),
            Part::Argument(name, kind) => format!("/{{{name}:{}}}", kind.name()),
        })
        .collect()
}

pub(super) fn matches(parts: &[Part], segments: &[Segment<'_>]) -> bool {
    let one = |(part, segment): (&Part, &Segment<'_>)| match part {
        Part::Fixed(text) => text == segment.raw,
        Part::Argument(..) => !segment.raw.is_empty(),
    };
    parts.len() == segments.len() && parts.iter().zip(segments).all(one)
}

/// Whether every path of `later` is one of `earlier`, so that `later` would never be reached.
pub(super) fn covers(earlier: &[Part], later: &[Part]) -> bool {
    let one = |(earlier, later): (&Part, &Part)| match (earlier, later) {
        (Part::Argument(..), Part::Fixed(text)) => !text.is_empty(),
        (Part::Argument(..), Part::Argument(..)) => true,
        (Part::Fixed(one), Part::Fixed(other)) => one == other,
        (Part::Fixed(_), Part::Argument(..)) => false,
    };
    earlier.len() == later.len() && earlier.iter().zip(later).all(one)
}
