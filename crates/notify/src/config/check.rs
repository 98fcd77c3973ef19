//! From what is written of a sink to what is used.

use std::time::Duration;

use countersign_core::entry::Severity;
use lettre::message::Mailbox;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::sink::{Mail, MailTls, RawSink, Reach, Sink, SinkName, To, Webhook};
use crate::address::Networks;
use crate::limits::{RECIPIENTS, SECRETS};
use crate::quiet::QuietHours;
use crate::retry::RetryPlan;
use crate::sign::SigningSecret;

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
            (false, true) => return Err("what goes there would not be encrypted; in a private network that is allowed by `allow_private = true`, which is --allow-private".to_owned()),
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
