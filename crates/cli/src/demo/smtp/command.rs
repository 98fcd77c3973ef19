//! Commands (RFC 5321 section 4.1), read strictly.

/// A command of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `EHLO` or `HELO` with a name that is not looked at.
    Hello {
        /// Whether it was `EHLO`.
        is_extended: bool,
    },
    /// `MAIL FROM`.
    Mail {
        /// The reverse-path; empty for `<>`.
        from: String,
        /// How many bytes the client says that it will send.
        size: Option<usize>,
    },
    /// `RCPT TO`.
    Recipient(String),
    /// `DATA`.
    Data,
    /// `RSET`.
    Reset,
    /// `NOOP`.
    Noop,
    /// `VRFY`.
    Verify,
    /// `QUIT`.
    Quit,
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A command that is not known (500).
    Unknown,
    /// A command that is known and not offered (502).
    NotOffered,
    /// Its arguments cannot be read (501).
    Arguments,
    /// A parameter that is not offered (555).
    Parameter,
}

/// Longest path, angle brackets included (RFC 5321 section 4.5.3.1.3).
const PATH_BYTES: usize = 256;

/// Reads a line without its CR LF.
pub(super) fn parse(line: &[u8]) -> Result<Command, Refusal> {
    let is_plain = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let line = std::str::from_utf8(line).map_err(|_| Refusal::Unknown)?;
    if !is_plain {
        return Err(Refusal::Unknown);
    }
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => hello(rest, true),
        "HELO" => hello(rest, false),
        "MAIL" => mail(after_word(rest, "FROM:")?),
        "RCPT" => recipient(after_word(rest, "TO:")?),
        "DATA" => alone(rest, Command::Data),
        "RSET" => alone(rest, Command::Reset),
        "QUIT" => alone(rest, Command::Quit),
        "NOOP" => Ok(Command::Noop),
        "VRFY" if !rest.is_empty() => Ok(Command::Verify),
        "VRFY" => Err(Refusal::Arguments),
        "EXPN" | "HELP" | "STARTTLS" | "AUTH" | "BDAT" | "TURN" => Err(Refusal::NotOffered),
        _ => Err(Refusal::Unknown),
    }
}

fn hello(name: &str, is_extended: bool) -> Result<Command, Refusal> {
    match name.is_empty() || name.contains(' ') {
        true => Err(Refusal::Arguments),
        false => Ok(Command::Hello { is_extended }),
    }
}

fn alone(rest: &str, command: Command) -> Result<Command, Refusal> {
    match rest.is_empty() {
        true => Ok(command),
        false => Err(Refusal::Arguments),
    }
}

/// What follows `word`, in any case.
fn after_word<'a>(rest: &'a str, word: &str) -> Result<&'a str, Refusal> {
    match rest.split_at_checked(word.len()) {
        Some((found, path)) if found.eq_ignore_ascii_case(word) => Ok(path),
        _ => Err(Refusal::Arguments),
    }
}

fn mail(rest: &str) -> Result<Command, Refusal> {
    let (path, parameters) = path(rest)?;
    let mut size = None;
    for parameter in parameters.split(' ').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" if size.is_none() => {
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let number = value.parse().ok().filter(|_| is_number);
                size = Some(number.ok_or(Refusal::Arguments)?);
            }
            "SIZE" => return Err(Refusal::Arguments),
            _ => return Err(Refusal::Parameter),
        }
    }
    if !path.is_empty() && !is_address(path) {
        return Err(Refusal::Arguments);
    }
    Ok(Command::Mail {
        from: path.to_owned(),
        size,
    })
}

fn recipient(rest: &str) -> Result<Command, Refusal> {
    let (path, parameters) = path(rest)?;
    match (is_address(path), parameters.trim_ascii().is_empty()) {
        (false, _) => Err(Refusal::Arguments),
        (true, false) => Err(Refusal::Parameter),
        (true, true) => Ok(Command::Recipient(path.to_owned())),
    }
}

