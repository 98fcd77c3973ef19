//! What a witness answers, as the log that asked reads it.

use crate::request::size_from_decimal;
use countersign_merkle::TreeSize;
use countersign_note::NoteSignature;

/// The media type of an answer that names a size (tlog-witness, "add-checkpoint").
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// The longest answer that is read, in bytes: 64 signatures of the longest kind.
pub const MAX_ANSWER_LEN: usize = 256 * 1024;

/// How much of a refusal's text is kept, in characters.
const DETAIL_CHARS: usize = 200;

/// An answer to `add-checkpoint`. The signatures in it are not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The witness says that it cosigned.
    Cosigned(Vec<NoteSignature>),
    /// The old size is not that of what the witness cosigned last, which is this.
    Conflict(TreeSize),
    /// It knows no log of this origin.
    UnknownLog,
    /// It trusts none of the keys that signed.
    Untrusted,
    /// The proof does not convince it, or it holds another root of this size.
    Inconsistent,
    /// It did not do it for another reason.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, without control characters and cut short.
        detail: String,
    },
    /// What it said is no answer of a witness.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl Answer {
    /// Reads an answer out of status, media type and body.
    pub fn read(status: u16, media_type: Option<&str>, body: &[u8]) -> Self {
        match status {
            200 => cosignatures(body),
            409 => conflict(media_type, body),
            404 => Self::UnknownLog,
            403 => Self::Untrusted,
            422 => Self::Inconsistent,
            status => Self::Refused {
                status,
                detail: plain(body),
            },
        }
    }
}

fn cosignatures(body: &[u8]) -> Answer {
    if body.len() > MAX_ANSWER_LEN {
        let reason = format!("it is longer than {MAX_ANSWER_LEN} bytes");
        return Answer::Malformed { reason };
    }
    let Ok(lines) = str::from_utf8(body) else {
        let reason = "it is not UTF-8".to_owned();
        return Answer::Malformed { reason };
    };
    match NoteSignature::parse_lines(lines) {
        Ok(signatures) => Answer::Cosigned(signatures),
        Err(error) => Answer::Malformed {
            reason: error.to_string(),
        },
    }
}

/// A conflict without a size is that of a witness that holds another root of the same size; the
/// specification's earlier versions ask for it.
fn conflict(media_type: Option<&str>, body: &[u8]) -> Answer {
    let is_size = media_type.is_some_and(|found| {
        let name = found.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(SIZE_MEDIA_TYPE)
    });
    if !is_size {
        return Answer::Inconsistent;
    }
    let size = str::from_utf8(body).ok();
    let size = size.and_then(|text| text.strip_suffix('\n'));
    match size.and_then(size_from_decimal) {
        Some(size) => Answer::Conflict(size),
        None => Answer::Malformed {
            reason: "a conflict must name a size in one line".to_owned(),
        },
    }
}

fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let shown = text.chars().take(DETAIL_CHARS);
    shown
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_one_size_in_its_one_spelling() {
        let read = |body: &[u8]| Answer::read(409, Some("text/x.tlog.size"), body);
        assert_eq!(read(b"17\n"), Answer::Conflict(TreeSize::new(17)));
        assert_eq!(read(b"0\n"), Answer::Conflict(TreeSize::ZERO));
        for bad in [
            b"17".as_slice(),
            b"017\n",
            b"-1\n",
            b"1\n2\n",
            b"",
            b"\n",
            b"18446744073709551615\n",
            b"\xff\n",
        ] {
            assert!(matches!(read(bad), Answer::Malformed { .. }), "{bad:?}");
        }
        let typed = Answer::read(409, Some("Text/X.tlog.size; charset=utf-8"), b"1\n");
        assert_eq!(typed, Answer::Conflict(TreeSize::new(1)));
        let untyped = Answer::read(409, Some("text/plain"), b"1\n");
        assert_eq!(untyped, Answer::Inconsistent);
    }

    #[test]
    fn what_a_witness_says_is_shown_without_control_characters() {
        let Answer::Refused { status, detail } = Answer::read(500, None, b"\x1b[2Jno\nroom") else {
            panic!("not refused");
        };
        assert_eq!((status, detail.as_str()), (500, "[2Jno room"));
        assert!(matches!(
            Answer::read(200, None, b"ok"),
            Answer::Malformed { .. }
        ));
        assert!(matches!(
            Answer::read(200, None, b""),
            Answer::Malformed { .. }
        ));
    }
}
