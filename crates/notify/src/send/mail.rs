//! A mail's text.

use std::time::{Duration, SystemTime};

use lettre::Message as MailMessage;
use lettre::message::header::ContentType;

use super::Attempt;
use crate::config::Mail;
use crate::text::{Line, clean};

/// The right side of message ids; nobody receives mail there (RFC 2606).
const ID_HOST: &str = "countersign.invalid";

/// A mail as it goes over the connection: text alone, whoever's words are in it.
pub(super) fn message(mail: &Mail, attempt: &Attempt<'_>) -> Result<Vec<u8>, String> {
    let since = u64::try_from(attempt.now.as_millis()).unwrap_or_default();
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(since);
    let mut builder = MailMessage::builder()
        .from(mail.from.clone())
        // No line break reaches a header: `clean` leaves no control character.
        .subject(clean(&attempt.told.subject()))
        .date(date)
        .message_id(Some(format!("<{}@{ID_HOST}>", attempt.id)))
        .header(ContentType::TEXT_PLAIN);
    if let Some(thread) = attempt
        .thread
        .as_deref()
        .filter(|thread| *thread != attempt.id)
    {
        let first = format!("<{thread}@{ID_HOST}>");
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    for to in &mail.to {
        builder = builder.to(to.clone());
    }
    let mut body = String::new();
    for line in attempt.told.lines(attempt.now, attempt.link) {
        match line {
            Line::Own(line) => body.push_str(&line),
            Line::Foreign(line) => {
                body.push_str("> ");
                body.push_str(&line);
            }
        }
        body.push_str("\r\n");
    }
    let message = builder
        .body(body)
        .map_err(|error| format!("the mail cannot be written: {error}"))?;
    Ok(message.formatted())
}
