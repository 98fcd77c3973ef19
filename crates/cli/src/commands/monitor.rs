//! `countersign monitor`

mod event;
mod round;
mod state;

use std::path::PathBuf;
use std::time::Duration;

use countersign_client::{Client, ServerUrl};
use countersign_note::{TlogPolicy, VerifierKey};
use countersign_verify::Trust;

use super::verify::{HeadArgs, LogUrl, log_keys};
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use round::{Round, Rounds};
use state::State;

/// Checks each new head of a log: its signature, and that it extends the one before. Keeps the newest
/// in a directory, and two heads that contradict each other as a file that a stranger can check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 3 two signed heads contradict each other (also without --once) · 2 usage or I/O
With --once: 0 nothing found · 1 something does not hold, or is late · 2 the log could not be read")]
pub(crate) struct MonitorArgs {
    /// The address of the log: https://HOST/log/TENANT/EPOCH
    url: String,
    #[command(flatten)]
    heads: HeadArgs,
    /// Where to keep what was seen, for this log alone
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Look once and end
    #[arg(long)]
    once: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Read the new entries, too, and hold them against both heads [default: if there is a token for them]
    #[arg(long)]
    entries: bool,
    /// Where a witness of the policy shows what it has cosigned, in place of the policy's address; can be given more than once
    #[arg(long = "witness", value_name = "NAME=URL")]
    witnesses: Vec<String>,
    /// How many seconds a witness may be ahead of the log, or the log behind itself, before that is a finding
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(0..=604_800))]
    patience: u64,
}

/// A witness whose view is compared.
struct Witness {
    name: String,
    key: VerifierKey,
    client: Client,
}

pub(crate) fn run(
    args: &MonitorArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let trust = args.heads.read(connection, terminal)?;
    let log = LogUrl::open(&args.url, connection, terminal)?;
    let keys = log_keys(&trust);
    if keys.is_empty() {
        return Err(CliError::usage("no key of the log was given")
            .hint("give --key, or a policy with a line `log VKEY`"));
    }
    let state = State::open(&args.state, keys.clone())?;
    let mut rounds = Rounds {
        is_reading_entries: args.entries || log.has_token(),
        witnesses: witnesses(args, &trust, connection, terminal)?,
        held: trust.held.iter().map(ToString::to_string).collect(),
        patience: Duration::from_secs(args.patience),
        is_quiet: !args.once,
        terminal: *terminal,
        log,
        keys,
        state,
    };
    loop {
        let outcome = rounds.look()?;
        match outcome {
            Round::Contradiction => return Ok(Exit::Inconsistent),
            Round::Findings if args.once => return Ok(Exit::No),
            Round::Unread if args.once => return Ok(Exit::Trouble),
            Round::Fine if args.once => return Ok(Exit::Yes),
            Round::Findings | Round::Unread | Round::Fine => {}
        }
        std::thread::sleep(Duration::from_secs(args.interval));
    }
}

fn witnesses(
    args: &MonitorArgs,
    trust: &Trust,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Vec<Witness>, CliError> {
    let all = trust.policy.iter().flat_map(TlogPolicy::witnesses);
    let known: Vec<_> = all.collect();
    let mut given = Vec::with_capacity(args.witnesses.len());
    for text in &args.witnesses {
        let (name, url) = text
            .split_once('=')
            .ok_or_else(|| CliError::usage(format!("--witness `{text}`: allowed is NAME=URL")))?;
        if !known
            .iter()
            .any(|witness| witness.name().to_string() == name)
        {
            return Err(CliError::usage(format!(
                "--witness `{text}`: the policy has no witness of that name"
            ))
            .hint("a witness needs its key: add a line `witness NAME VKEY` to the policy"));
        }
        given.push((name, url));
    }
    let mut witnesses = Vec::new();
    for witness in known {
        let name = witness.name().to_string();
        let own = given.iter().find(|(given, _)| *given == name);
        let address = match (own, witness.url()) {
            (Some((_, url)), _) => (*url).to_owned(),
            (None, Some(url)) => url.to_string(),
            (None, None) => {
                terminal.warn(format!(
                    "the witness `{name}` is not asked: the policy has no address for it (--witness {name}=URL)"
                ));
                continue;
            }
        };
        let url: ServerUrl = address
            .parse()
            .map_err(|error| CliError::usage(format!("the witness `{name}`: {error}")))?;
        // A witness's view is public: no token is sent.
        let (client, _) = connection.clients_at(&url, &[], terminal)?;
        witnesses.push(Witness {
            name,
            key: witness.key().clone(),
            client,
        });
    }
    Ok(witnesses)
}
