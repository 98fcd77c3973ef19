//! One attempt to tell a sink something.

mod http;
mod mail;
mod slack;
mod smtp;
mod tls;
mod wire;

use std::time::Duration;

use countersign_core::time::Timestamp;

use crate::address::Lookup;
use crate::config::{Sink, To};
use crate::payload::payload;
use crate::sign::signatures;
use crate::text::Told;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Delivered,
    /// It did not; it is tried again.
    Failed {
        /// Why.
        why: String,
        /// How long the receiver asked to wait.
        after: Option<Duration>,
    },
    /// The receiver will not have this message.
    Refused(String),
    /// The receiver will have no more messages.
    Gone(String),
}

/// What an attempt needs beside the sink.
pub(crate) struct Attempt<'a> {
    /// The message's id: the same at every attempt.
    pub(crate) id: &'a str,
    pub(crate) told: Told<'a>,
    /// The flag that it is about, if it is about one: later mails follow the first.
    pub(crate) thread: Option<String>,
    pub(crate) link: Option<&'a str>,
    pub(crate) now: Timestamp,
    /// The longest that it may take.
    pub(crate) within: Duration,
}

impl Outcome {
    pub(crate) fn failed(why: impl std::fmt::Display) -> Self {
        Self::Failed {
            why: why.to_string(),
            after: None,
        }
    }
}

/// Tells a sink something, once. Never takes much longer than the attempt may.
pub(crate) fn send(sink: &Sink, attempt: &Attempt<'_>, lookup: &dyn Lookup) -> Outcome {
    match &sink.to {
        To::Webhook(webhook) => {
            let body = payload(&attempt.told, attempt.now, attempt.link).to_string();
            // A receiver refuses old times, so each attempt is signed anew.
            let seconds = attempt.now.as_millis().div_euclid(1_000);
            let signed = signatures(&webhook.secrets, attempt.id, seconds, body.as_bytes());
            let headers = [
                ("webhook-id", attempt.id.to_owned()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", signed),
            ];
            http::post(&webhook.url, &headers, body, sink, attempt, lookup)
        }
        To::Slack(url) => {
            let body = slack::body(&attempt.told, attempt.now, attempt.link).to_string();
            http::post(url, &[], body, sink, attempt, lookup)
        }
        To::Mail(mail) => match mail::message(mail, attempt) {
            Ok(message) => smtp::send(mail, &sink.reach, &message, attempt.within, lookup),
            Err(why) => Outcome::Refused(why),
        },
    }
}

/// Tells a sink nothing, to see whether it arrives.
pub fn send_test(sink: &Sink, origin: &str, within: Duration, lookup: &dyn Lookup) -> Outcome {
    let now = jiff::Timestamp::now().as_millisecond();
    let attempt = Attempt {
        id: &format!("test_{now}"),
        told: Told::Test { origin },
        thread: None,
        link: None,
        now: Timestamp::from_millis(now),
        within,
    };
    send(sink, &attempt, lookup)
}
