//! How the values of targets are read, looked up and compared.
//!
//! One value has two forms. Its *lookup forms* are lenient: what a reader could take for the same
//! thing gets the same form, so that a rule against a contact also finds its odd spellings. Its
//! *keys* are strict: a value is grounded in somebody's words only if the whole value stands there.

mod domain;
mod email;
pub(crate) mod iban;
mod id;
pub(crate) mod moment;
pub(crate) mod number;
mod path;
pub(crate) mod phone;
mod quantity;
pub(crate) mod text;
mod url;

use countersign_core::document::TargetType;

use crate::limits::TARGET_BYTES;

/// What kind of key a value has. Values of different kinds never match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyKind {
    /// An e-mail address.
    Email,
    /// A domain.
    Domain,
    /// A URL; one that was written without a scheme begins with `//`.
    Url,
    /// A URL, whatever its scheme, beginning with `//`.
    UrlOfAnyScheme,
    /// A whole word or a whole quotation.
    Token,
    /// The same without the `#` that it begins with.
    HashToken,
    /// A path, lexically normalised.
    Path,
    /// A number; with a currency before it, an amount.
    Number,
    /// A date; one without a year begins with `--`.
    Date,
    /// A time of day.
    Time,
    /// A date and a time of day.
    DateTime,
    /// A phone number.
    Phone,
    /// A bank account.
    Iban,
}

impl KeyKind {
    /// Whether the value is read by its own rules, beside the types of targets. Such mentions have
    /// limits of their own: they cannot use up those of targets.
    pub(crate) fn is_measure(self) -> bool {
        match self {
            Self::Number | Self::Date | Self::Time | Self::DateTime | Self::Phone | Self::Iban => {
                true
            }
            Self::Email
            | Self::Domain
            | Self::Url
            | Self::UrlOfAnyScheme
            | Self::Token
            | Self::HashToken
            | Self::Path => false,
        }
    }
}

/// A strict key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: KeyKind,
    pub(crate) text: String,
}

impl Key {
    pub(crate) fn new(kind: KeyKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

/// A value that could be read as its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The forms under which the directory is asked, in order; never empty.
    pub(crate) lookups: Vec<String>,
    /// What grounds the value if somebody's words hold it; empty for a spelling that plays tricks.
    pub(crate) keys: Vec<Key>,
    /// Members of `context.target` beside those that every target has.
    pub(crate) members: Vec<(&'static str, String)>,
    /// What the value looks like to a reader.
    pub(crate) skeleton: Option<String>,
}

impl Parsed {
    /// The form by which two targets are the same.
    pub(crate) fn lookup(&self) -> &str {
        self.lookups.first().map_or("", String::as_str)
    }
}

/// Reads a value as its type; `None` if it is none.
pub(crate) fn parse(kind: TargetType, value: &str) -> Option<Parsed> {
    if value.is_empty() || value.len() > TARGET_BYTES {
        return None;
    }
    match kind {
        TargetType::Email => email::parse(value),
        TargetType::Domain => domain::parse_target(value),
        TargetType::Url => url::parse(value),
        TargetType::Id => id::parse(value),
        TargetType::Path => path::parse(value),
    }
}

/// The form under which the directory knows a value, if it can be read as this type.
pub fn lookup_form(kind: TargetType, value: &str) -> Option<String> {
    parse(kind, value)?.lookups.into_iter().next()
}

/// What a tool's name comes to if case, width, white space and hidden characters are overlooked.
pub(crate) fn name_form(name: &str) -> String {
    let mut form = text::lenient(name);
    form.retain(|c| !c.is_whitespace());
    form
}

/// The name of a type in contexts and manifests.
pub fn type_name(kind: TargetType) -> &'static str {
    match kind {
        TargetType::Email => "email",
        TargetType::Domain => "domain",
        TargetType::Url => "url",
        TargetType::Id => "id",
        TargetType::Path => "path",
    }
}

pub(crate) use domain::Domain;
pub(crate) use id::token_key;
pub(crate) use path::strict_key as path_key;
pub(crate) use quantity::{plain_keys, quantity_keys};

#[cfg(test)]
mod tests;
