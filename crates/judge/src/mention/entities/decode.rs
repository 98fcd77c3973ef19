//! Undoes what hides an address in a text: characters that cannot be seen or that fold to ASCII,
//! percent-encoding, HTML references, JSON escapes, and `[.]`, `(at)`, `hxxp`.

use unicode_normalization::UnicodeNormalization as _;

use crate::value::text::is_hidden;

/// How often a text is decoded: what is encoded twice is found, too.
const ROUNDS: usize = 3;

/// A text and where each byte of it came from.
pub(super) struct View {
    pub(super) text: String,
    /// Of each round, where the texts begin to differ: a place in the new one and one in the old.
    rounds: Vec<Vec<(usize, usize)>>,
}

impl View {
    /// The decoded text, if anything was encoded.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (text, jumps) = round(text)?;
        let mut view = Self {
            text,
            rounds: vec![jumps],
        };
        while view.rounds.len() < ROUNDS
            && let Some((text, jumps)) = round(&view.text)
        {
            view.text = text;
            view.rounds.push(jumps);
        }
        Some(view)
    }

    /// The place in the original text.
    pub(super) fn origin(&self, at: usize) -> usize {
        self.rounds.iter().rev().fold(at, |at, jumps| {
            let next = jumps.partition_point(|(new, _)| *new <= at);
            match next.checked_sub(1).and_then(|n| jumps.get(n)) {
                Some((new, old)) => old + (at - new),
                None => at,
            }
        })
    }
}

/// One round; `None` if there is nothing to decode.
fn round(text: &str) -> Option<(String, Vec<(usize, usize)>)> {
    let mut out = String::new();
    let mut jumps: Vec<(usize, usize)> = Vec::new();
    // What was copied so far, and where the next thing may stand that is encoded.
    let mut copied = 0;
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(next_candidate) {
        let at = from + found;
        let rest = text.get(at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else {
            break;
        };
        from = at + first.len_utf8();
        let Some((piece, used)) = decoded(text, at, rest, first) else {
            continue;
        };
        out.push_str(text.get(copied..at).unwrap_or_default());
        if piece.trims {
            out.truncate(out.trim_end_matches(' ').len());
            while jumps.last().is_some_and(|(new, _)| *new > out.len()) {
                jumps.pop();
            }
        }
        out.push_str(&piece.text);
        from = at + used;
        copied = from;
        jumps.push((out.len(), from));
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    (!jumps.is_empty()).then_some((out, jumps))
}

/// Where in a text the next thing may begin that is encoded.
fn next_candidate(text: &str) -> Option<usize> {
    const BLOCK: usize = 64;
    let bytes = text.as_bytes();
    let next = |at: usize| bytes.get(at + 1).copied().unwrap_or_default();
    // Blocks that have none are passed over as a whole.
    (0..bytes.len()).step_by(BLOCK).find_map(|start| {
        let end = bytes.len().min(start + BLOCK);
        let block = bytes.get(start..end)?;
        let after = bytes.get(start + 1..)?;
        let any = block
            .iter()
            .fold(false, |any, byte| any | stands_alone(*byte))
            | block
                .iter()
                .zip(after)
                .fold(false, |any, (byte, next)| any | is_hx(*byte, *next));
        let found = |at: &usize| {
            let byte = bytes.get(*at).copied().unwrap_or_default();
            stands_alone(byte) || is_hx(byte, next(*at))
        };
        any.then(|| (start..end).find(found)).flatten()
    })
}

/// Whether something encoded may begin with this byte.
fn stands_alone(byte: u8) -> bool {
    let sign = (byte == b'%')
        | (byte == b'&')
        | (byte == b'\\')
        | (byte == b'[')
        | (byte == b'(')
        | (byte == b'{');
    let space = (byte == b'\t') | (byte == b'\n') | (byte == b'\r');
    // From 0xc0 on, the first byte of a character beyond ASCII.
    sign | (byte == 0x7f) | (byte >= 0xc0) | ((byte < b' ') & !space)
}

/// The beginning of `hxxp`.
fn is_hx(byte: u8, next: u8) -> bool {
    ((byte | 0x20) == b'h') & ((next | 0x20) == b'x')
}

struct Piece {
    text: String,
    /// Whether a space before it belonged to it.
    trims: bool,
}

impl Piece {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            trims: false,
        }
    }
}

