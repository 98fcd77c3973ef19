//! `countersign entries`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use countersign_client::{Client, EntriesQuery};
use countersign_core::entry::Body;
use countersign_core::ids::EntryId;
use countersign_ledger::{Filter, LogReader, Order, Page};
use countersign_merkle::LeafIndex;
use countersign_store_sqlite::SqliteStore;
use countersign_wire::{EntryAnswer, EntryPage, RawJson};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Entries on a page, when all pages are asked for.
const PAGE: usize = 500;

/// Newest first, unless --oldest.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct EntriesArgs {
    #[command(subcommand)]
    command: Option<EntriesCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum EntriesCommand {
    /// Show one entry with its proof
    Show(ShowArgs),
    /// Print a proof of one entry against a published checkpoint: an older receipt anchored anew
    Proof(ProofArgs),
    /// What is no subcommand; very likely an entry's id.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The entry's id
    entry_id: String,
    /// Read a data directory in place of a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ProofArgs {
    /// The entry's id
    entry_id: String,
    /// How many entries the checkpoint covers [default: the newest published one]
    #[arg(long, value_name = "N")]
    size: Option<u64>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Committed at or after this time: 2026-04-18T02:13:44Z, 2026-04-18, or so long ago: 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = crate::units::time)]
    since: Option<String>,
    /// Committed before this time
    #[arg(long, value_name = "TIME", value_parser = crate::units::time)]
    until: Option<String>,
    /// Of this kind, such as decision, intent or flag
    #[arg(long, value_parser = kind)]
    kind: Option<String>,
    /// Of this actor
    #[arg(long)]
    actor: Option<String>,
    /// Of this action
    #[arg(long)]
    action: Option<String>,
    /// approved, rejected or escalated
    #[arg(long)]
    outcome: Option<String>,
    /// Under this turn
    #[arg(long, value_name = "INTENT_REF")]
    intent: Option<String>,
    /// Of this session: its pseudonym or, for a vault-reader, its id
    #[arg(long)]
    session: Option<String>,
    /// With this target: its pseudonym or, for a vault-reader, Type::id
    #[arg(long)]
    target: Option<String>,
    /// Begin with the oldest
    #[arg(long)]
    oldest: bool,
    /// How many at most [default: 50]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// All of them
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
    /// Where an earlier page ended
    #[arg(long)]
    cursor: Option<String>,
    /// Read a data directory in place of a server
    #[arg(long, value_name = "DIR", conflicts_with_all = ["session", "target"])]
    data: Option<PathBuf>,
}

pub(crate) fn run(
    args: &EntriesArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match &args.command {
        Some(EntriesCommand::Show(args)) => show(args, connection, terminal),
        Some(EntriesCommand::Proof(args)) => proof(args, connection, terminal),
        Some(EntriesCommand::Other(words)) => Err(no_subcommand(words)),
        None => list(&args.list, connection, terminal),
    }
}

fn no_subcommand(words: &[String]) -> CliError {
    let word = words.first().map(String::as_str).unwrap_or_default();
    let error = CliError::usage(format!(
        "`{word}` is no subcommand of `entries`; allowed are `show` and `proof`"
    ));
    match word.parse::<EntryId>() {
        Ok(id) => error.hint(format!("countersign entries show {id}")),
        Err(_) => error.hint("countersign entries --help"),
    }
}

/// A kind that no entry has would answer with nothing, which looks like an answer.
fn kind(text: &str) -> Result<String, String> {
    let known: Vec<&str> = Body::KINDS.iter().map(|(kind, _, _)| *kind).collect();
    match known.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "entries are of no such kind; there are: {}",
            known.join(", ")
        )),
    }
}

fn show(
    args: &ShowArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let answer = match &args.data {
        Some(dir) => stored(dir, &args.entry_id)?,
        None => connection
            .open(terminal)?
            .with_role(&["auditor", "vault-reader"])?
            .entry(&args.entry_id)?,
    };
    terminal.answer(&answer, || render::entry(terminal, &answer))?;
    Ok(Exit::Yes)
}

/// The proof as it is: a C2SP tlog-proof that others read.
fn proof(
    args: &ProofArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(&["auditor"])?;
    let answer = client.entry_proof(&args.entry_id, args.size)?;
    match terminal.is_json() {
        true => terminal.json(&answer)?,
        false => terminal.bytes(render::plain(&answer.proof).as_bytes())?,
    }
    if !terminal.is_json() && !answer.witnessed {
        terminal.note("no quorum of witnesses has cosigned this checkpoint");
    }
    Ok(Exit::Yes)
}

