//! A text and its signatures (C2SP signed-note).

use crate::encoding::{control_character, from_base64, to_base64};
use crate::name::{KeyId, KeyName, KeyNameError};
use std::fmt;
use std::str::FromStr;

/// The longest note that is read or made, in bytes.
pub const MAX_NOTE_LEN: usize = 1 << 20;

/// The most signature lines. The specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// What every signature line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A text with signature lines of which none has been checked yet.
///
/// The text means nothing until [`Note::verify`] has found a signature of a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    // INVARIANT: ends in a newline, has no other control characters.
    text: String,
    // INVARIANT: at least one, at most `MAX_SIGNATURES`.
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: KeyId,
    // INVARIANT: not empty.
    bytes: Vec<u8>,
}

/// Why something is not a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is too long.
    #[error("a note of {got} bytes is longer than the maximum of {MAX_NOTE_LEN}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// The bytes are not UTF-8.
    #[error("a note must be UTF-8")]
    NotUtf8,
    /// A control character other than newline.
    #[error("a note must not contain the control character {character:?}")]
    ControlCharacter {
        /// The first one.
        character: char,
    },
    /// No blank line separates text and signatures.
    #[error("no blank line separates the text of the note from its signatures")]
    NoBlankLine,
    /// The text or the last line does not end in a newline.
    #[error("the text of a note and each of its lines must end in a newline")]
    NoNewline,
    /// There are no signature lines.
    #[error("a note must have at least one signature")]
    NoSignatures,
    /// There are too many signature lines.
    #[error("a note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A line below the text is not a signature.
    #[error("signature line {line} is not `\u{2014} <key name> <base64>`")]
    SignatureLine {
        /// Which one, counted from 1.
        line: usize,
    },
    /// A signature line has a key name that is refused.
    #[error("signature line {line}: {error}")]
    SignatureName {
        /// Which one, counted from 1.
        line: usize,
        /// What is wrong with the name.
        error: KeyNameError,
    },
    /// A signature is not base64 of a key id and at least one byte.
    #[error("signature line {line} does not hold base64 of a key id and a signature")]
    SignatureBytes {
        /// Which one, counted from 1.
        line: usize,
    },
}

impl Note {
    /// A note of this text and these signatures, which are not checked.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        check_text(&text)?;
        if signatures.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let note = Self { text, signatures };
        note.check_size()?;
        Ok(note)
    }

    /// Reads a note; checks no signature.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong { got: note.len() });
        }
        let note = str::from_utf8(note).map_err(|_| NoteError::NotUtf8)?;
        if let Some(character) = control_character(note) {
            return Err(NoteError::ControlCharacter { character });
        }
        // The text may contain blank lines itself: the last one counts.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoBlankLine)?;
        if lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoNewline)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line, number)?);
        }
        let text = format!("{text}\n");
        Ok(Self { text, signatures })
    }

    /// The text, including its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, such as a witness's, unless the very same line is there already.
    /// Nothing changes on an error.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        self.signatures.push(signature);
        let checked = self.check_size();
        if checked.is_err() {
            self.signatures.pop();
        }
        checked
    }

    fn check_size(&self) -> Result<(), NoteError> {
        if self.signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        // The text alone is within the limit, and so is each line that was parsed.
        let got = self.to_string().len();
        if got > MAX_NOTE_LEN {
            return Err(NoteError::TooLong { got });
        }
        Ok(())
    }
}

impl NoteSignature {
    /// A signature line; `None` if there are no signature bytes.
    pub fn new(name: KeyName, id: KeyId, bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self { name, id, bytes })
    }

    /// Reads lines as a witness answers them: each ends in a newline, none is blank.
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, NoteError> {
        if lines.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong { got: lines.len() });
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoNewline)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(Self::parse(line, number)?);
        }
        Ok(signatures)
    }

    /// The name of the key that is said to have signed.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that is said to have signed.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The signature without the key id, in the form of the key's type.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn parse(line: &str, number: usize) -> Result<Self, NoteError> {
        let (name, signature) = line
            .strip_prefix(SIGNATURE_PREFIX)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::SignatureLine { line: number })?;
        let name = KeyName::parse(name).map_err(|error| NoteError::SignatureName {
            line: number,
            error,
        })?;
        let bytes = from_base64(signature);
        bytes
            .as_deref()
            .and_then(|bytes| bytes.split_first_chunk::<4>())
            .and_then(|(id, bytes)| Self::new(name, KeyId::from_bytes(*id), bytes.to_vec()))
            .ok_or(NoteError::SignatureBytes { line: number })
    }
}

/// The signed note.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| signature.fmt(f))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, Self::Err> {
        Self::parse(note.as_bytes())
    }
}

/// The signature line, with its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = to_base64(&[self.id.as_bytes(), self.bytes()].concat());
        writeln!(f, "{SIGNATURE_PREFIX}{} {signature}", self.name)
    }
}

/// Checks that a text can be signed as a note.
pub(crate) fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE_LEN {
        return Err(NoteError::TooLong { got: text.len() });
    }
    if let Some(character) = control_character(text) {
        return Err(NoteError::ControlCharacter { character });
    }
    if !text.ends_with('\n') {
        return Err(NoteError::NoNewline);
    }
    Ok(())
}