/// What stands in the angle brackets, and what follows them.
fn path(text: &str) -> Result<(&str, &str), Refusal> {
    let inner = text.strip_prefix('<').ok_or(Refusal::Arguments)?;
    let (path, rest) = inner.split_once('>').ok_or(Refusal::Arguments)?;
    let is_apart = rest.is_empty() || rest.starts_with(' ');
    match is_apart && path.len() + 2 <= PATH_BYTES {
        true => Ok((path, rest)),
        false => Err(Refusal::Arguments),
    }
}

/// A dot-string, an at sign and a domain (RFC 5321 section 4.1.2). Quoted local parts, address
/// literals and source routes are right too, but nobody here sends them.
fn is_address(path: &str) -> bool {
    let Some((local, domain)) = path.split_once('@') else {
        return false;
    };
    let is_local = local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
    let is_domain = domain.split('.').all(|label| {
        let is_inner = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !label.is_empty()
            && label.len() <= 63
            && is_inner
            && !label.starts_with('-')
            && !label.ends_with('-')
    });
    is_local && local.len() <= 64 && is_domain
}

/// `atext` of RFC 5322 section 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case() {
        let mail = |from: &str, size| Command::Mail {
            from: from.into(),
            size,
        };
        let cases: [(&str, Command); 10] = [
            ("EHLO client.example", Command::Hello { is_extended: true }),
            ("helo [127.0.0.1]", Command::Hello { is_extended: false }),
            ("MAIL FROM:<a@b.example>", mail("a@b.example", None)),
            ("mail from:<> size=12", mail("", Some(12))),
            ("MAIL FROM:<a.b+c@x> SIZE=0", mail("a.b+c@x", Some(0))),
            (
                "Rcpt To:<a@b.example>",
                Command::Recipient("a@b.example".into()),
            ),
            ("DATA", Command::Data),
            ("noop what ever", Command::Noop),
            ("VRFY a", Command::Verify),
            ("QUIT", Command::Quit),
        ];
        for (line, command) in cases {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_not_clearly_right_is_refused() {
        use Refusal::{Arguments, NotOffered, Parameter, Unknown};
        let cases = [
            ("", Unknown),
            (" DATA", Unknown),
            ("FOO", Unknown),
            ("DATA\t", Unknown),
            ("RCPT TO:<a@b\u{0440}.example>", Unknown),
            ("MAIL FROM:<a@b>\0", Unknown),
            ("EHLO", Arguments),
            ("EHLO a b", Arguments),
            ("DATA now", Arguments),
            ("MAIL", Arguments),
            ("MAIL TO:<a@b>", Arguments),
            ("MAIL FROM: <a@b>", Arguments),
            ("MAIL FROM:a@b", Arguments),
            ("MAIL FROM:<a@b", Arguments),
            ("MAIL FROM:<a@b>SIZE=1", Arguments),
            ("MAIL FROM:<a@b> SIZE=+1", Arguments),
            ("MAIL FROM:<a@b> SIZE=", Arguments),
            ("MAIL FROM:<a@b> SIZE=1 SIZE=2", Arguments),
            ("MAIL FROM:<a@b> SIZE=99999999999999999999999", Arguments),
            ("RCPT TO:<>", Arguments),
            ("RCPT TO:<a>", Arguments),
            ("RCPT TO:<a@b@c>", Arguments),
            ("RCPT TO:<a@b,c@d>", Arguments),
            ("RCPT TO:<a..b@c>", Arguments),
            ("RCPT TO:<a b@c>", Arguments),
            ("RCPT TO:<@c:a@b>", Arguments),
            ("RCPT TO:<\"a b\"@c>", Arguments),
            ("RCPT TO:<a@-c>", Arguments),
            ("RCPT TO:<a@c.>", Arguments),
            ("RCPT TO:<a@c> NOTIFY=NEVER", Parameter),
            ("MAIL FROM:<a@b> BODY=8BITMIME", Parameter),
            ("STARTTLS", NotOffered),
            ("BDAT 10 LAST", NotOffered),
        ];
        for (line, refusal) in cases {
            assert_eq!(parse(line.as_bytes()), Err(refusal), "{line:?}");
        }
        let long = format!("RCPT TO:<a@{}>", "x.".repeat(150));
        assert_eq!(parse(long.as_bytes()), Err(Arguments));
    }
}
