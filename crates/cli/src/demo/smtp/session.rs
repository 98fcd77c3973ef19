//! One connection: commands in, replies out (RFC 5321 section 4.3).

use std::io::{self, BufRead, Write};
use std::time::Instant;

use super::command::{self, Command, Refusal};
use super::line::{self, Line};
use super::{CONNECTION_MAX, ERRORS, MESSAGE_BYTES, Mailbox, Message, RECIPIENTS};

/// Longest command, CR LF included (RFC 5321 section 4.5.3.1.4).
const COMMAND_BYTES: usize = 512;
/// Longest line of text, CR LF and a stuffed dot included (RFC 5321 section 4.5.3.1.6).
const TEXT_LINE_BYTES: usize = 1001;
/// How much more than a message's limit is read, to answer instead of hanging up.
const READ_ON_FACTOR: usize = 4;

/// A connection with what was agreed on it so far.
pub(super) struct Session<'a, R, W> {
    reader: R,
    writer: W,
    mailbox: &'a Mailbox,
    is_greeted: bool,
    envelope: Option<Envelope>,
    errors: usize,
    deadline: Instant,
}

/// Who sends to whom, until the message comes.
struct Envelope {
    from: String,
    to: Vec<String>,
}

/// Whether the connection goes on.
enum Next {
    GoOn,
    HangUp,
}

/// What came after `DATA`.
enum Text {
    Whole(Vec<u8>),
    /// Not fit to be taken; the reply says why.
    Refused(&'static str),
    /// The connection ended, or must.
    Ended,
}

impl<'a, R: BufRead, W: Write> Session<'a, R, W> {
    pub(super) fn new(reader: R, writer: W, mailbox: &'a Mailbox) -> Self {
        Self {
            reader,
            writer,
            mailbox,
            is_greeted: false,
            envelope: None,
            errors: 0,
            deadline: Instant::now() + CONNECTION_MAX,
        }
    }

    /// Serves the connection to its end.
    pub(super) fn run(&mut self) -> io::Result<()> {
        self.reply("220 localhost keeps what it is given")?;
        while let Next::GoOn = self.step()? {}
        Ok(())
    }

    /// Says that there is no place.
    pub(super) fn turn_away(&mut self) -> io::Result<()> {
        self.reply("421 too many connections")
    }

    fn step(&mut self) -> io::Result<Next> {
        if Instant::now() >= self.deadline {
            self.reply("421 the connection lasts too long")?;
            return Ok(Next::HangUp);
        }
        match line::read(&mut self.reader, COMMAND_BYTES)? {
            Line::End => Ok(Next::HangUp),
            // What follows a bare line end may be a smuggled command.
            Line::BareEnd => {
                self.reply("500 a line ends in CR LF")?;
                Ok(Next::HangUp)
            }
            Line::TooLong => self.refuse("500 the line is too long"),
            Line::Text(text) => match command::parse(&text) {
                Ok(command) => self.obey(command),
                Err(Refusal::Unknown) => self.refuse("500 there is no such command"),
                Err(Refusal::NotOffered) => self.refuse("502 this command is not offered"),
                Err(Refusal::Arguments) => self.refuse("501 the arguments cannot be read"),
                Err(Refusal::Parameter) => self.refuse("555 this parameter is not offered"),
            },
        }
    }

    fn obey(&mut self, command: Command) -> io::Result<Next> {
        match command {
            Command::Hello { is_extended } => self.hello(is_extended),
            Command::Mail { from, size } => self.mail(from, size),
            Command::Recipient(to) => self.recipient(to),
            Command::Data => self.data(),
            Command::Reset => {
                self.envelope = None;
                self.agree("250 forgotten")
            }
            Command::Noop => self.agree("250 nothing done"),
            Command::Verify => self.agree("252 it will be taken"),
            Command::Quit => {
                self.reply("221 goodbye")?;
                Ok(Next::HangUp)
            }
        }
    }