fn list(
    args: &ListArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    // A value in place of a pseudonym is for a vault-reader only.
    let is_value =
        |text: &Option<String>| text.as_ref().is_some_and(|text| !text.starts_with("ref:"));
    let roles: &[&str] = match is_value(&args.session) || is_value(&args.target) {
        true => &["vault-reader"],
        false => &["auditor", "vault-reader"],
    };
    let log = match &args.data {
        Some(dir) => Log::Directory(open_log(dir)?),
        None => Log::Server(connection.open(terminal)?.with_role(roles)?),
    };
    let mut query = args.query();
    let mut shown = log.page(&query)?;
    while args.all && shown.next.is_some() {
        query.cursor = shown.next.take();
        let more = log.page(&query)?;
        shown.entries.extend(more.entries);
        shown.next = more.next;
    }
    if shown.entries.is_empty() && !terminal.is_json() {
        terminal.note("no entry matches");
        return Ok(Exit::Yes);
    }
    terminal.answer(&shown, || render::entries(terminal, &shown.entries))?;
    if let (Some(next), false) = (&shown.next, terminal.is_json()) {
        terminal.hint(format!("there are more: --cursor {next}, or --all"));
    }
    Ok(Exit::Yes)
}

/// Where entries come from.
enum Log {
    Server(Client),
    Directory(LogReader),
}

impl Log {
    fn page(&self, query: &EntriesQuery) -> Result<EntryPage, CliError> {
        match self {
            Self::Server(client) => Ok(client.entries(query)?),
            Self::Directory(log) => page_of(log, query),
        }
    }
}

impl ListArgs {
    fn query(&self) -> EntriesQuery {
        let limit = self
            .limit
            .map(|limit| usize::try_from(limit).unwrap_or(PAGE));
        EntriesQuery {
            since: self.since.clone(),
            until: self.until.clone(),
            kind: self.kind.clone(),
            actor: self.actor.clone(),
            action: self.action.clone(),
            outcome: self.outcome.clone(),
            intent: self.intent.clone(),
            session: self.session.clone(),
            target: self.target.clone(),
            order: self.oldest.then(|| "oldest".to_owned()),
            cursor: self.cursor.clone(),
            limit: if self.all { Some(PAGE) } else { limit },
        }
    }
}

/// Opens the log of a data directory to be read; a server may be running on it.
pub(crate) fn open_log(dir: &Path) -> Result<LogReader, CliError> {
    let failed = |error: String| CliError::io(dir, error);
    let database = countersign_host::DataDir::new(dir).database();
    let store =
        SqliteStore::open_read_only(&database).map_err(|error| failed(error.to_string()))?;
    let log = LogReader::open(Arc::new(store)).map_err(|error| failed(error.to_string()))?;
    log.ok_or_else(|| failed("there is no log in this directory".to_owned()))
}

fn page_of(log: &LogReader, query: &EntriesQuery) -> Result<EntryPage, CliError> {
    let filter = Filter {
        from: parsed("since", query.since.as_deref())?,
        until: parsed("until", query.until.as_deref())?,
        kind: query.kind.clone(),
        actor: parsed("actor", query.actor.as_deref())?,
        action: parsed("action", query.action.as_deref())?,
        outcome: parsed("outcome", query.outcome.as_deref())?,
        intent: parsed("intent", query.intent.as_deref())?,
        session: None,
        target: None,
    };
    let page = Page {
        order: if query.order.is_some() {
            Order::OldestFirst
        } else {
            Order::NewestFirst
        },
        after: parsed::<u64>("cursor", query.cursor.as_deref())?.map(LeafIndex::new),
        limit: query.limit.unwrap_or(countersign_service::PAGE_DEFAULT),
    };
    let found = log
        .query(&filter, &page)
        .map_err(|error| CliError::usage(error.to_string()))?;
    let entries = found
        .entries
        .iter()
        .map(|stored| {
            Ok(EntryAnswer {
                index: stored.index.get(),
                entry: raw(&stored.bytes)?,
            })
        })
        .collect::<Result<_, CliError>>()?;
    Ok(EntryPage {
        entries,
        next: found.next.map(|index| index.get().to_string()),
    })
}

fn stored(dir: &Path, entry_id: &str) -> Result<EntryAnswer, CliError> {
    let id: EntryId = entry_id
        .parse()
        .map_err(|error| CliError::usage(format!("{error}")))?;
    let log = open_log(dir)?;
    let failed = |error: countersign_ledger::ReadError| CliError::io(dir, error);
    let found = log.entry(id).map_err(failed)?;
    let found = found
        .ok_or_else(|| CliError::io(dir, format!("there is no entry `{id}`")).exiting(Exit::No))?;
    let proof = log.proof(found.index).map_err(failed)?;
    let mut members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&found.bytes).map_err(|error| CliError::io(dir, error))?;
    members.insert("proof".to_owned(), proof.into());
    let entry =
        serde_json::value::to_raw_value(&members).map_err(|error| CliError::io(dir, error))?;
    Ok(EntryAnswer {
        index: found.index.get(),
        entry,
    })
}

fn raw(bytes: &[u8]) -> Result<RawJson, CliError> {
    serde_json::from_slice(bytes)
        .map_err(|error| CliError::usage(format!("a leaf is no json: {error}")))
}

fn parsed<T: std::str::FromStr>(option: &str, text: Option<&str>) -> Result<Option<T>, CliError>
where
    T::Err: std::fmt::Display,
{
    text.map(str::parse)
        .transpose()
        .map_err(|error: T::Err| CliError::usage(format!("--{option}: {error}")))
}
