//! `countersign notify add`

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use countersign_core::entry::Severity;
use countersign_keys::SystemRandom;
use countersign_notify::{MailTls, RawQuiet, RawSink, SigningSecret, State};
use serde::Serialize;

use super::At;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::Terminal;

/// How long a running server has to take a new sink up before nothing is said of it.
const TAKEN_UP: Duration = Duration::from_secs(2);

/// Secrets come from files or stdin: other users of a machine see a command's arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum AddCommand {
    /// A webhook with Standard Webhooks signatures
    Webhook(WebhookArgs),
    /// A chat's incoming webhook, of Slack's form
    Slack(SlackArgs),
    /// Mail over SMTP
    Mail(MailArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// A name for it: a-z, 0-9 and -
    name: String,
    /// Where: https://…
    url: String,
    /// A file with the secret, whsec_…; without one a fresh secret is made and shown once
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct SlackArgs {
    /// A name for it: a-z, 0-9 and -
    name: String,
    /// The address, which is a secret; - reads it from stdin
    url: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct MailArgs {
    /// A name for it: a-z, 0-9 and -
    name: String,
    /// The mail server: HOST:PORT
    server: String,
    /// Who writes
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Who is written to
    #[arg(long, value_name = "ADDRESS", required = true)]
    to: Vec<String>,
    /// How the connection is encrypted
    #[arg(long, value_enum, default_value = "starttls")]
    tls: Encryption,
    /// The user to log in as
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// How a mail's connection is encrypted.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Encryption {
    /// It begins plain and must change over
    Starttls,
    /// From the first byte on
    Implicit,
    /// Not at all: a relay in a private network, with --allow-private
    None,
}

/// What all sinks have.
#[derive(Debug, Args)]
struct Common {
    /// What is less grave is not told
    #[arg(long, value_enum, default_value = "notice")]
    min_severity: Grave,
    /// When what is not critical waits for a digest, as 22:00-07:00
    #[arg(long, value_name = "FROM-TO")]
    quiet: Option<String>,
    /// The offset of the quiet hours from UTC; it does not follow summer time
    #[arg(
        long,
        value_name = "+HH:MM",
        default_value = "+00:00",
        allow_hyphen_values = true
    )]
    quiet_offset: String,
    /// A file with the token of a vault-reader: what is sealed of a flag's onset is opened under it and told
    #[arg(long, value_name = "FILE")]
    opens: Option<PathBuf>,
    /// It may lie in a private network, and be unencrypted there
    #[arg(long)]
    allow_private: bool,
    /// A PEM file of certificates to trust in place of the system's
    #[arg(long, value_name = "FILE")]
    sink_ca_file: Option<PathBuf>,
    /// Tell it what the log holds already
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    at: At,
}

/// A severity.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Grave {
    /// Everything
    Notice,
    /// What is worth looking at today
    Warning,
    /// What is worth waking somebody
    Critical,
}

/// What was added, as `--json` prints it.
#[derive(Serialize)]
struct Added<'a> {
    name: &'a str,
    kind: &'a str,
    /// The secret that was made, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// Whether a running server has taken it up.
    taken_up: bool,
}

pub(super) fn run(command: &AddCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        AddCommand::Webhook(args) => webhook(args, terminal),
        AddCommand::Slack(args) => slack(args, terminal),
        AddCommand::Mail(args) => mail(args, terminal),
    }
}

fn webhook(args: &WebhookArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (secret, is_fresh) = match &args.secret_file {
        Some(path) => (input::file(path)?.trim().to_owned(), false),
        None => (
            SigningSecret::fresh(&SystemRandom).reveal().to_string(),
            true,
        ),
    };
    let sink = RawSink {
        name: args.name.clone(),
        kind: "webhook".to_owned(),
        url: Some(args.url.clone()),
        secrets: vec![secret.clone()],
        ..args.common.sink()?
    };
    let shown = Some(secret.as_str()).filter(|_| is_fresh);
    added(&sink, &args.common.at, shown, terminal)
}

