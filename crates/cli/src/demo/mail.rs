//! Sending mail: by SMTP, with the arguments of `email.send`.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message, SmtpTransport, Transport as _};
use serde::Deserialize;
use serde_json::Value;

/// Who sends.
const FROM: &str = "support@acme.example";
/// How long the mail server may take for one reply.
const REPLY_MAX: Duration = Duration::from_secs(10);

/// A connection to a mail server.
pub(super) struct Mailer(SmtpTransport);

/// The arguments of `email.send`, as its manifest has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    to: Vec<String>,
    #[serde(default)]
    cc: Vec<String>,
    #[serde(default)]
    bcc: Vec<String>,
    subject: String,
    body: String,
}

/// Adds a recipient to one line of the header.
type Add = fn(MessageBuilder, Mailbox) -> MessageBuilder;

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    /// The arguments make no message.
    #[error("the message cannot be written: {0}")]
    Message(String),
    /// The mail server did not take it.
    #[error("the mail server did not take it: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
}

impl Mailer {
    /// A mailer for the server at `address`, which is on this machine.
    pub(super) fn new(address: SocketAddr) -> Self {
        let transport = SmtpTransport::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .hello_name(ClientId::Domain("mail.acme.example".to_owned()))
            .timeout(Some(REPLY_MAX))
            .build();
        Self(transport)
    }

    /// Sends what `args` say.
    pub(super) fn send(&self, args: &Value) -> Result<(), MailError> {
        let mail: Mail = serde_json::from_value(args.clone()).map_err(unwritable)?;
        self.0.send(&mail.message()?)?;
        Ok(())
    }
}

impl Mail {
    fn message(&self) -> Result<Message, MailError> {
        let mut message = Message::builder().from(Mailbox::new(None, address(FROM)?));
        let kinds: [(&[String], Add); 3] = [
            (&self.to, MessageBuilder::to),
            (&self.cc, MessageBuilder::cc),
            (&self.bcc, MessageBuilder::bcc),
        ];
        for (addresses, add) in kinds {
            for text in addresses {
                message = add(message, Mailbox::new(None, address(text)?));
            }
        }
        message
            .subject(&self.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(self.body.clone())
            .map_err(unwritable)
    }
}

/// A bare address: no display name, so that what was judged is what is written to.
fn address(text: &str) -> Result<Address, MailError> {
    text.parse().map_err(unwritable)
}

fn unwritable(error: impl std::fmt::Display) -> MailError {
    MailError::Message(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::smtp::Sink;
    use serde_json::json;

    #[test]
    fn a_message_reaches_every_recipient_and_names_no_hidden_one() {
        let sink = Sink::start().unwrap();
        let args = json!({
            "to": ["a@one.example", "b@two.example"], "cc": ["c@three.example"], "bcc": ["d@four.example"],
            "subject": "Hello", "body": ".\n..\nBye",
        });
        Mailer::new(sink.address()).send(&args).unwrap();
        let [message] = &sink.messages()[..] else {
            panic!("one message")
        };
        assert_eq!(message.from, FROM);
        assert_eq!(
            message.to,
            [
                "a@one.example",
                "b@two.example",
                "c@three.example",
                "d@four.example"
            ]
        );
        let data = String::from_utf8(message.data.clone()).unwrap();
        let (header, body) = data.split_once("\r\n\r\n").unwrap();
        assert!(header.contains("Subject: Hello"), "{header}");
        assert!(
            header.contains("Cc: c@three.example") && !header.contains("d@four"),
            "{header}"
        );
        assert_eq!(body, ".\r\n..\r\nBye\r\n");
    }

    #[test]
    fn what_is_no_plain_address_or_no_argument_is_not_sent() {
        let sink = Sink::start().unwrap();
        let mailer = Mailer::new(sink.address());
        let with_to = |to: Value| json!({"to": to, "subject": "s", "body": "b"});
        for args in [
            with_to(json!(["a@one.example\r\nBcc: b@two.example"])),
            with_to(json!(["A <a@one.example>"])),
            with_to(json!(["a@one.example, b@two.example"])),
            with_to(json!([])),
            with_to(json!("a@one.example")),
            json!({"to": ["a@one.example"], "subject": "s", "body": "b", "reply_to": "x"}),
        ] {
            assert!(
                matches!(mailer.send(&args), Err(MailError::Message(_))),
                "{args}"
            );
        }
        assert_eq!(sink.messages(), []);
    }
}