fn decoded(text: &str, at: usize, rest: &str, first: char) -> Option<(Piece, usize)> {
    match first {
        '%' => percent(rest),
        '&' => reference(rest),
        '\\' => escape(rest),
        '[' | '(' | '{' => bracketed(rest),
        'h' | 'H' => {
            let starts = rest.get(..4)?.eq_ignore_ascii_case("hxxp");
            let before = text.get(..at)?.chars().next_back();
            (starts && !before.is_some_and(char::is_alphanumeric))
                .then(|| (Piece::plain("http"), 4))
        }
        '\t' | '\n' | '\r' => None,
        c if c.is_ascii_graphic() || c == ' ' => None,
        '\u{2028}' | '\u{2029}' => Some((Piece::plain("\n"), first.len_utf8())),
        c if is_hidden(c) && !c.is_whitespace() => Some((Piece::plain(""), c.len_utf8())),
        // UTS 46 reads these as dots.
        '\u{3002}' | '\u{ff61}' => Some((Piece::plain("."), first.len_utf8())),
        c => {
            let folded: String = std::iter::once(c).nfkc().collect();
            folded
                .is_ascii()
                .then(|| (Piece::plain(folded), c.len_utf8()))
        }
    }
}

/// `%40`, and several in a row that together are one character.
fn percent(rest: &str) -> Option<(Piece, usize)> {
    let mut bytes = Vec::new();
    // The longest character in UTF-8 has four bytes.
    for n in 0..4 {
        let Some(hex) = rest.get(3 * n..3 * n + 3).and_then(|p| p.strip_prefix('%')) else {
            break;
        };
        let Some(byte) = hex_number(hex, 2) else {
            break;
        };
        bytes.push(u8::try_from(byte).ok()?);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let text = text.replace(|c: char| c.is_control(), " ");
            return Some((Piece::plain(text), 3 * bytes.len()));
        }
    }
    None
}

/// `&#64;`, `&#x40;`, `&commat;`.
fn reference(rest: &str) -> Option<(Piece, usize)> {
    const NAMES: [(&str, char); 14] = [
        ("amp", '&'),
        ("apos", '\''),
        ("colon", ':'),
        ("commat", '@'),
        ("dot", '.'),
        ("gt", '>'),
        ("lowbar", '_'),
        ("lt", '<'),
        ("nbsp", ' '),
        ("num", '#'),
        ("period", '.'),
        ("plus", '+'),
        ("quot", '"'),
        ("sol", '/'),
    ];
    let body = rest.get(1..)?;
    let end = body.bytes().take(10).position(|b| b == b';')?;
    let name = body.get(..end)?;
    let c = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => char::from_u32(hex_number(hex, hex.len())?)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        None => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    let c = if c.is_control() { ' ' } else { c };
    Some((Piece::plain(c), end + 2))
}

/// `\/`, `\u0040`, `\x40`.
fn escape(rest: &str) -> Option<(Piece, usize)> {
    let (digits, used) = match rest.as_bytes().get(1)? {
        b'/' => return Some((Piece::plain("/"), 2)),
        b'u' => (rest.get(2..6)?, 6),
        b'x' => (rest.get(2..4)?, 4),
        _ => return None,
    };
    let c = char::from_u32(hex_number(digits, digits.len())?)?;
    let c = if c.is_control() { ' ' } else { c };
    Some((Piece::plain(c), used))
}

fn hex_number(digits: &str, length: usize) -> Option<u32> {
    let is_hex = digits.len() == length
        && (1..=6).contains(&length)
        && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// `[.]`, `(at)`, `[://]`, with spaces around.
fn bracketed(rest: &str) -> Option<(Piece, usize)> {
    const SIGNS: [(&str, &str); 9] = [
        (".", "."),
        ("dot", "."),
        ("punkt", "."),
        ("@", "@"),
        ("at", "@"),
        (":", ":"),
        ("/", "/"),
        ("//", "//"),
        ("://", "://"),
    ];
    let close = match rest.as_bytes().first()? {
        b'[' => b']',
        b'(' => b')',
        _ => b'}',
    };
    let body = rest.get(1..)?;
    let end = body.bytes().take(8).position(|b| b == close)?;
    let inner = body.get(..end)?.trim_matches(' ').to_ascii_lowercase();
    let (_, sign) = SIGNS.iter().find(|(name, _)| *name == inner)?;
    let after = body.get(end + 1..)?;
    let spaces = after.len() - after.trim_start_matches(' ').len();
    let piece = Piece {
        text: (*sign).to_owned(),
        trims: true,
    };
    Some((piece, end + 2 + spaces))
}