fn slack(args: &SlackArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let url = match args.url.as_str() {
        "-" => {
            let mut url = String::new();
            let read = std::io::stdin()
                .lock()
                .take(8 * 1024)
                .read_to_string(&mut url);
            read.map_err(|error| CliError::io(Path::new("stdin"), error))?;
            url.trim().to_owned()
        }
        url => url.to_owned(),
    };
    let sink = RawSink {
        name: args.name.clone(),
        kind: "slack".to_owned(),
        url: Some(url),
        ..args.common.sink()?
    };
    added(&sink, &args.common.at, None, terminal)
}

fn mail(args: &MailArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let password = args.password_file.as_deref().map(input::file).transpose()?;
    let sink = RawSink {
        name: args.name.clone(),
        kind: "mail".to_owned(),
        server: Some(args.server.clone()),
        tls: Some(match args.tls {
            Encryption::Starttls => MailTls::Starttls,
            Encryption::Implicit => MailTls::Implicit,
            Encryption::None => MailTls::None,
        }),
        from: Some(args.from.clone()),
        to: args.to.clone(),
        username: args.username.clone(),
        password: password.map(|password| password.trim_end_matches(['\r', '\n']).to_owned()),
        ..args.common.sink()?
    };
    added(&sink, &args.common.at, None, terminal)
}

fn added(
    sink: &RawSink,
    at: &At,
    secret: Option<&str>,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let (_, dir) = at.dir()?;
    dir.config().add(sink)?;
    let begun = Instant::now();
    let is_taken_up = || {
        let state = State::read(&dir.state()).ok().flatten();
        state.is_some_and(|state| state.sinks.contains_key(&sink.name))
    };
    while !is_taken_up() && begun.elapsed() < TAKEN_UP {
        std::thread::sleep(Duration::from_millis(50));
    }
    let document = Added {
        name: &sink.name,
        kind: &sink.kind,
        secret,
        taken_up: is_taken_up(),
    };
    if terminal.is_json() {
        terminal.json(&document)?;
    } else if let Some(secret) = secret {
        terminal.line(secret)?;
        terminal.note(
            "whoever receives it checks signatures with this secret, which is shown this once",
        );
    }
    match document.taken_up {
        true => terminal.note(format!(
            "a running server tells `{}` from now on",
            sink.name
        )),
        false => {
            terminal.note("no running server has taken it up yet: it begins with the next start")
        }
    }
    terminal.hint(format!(
        "countersign notify test {}{}",
        sink.name,
        at.option()
    ));
    Ok(Exit::Yes)
}

impl Common {
    /// What all sinks have; paths that mean the same from everywhere.
    fn sink(&self) -> Result<RawSink, CliError> {
        let absolute =
            |path: &PathBuf| std::path::absolute(path).map_err(|error| CliError::io(path, error));
        let opens = self.opens.as_ref().map(absolute).transpose()?;
        let quiet = self.quiet.as_deref().map(|text| {
            let (from, to) = text.split_once('-').ok_or_else(|| {
                CliError::usage(format!("`{}` names no quiet hours", text.escape_debug()))
                    .hint("allowed is FROM-TO, as 22:00-07:00")
            })?;
            Ok::<_, CliError>(RawQuiet {
                from: from.to_owned(),
                to: to.to_owned(),
                offset: self.quiet_offset.clone(),
                below: Severity::Critical,
            })
        });
        Ok(RawSink {
            min_severity: match self.min_severity {
                Grave::Notice => None,
                Grave::Warning => Some(Severity::Warning),
                Grave::Critical => Some(Severity::Critical),
            },
            quiet: quiet.transpose()?,
            opens: opens.map(|path| path.display().to_string()),
            allow_private: self.allow_private,
            ca_file: self.sink_ca_file.as_ref().map(absolute).transpose()?,
            from_start: self.from_start,
            ..RawSink::default()
        })
    }
}