    fn hello(&mut self, is_extended: bool) -> io::Result<Next> {
        self.is_greeted = true;
        self.envelope = None;
        if !is_extended {
            return self.agree("250 localhost");
        }
        let size = format!("250 SIZE {MESSAGE_BYTES}");
        for reply in ["250-localhost", "250-PIPELINING", &size] {
            self.reply(reply)?;
        }
        Ok(Next::GoOn)
    }

    fn mail(&mut self, from: String, size: Option<usize>) -> io::Result<Next> {
        if !self.is_greeted {
            return self.refuse("503 say EHLO first");
        }
        if self.envelope.is_some() {
            return self.refuse("503 a message is under way");
        }
        if size.is_some_and(|size| size > MESSAGE_BYTES) {
            return self.refuse("552 the message is too long");
        }
        self.envelope = Some(Envelope {
            from,
            to: Vec::new(),
        });
        self.agree("250 go on")
    }

    fn recipient(&mut self, to: String) -> io::Result<Next> {
        match &mut self.envelope {
            None => self.refuse("503 say MAIL first"),
            Some(envelope) if envelope.to.len() >= RECIPIENTS => {
                self.refuse("452 too many recipients")
            }
            Some(envelope) => {
                envelope.to.push(to);
                self.agree("250 go on")
            }
        }
    }

    fn data(&mut self) -> io::Result<Next> {
        let is_addressed = self
            .envelope
            .as_ref()
            .is_some_and(|envelope| !envelope.to.is_empty());
        let Some(envelope) = self.envelope.take_if(|_| is_addressed) else {
            return self.refuse("503 say RCPT first");
        };
        self.reply("354 go on, and end with a dot")?;
        match self.text()? {
            Text::Ended => Ok(Next::HangUp),
            Text::Refused(reply) => self.refuse(reply),
            Text::Whole(data) => {
                let Envelope { from, to } = envelope;
                match self.mailbox.keep(Message { from, to, data }) {
                    true => self.agree("250 taken"),
                    false => self.refuse("452 there is no more room"),
                }
            }
        }
    }

    /// The lines up to the one with only a dot, with dots unstuffed (RFC 5321 section 4.5.2).
    fn text(&mut self) -> io::Result<Text> {
        let (mut data, mut read, mut refused) = (Vec::new(), 0_usize, None);
        loop {
            if Instant::now() >= self.deadline || read > READ_ON_FACTOR * MESSAGE_BYTES {
                return Ok(Text::Ended);
            }
            match line::read(&mut self.reader, TEXT_LINE_BYTES)? {
                Line::End => return Ok(Text::Ended),
                Line::BareEnd => {
                    read = read.saturating_add(TEXT_LINE_BYTES);
                    refused = Some("554 a line ends in CR LF");
                }
                Line::TooLong => {
                    read = read.saturating_add(TEXT_LINE_BYTES);
                    refused = refused.or(Some("500 a line is too long"));
                }
                Line::Text(text) if text == b"." => break,
                Line::Text(text) => {
                    let text = text.strip_prefix(b".").unwrap_or(&text);
                    read = read.saturating_add(text.len()).saturating_add(2);
                    if read > MESSAGE_BYTES {
                        refused = refused.or(Some("552 the message is too long"));
                    }
                    if refused.is_none() {
                        data.extend_from_slice(text);
                        data.extend_from_slice(b"\r\n");
                    }
                }
            }
        }
        Ok(refused.map_or(Text::Whole(data), Text::Refused))
    }

    fn agree(&mut self, reply: &str) -> io::Result<Next> {
        self.reply(reply)?;
        Ok(Next::GoOn)
    }

    fn refuse(&mut self, reply: &str) -> io::Result<Next> {
        self.reply(reply)?;
        self.errors = self.errors.saturating_add(1);
        if self.errors < ERRORS {
            return Ok(Next::GoOn);
        }
        self.reply("421 too many errors")?;
        Ok(Next::HangUp)
    }

    fn reply(&mut self, reply: &str) -> io::Result<()> {
        write!(self.writer, "{reply}\r\n")?;
        self.writer.flush()
    }
}
