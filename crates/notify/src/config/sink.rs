//! One sink, as it is written and as it is used.

use std::path::PathBuf;
use std::time::Duration;

use countersign_core::entry::Severity;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::address::Networks;
use crate::limits::{RECIPIENTS, SECRETS};
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

impl RawSink {
    pub(crate) fn check(&self) -> Result<Sink, String> {
        let name = SinkName::parse(&self.name);
        let name = name.ok_or("a name is 1 to 40 of `a-z`, `0-9` and `-`")?;
        let (to, is_plain) = match self.kind.as_str() {
            "webhook" => self.webhook()?,
            "slack" => self.slack()?,
            "mail" => self.mail()?,
            other => {
                return Err(format!(
                    "`kind` is `{}`; allowed are `webhook`, `slack` and `mail`",
                    other.escape_debug()
                ));
            }
        };
        let networks = match (self.allow_private, is_plain) {
            (false, false) => Networks::Public,
            (true, false) => Networks::Any,
            (true, true) => Networks::Private,
            (false, true) => return Err("what goes there would not be encrypted; in a private network that is allowed by `allow_private = true`".to_owned()),
        };
        let quiet = self.quiet.as_ref().map(QuietHours::parse).transpose();
        Ok(Sink {
            name,
            to,
            reach: Reach {
                networks,
                ca_file: self.ca_file.clone(),
            },
            min_severity: self.min_severity.unwrap_or(Severity::Notice),
            quiet: quiet.map_err(|error| error.to_string())?,
            opens: self.opens.as_deref().map(token).transpose()?,
            from_start: self.from_start,
            retry: self.plan()?,
        })
    }

    fn webhook(&self) -> Result<(To, bool), String> {
        self.none_of_mail()?;
        let url = self.address()?;
        let is_plain = url.scheme() == "http";
        if self.secrets.is_empty() || self.secrets.len() > SECRETS {
            let count = self.secrets.len();
            return Err(format!(
                "there are {count} `secrets`; allowed are 1 and, while one is exchanged, {SECRETS}"
            ));
        }
        let secrets = self.secrets.iter().map(|text| SigningSecret::parse(text));
        let secrets = secrets.collect::<Result<_, _>>();
        let secrets = secrets.map_err(|error| error.to_string())?;
        Ok((To::Webhook(Webhook { url, secrets }), is_plain))
    }

    fn slack(&self) -> Result<(To, bool), String> {
        self.none_of_mail()?;
        if !self.secrets.is_empty() {
            return Err("a chat checks no signatures: `secrets` does not belong here".to_owned());
        }
        let url = self.address()?;
        let is_plain = url.scheme() == "http";
        Ok((To::Slack(url), is_plain))
    }

    fn mail(&self) -> Result<(To, bool), String> {
        if self.url.is_some() || !self.secrets.is_empty() {
            return Err("`url` and `secrets` do not belong to mail".to_owned());
        }
        let server = self.server.as_deref().ok_or("`server` is missing")?;
        let (host, port) = host_and_port(server)?;
        let from = mailbox(self.from.as_deref().ok_or("`from` is missing")?)?;
        if !(1..=RECIPIENTS).contains(&self.to.len()) {
            return Err(format!(
                "`to` names {}; allowed are 1 to {RECIPIENTS}",
                self.to.len()
            ));
        }
        let to = self
            .to
            .iter()
            .map(|text| mailbox(text))
            .collect::<Result<_, _>>()?;
        let tls = self.tls.unwrap_or_default();
        let login = match (&self.username, &self.password) {
            (Some(user), Some(password)) => Some((user.clone(), Zeroizing::new(password.clone()))),
            (None, None) => None,
            _ => return Err("`username` and `password` go together".to_owned()),
        };
        if tls == MailTls::None && login.is_some() {
            return Err(
                "a password does not go over a connection that is not encrypted".to_owned(),
            );
        }
        let mail = Mail {
            host,
            port,
            tls,
            from,
            to,
            login,
        };
        Ok((To::Mail(mail), tls == MailTls::None))
    }

    fn none_of_mail(&self) -> Result<(), String> {
        let has_own = [&self.server, &self.from, &self.username, &self.password];
        let is_mail = has_own.iter().any(|it| it.is_some()) || self.tls.is_some();
        match is_mail || !self.to.is_empty() {
            true => Err(
                "`server`, `tls`, `from`, `to`, `username` and `password` belong to mail"
                    .to_owned(),
            ),
            false => Ok(()),
        }
    }

    fn address(&self) -> Result<Url, String> {
        let text = self.url.as_deref().ok_or("`url` is missing")?;
        let url = Url::parse(text).map_err(|error| format!("`url` is no address: {error}"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err("`url` begins with neither `https://` nor `http://`".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("`url` holds a user's name or password".to_owned());
        }
        match url.host() {
            Some(Host::Domain("")) => Err("`url` names no host".to_owned()),
            None => Err("`url` names no host".to_owned()),
            Some(_) => Ok(url),
        }
    }

    fn plan(&self) -> Result<RetryPlan, String> {
        let usual = RetryPlan::default();
        let seconds = |set: Option<u32>, usual: Duration| {
            set.map_or(usual, |seconds| Duration::from_secs(u64::from(seconds)))
        };
        let plan = RetryPlan {
            first: seconds(self.retry_first_s, usual.first),
            most: seconds(self.retry_most_s, usual.most),
            give_up: seconds(self.give_up_s, usual.give_up),
        };
        match plan.first.is_zero() || plan.most < plan.first || plan.give_up < plan.first {
            true => Err("`retry_first_s` is at least 1, and `retry_most_s` and `give_up_s` are no less than it".to_owned()),
            false => Ok(plan),
        }
    }
}

/// A token, or what stands in the file of this path.
fn token(text: &str) -> Result<Zeroizing<String>, String> {
    if text.starts_with("cs_") {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let read = std::fs::read_to_string(text);
    let read = read
        .map_err(|error| format!("`opens` is no token, and no file that can be read: {error}"))?;
    Ok(Zeroizing::new(read.trim().to_owned()))
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    // The same reading of hosts as that of addresses, and no other.
    let wrong = || {
        format!(
            "`server` is `{}`; allowed is `HOST:PORT`",
            text.escape_debug()
        )
    };
    let has_more = text.contains(['/', '@', '?', '#', '\\']) || text.trim() != text;
    let url = Url::parse(&format!("smtp://{text}")).map_err(|_| wrong())?;
    let port = url.port().ok_or_else(wrong)?;
    let host = url.host_str().filter(|host| !host.is_empty() && !has_more);
    let host = host.ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), port))
}

/// An address in ASCII, with or without a name before it.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    let shown = text.escape_debug();
    let parsed: Mailbox = text
        .parse()
        .map_err(|error| format!("`{shown}` is no mail address: {error}"))?;
    let is_plain = AsRef::<str>::as_ref(&parsed.email)
        .bytes()
        .all(|byte| byte.is_ascii_graphic());
    match is_plain && !text.contains(char::is_control) {
        true => Ok(parsed),
        false => Err(format!("`{shown}` is no mail address of plain ASCII")),
    }
}
