//! Handing a mail over (RFC 5321), to an address that was looked up once and checked.
//!
//! `lettre` writes the mail; the dialogue is here because its time and the length of what the server
//! says have to be bounded as a whole, and the address has to be the one that was checked.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Outcome;
use super::tls;
use super::wire::{Timed, Wire};
use crate::address::{Lookup, resolve};
use crate::config::{Mail, MailTls, Reach};
use crate::limits::{REPLY_LINE_BYTES, REPLY_LINES};
use crate::text::clean;

/// Who we say that we are: what is behind an address translation has no better name (RFC 5321
/// section 4.1.4).
const HELLO: &str = "EHLO [127.0.0.1]";

/// A dialogue.
struct Dialogue {
    wire: Wire,
    /// What arrived and was not read yet.
    pending: Vec<u8>,
}

/// What a server said.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// Why a mail was not handed over.
enum Failure {
    /// The connection, or what came over it.
    Broken(String),
    /// The server said no to this mail, for good.
    Refused(String),
}

pub(super) fn send(
    mail: &Mail,
    reach: &Reach,
    message: &[u8],
    within: Duration,
    lookup: &dyn Lookup,
) -> Outcome {
    match try_send(mail, reach, message, Instant::now() + within, lookup) {
        Ok(()) => Outcome::Delivered,
        Err(Failure::Broken(why)) => Outcome::failed(why),
        Err(Failure::Refused(why)) => Outcome::Refused(why),
    }
}

fn try_send(
    mail: &Mail,
    reach: &Reach,
    message: &[u8],
    end: Instant,
    lookup: &dyn Lookup,
) -> Result<(), Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
    let addresses = resolve(lookup, &mail.host, mail.port, reach.networks);
    let addresses = addresses.map_err(|error| broken(&error))?;
    let mut wire = Wire::Plain(Timed::connect(&addresses, end)?);
    if mail.tls == MailTls::Implicit {
        let config = tls::client(reach.ca_file.as_deref()).map_err(|error| broken(&error))?;
        wire = wire.encrypt(config, &mail.host)?;
    }
    let mut dialogue = Dialogue {
        wire,
        pending: Vec::new(),
    };
    dialogue.expect(220, "greeting")?;
    let mut offers = dialogue.command(HELLO, 250)?;
    if mail.tls == MailTls::Starttls {
        if !offers.offers("STARTTLS") {
            return Err(broken(
                &"it does not offer STARTTLS, and nothing is sent without",
            ));
        }
        let config = tls::client(reach.ca_file.as_deref()).map_err(|error| broken(&error))?;
        dialogue.command("STARTTLS", 220)?;
        // What came before encryption must not be taken for what comes after it (RFC 3207 section 6).
        if !dialogue.pending.is_empty() {
            return Err(broken(&"it sent more than its answer before encryption"));
        }
        dialogue.wire = dialogue.wire.encrypt(config, &mail.host)?;
        offers = dialogue.command(HELLO, 250)?;
    }
    if let Some((user, password)) = &mail.login {
        dialogue.login(&offers, user, password)?;
    }
    dialogue.hand_over(mail, message)?;
    // It is the server's by now, whatever becomes of the farewell.
    let _ = dialogue.command("QUIT", 221);
    Ok(())
}

impl Dialogue {
    fn login(&mut self, offers: &Reply, user: &str, password: &str) -> Result<(), Failure> {
        let plain = Zeroizing::new(format!("\0{user}\0{password}"));
        if offers.offers_auth("PLAIN") {
            let encoded = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
            let line = Zeroizing::new(format!("AUTH PLAIN {}", *encoded));
            return self
                .command(&line, 235)
                .map(drop)
                .map_err(Failure::unsettled);
        }
        if offers.offers_auth("LOGIN") {
            let login = |dialogue: &mut Self| {
                dialogue.command("AUTH LOGIN", 334)?;
                dialogue.command(&STANDARD.encode(user), 334)?;
                let password = Zeroizing::new(STANDARD.encode(password));
                dialogue.command(&password, 235).map(drop)
            };
            return login(self).map_err(Failure::unsettled);
        }
        Err(Failure::Broken(
            "it takes neither AUTH PLAIN nor AUTH LOGIN".to_owned(),
        ))
    }

