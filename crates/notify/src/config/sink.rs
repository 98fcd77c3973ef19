//! One sink, as it is written and as it is used.

use std::path::PathBuf;

use countersign_core::entry::Severity;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::address::Networks;
use crate::quiet::{QuietHours, RawQuiet};
use crate::retry::RetryPlan;
use crate::sign::SigningSecret;

/// The name of a sink: 1 to 40 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkName(String);

/// Somewhere to tell people.
pub struct Sink {
    /// Its name.
    pub name: SinkName,
    /// What it is.
    pub to: To,
    /// Where it may lie, and who vouches for it.
    pub reach: Reach,
    /// What is less grave is not told.
    pub min_severity: Severity,
    /// When what is not critical waits.
    pub quiet: Option<QuietHours>,
    /// The token under which sealed records are opened for it.
    pub opens: Option<Zeroizing<String>>,
    /// Whether a new sink is told what the log holds already.
    pub from_start: bool,
    /// When it is tried again.
    pub retry: RetryPlan,
}

/// What a sink is.
pub enum To {
    /// A webhook with Standard Webhooks signatures.
    Webhook(Webhook),
    /// A chat's incoming webhook of Slack's form; whoever has the address may write to the chat.
    Slack(Url),
    /// Mail.
    Mail(Mail),
}

/// A webhook.
pub struct Webhook {
    /// Where.
    pub url: Url,
    /// Who signs, the newest first; two while a secret is exchanged.
    pub secrets: Vec<SigningSecret>,
}

/// Mail over SMTP.
pub struct Mail {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is encrypted.
    pub tls: MailTls,
    /// Who writes.
    pub from: Mailbox,
    /// Who is written to.
    pub to: Vec<Mailbox>,
    /// User and password.
    pub login: Option<(String, Zeroizing<String>)>,
}

/// How a mail's connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// It begins plain and must change over (RFC 3207).
    #[default]
    Starttls,
    /// From the first byte on (RFC 8314).
    Implicit,
    /// Not at all: a relay in a private network.
    None,
}

/// Where a sink may lie, and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The networks.
    pub networks: Networks,
    /// The certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// A sink as `notify.toml` has it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSink {
    /// The name.
    pub name: String,
    /// `webhook`, `slack` or `mail`.
    pub kind: String,
    /// Webhook and chat: where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Webhook: one secret, or two while it is exchanged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Mail: `HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Mail: how it is encrypted; `starttls` unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<MailTls>,
    /// Mail: who writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Mail: who is written to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Mail: the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Mail: the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// What is less grave is not told; `notice` unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
    /// When what is not critical waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<RawQuiet>,
    /// A vault-reader's token, or the path of a file that holds it: what is sealed of a flag's onset is
    /// opened under it and told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// Whether it may lie in a private network, unencrypted there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_private: bool,
    /// A PEM file of certificates to trust in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether it is told what the log holds already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_start: bool,
    /// The first wait before it is tried again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_first_s: Option<u32>,
    /// The longest wait, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_most_s: Option<u32>,
    /// After how long a message is given up, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub give_up_s: Option<u32>,
}

impl SinkName {
    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=40).contains(&text.len()) && text.bytes().all(fits);
        is_name.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SinkName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Sink {
    /// Where it lies, without what is secret of it.
    pub fn place(&self) -> String {
        let of = |url: &Url| {
            let port = url.port().map(|port| format!(":{port}"));
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{}", url.scheme(), port.unwrap_or_default())
        };
        match &self.to {
            To::Webhook(webhook) => of(&webhook.url),
            To::Slack(url) => of(url),
            To::Mail(mail) => format!("{}:{}", mail.host, mail.port),
        }
    }

    /// `webhook`, `slack` or `mail`.
    pub fn kind(&self) -> &'static str {
        match &self.to {
            To::Webhook(_) => "webhook",
            To::Slack(_) => "slack",
            To::Mail(_) => "mail",
        }
    }

    /// Tells apart what a sink was and what it is now, without saying what is secret of it.
    pub(crate) fn fingerprint(&self) -> String {
        let whole = match &self.to {
            To::Webhook(webhook) => webhook.url.to_string(),
            To::Slack(url) => url.to_string(),
            To::Mail(mail) => format!("{}:{}", mail.host, mail.port),
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, whole.as_bytes());
        let bytes = digest.as_ref().iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}