    fn hand_over(&mut self, mail: &Mail, message: &[u8]) -> Result<(), Failure> {
        // Addresses were read as ASCII without controls: none of them ends a line.
        self.command(&format!("MAIL FROM:<{}>", mail.from.email), 250)?;
        for to in &mail.to {
            self.command(&format!("RCPT TO:<{}>", to.email), 250)?;
        }
        self.command("DATA", 354)?;
        self.wire.write_all(&stuffed(message))?;
        self.wire.flush()?;
        self.expect(250, "DATA").map(drop)
    }

    fn command(&mut self, line: &str, expected: u16) -> Result<Reply, Failure> {
        let whole = Zeroizing::new(format!("{line}\r\n"));
        self.wire.write_all(whole.as_bytes())?;
        self.wire.flush()?;
        // Never the arguments: they may be a password.
        let word = line.split([' ', ':']).next().unwrap_or_default();
        let is_word = word.len() <= 8 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        self.expect(expected, if is_word { word } else { "AUTH" })
    }

    fn expect(&mut self, expected: u16, after: &str) -> Result<Reply, Failure> {
        let reply = self.reply()?;
        if reply.code == expected || (expected == 250 && reply.code == 251) {
            return Ok(reply);
        }
        let said = reply.lines.first().map(|line| clean(line));
        let why = format!(
            "it answered {} to {after}: {}",
            reply.code,
            said.unwrap_or_default()
        );
        // Only these are about the mail and not about the connection.
        let is_of_mail = matches!(after, "MAIL" | "RCPT" | "DATA");
        match is_of_mail && (500..600).contains(&reply.code) {
            true => Err(Failure::Refused(why)),
            false => Err(Failure::Broken(why)),
        }
    }

    fn reply(&mut self) -> Result<Reply, Failure> {
        let unfit = || Failure::Broken("what it said is no reply of SMTP".to_owned());
        let mut lines = Vec::new();
        while lines.len() < REPLY_LINES {
            let line = self.line()?;
            let (code, rest) = line.split_at_checked(3).ok_or_else(unfit)?;
            let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
            let code: u16 = code.parse().ok().filter(|_| is_code).ok_or_else(unfit)?;
            let is_last = match rest.bytes().next() {
                None | Some(b' ') => true,
                Some(b'-') => false,
                _ => return Err(unfit()),
            };
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            if is_last {
                return Ok(Reply { code, lines });
            }
        }
        Err(Failure::Broken(format!(
            "its reply has more than {REPLY_LINES} lines"
        )))
    }

    fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(end.saturating_add(1));
                let line = std::mem::replace(&mut self.pending, rest);
                let line = line.trim_ascii_end().to_vec();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.pending.len() > REPLY_LINE_BYTES {
                return Err(Failure::Broken(format!(
                    "a line of its reply is longer than {REPLY_LINE_BYTES} bytes"
                )));
            }
            let mut buffer = [0; 512];
            let read = self.wire.read(&mut buffer)?;
            if read == 0 {
                return Err(Failure::Broken("it closed the connection".to_owned()));
            }
            self.pending.extend(buffer.iter().take(read));
        }
    }
}

impl Reply {
    fn offers(&self, keyword: &str) -> bool {
        let words = self
            .lines
            .iter()
            .filter_map(|line| line.split_whitespace().next());
        words
            .into_iter()
            .any(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn offers_auth(&self, mechanism: &str) -> bool {
        self.lines.iter().any(|line| {
            let mut words = line.split_whitespace();
            let is_auth = words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
            is_auth && words.any(|word| word.eq_ignore_ascii_case(mechanism))
        })
    }
}

impl Failure {
    /// A login that fails is put right by people, not by giving the mail up.
    fn unsettled(self) -> Self {
        match self {
            Self::Broken(why) | Self::Refused(why) => Self::Broken(why),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The mail with CR LF at every line's end, dots doubled at every line's start, and the dot that ends
/// it (RFC 5321 section 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(64));
    for line in message.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    // The last line break made one line too many.
    if message.ends_with(b"\n") {
        out.truncate(out.len().saturating_sub(2));
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_mail_ends_it() {
        let text = |text: &[u8]| String::from_utf8(stuffed(text)).unwrap();
        assert_eq!(text(b"a\r\n.\r\nb\r\n"), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(
            text(b"a\n.\nRCPT TO:<x>"),
            "a\r\n..\r\nRCPT TO:<x>\r\n.\r\n"
        );
        assert_eq!(text(b""), "\r\n.\r\n");
    }
}
