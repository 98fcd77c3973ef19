//! Which records are handed over, and which entries name them.

use std::collections::BTreeMap;

use clap::Args;
use countersign_client::{Client, EntriesQuery};
use countersign_core::refs::Sha256;
use countersign_seal::{KINDS, MAX_RECORDS, named};

use super::proving::leaf_of;
use crate::error::CliError;
use crate::terminal::Terminal;

/// Entries that are asked for at once.
const PAGE: usize = 500;

/// Which records. Whatever an entry that is chosen names is, or only some kinds of it.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("records").required(true).multiple(true)
    .args(["refs", "entries", "intents", "sessions", "targets", "requests"])))]
pub(crate) struct ChosenArgs {
    /// A record, by its commitment; can be given more than once
    #[arg(long = "ref", value_name = "REF")]
    refs: Vec<Sha256>,
    /// What an entry names; can be given more than once
    #[arg(long = "entry", value_name = "ID")]
    entries: Vec<String>,
    /// What the entries of a turn name: its words, its calls, their facts and results
    #[arg(long = "intent", value_name = "REF")]
    intents: Vec<String>,
    /// What the entries of a session name
    #[arg(long = "session", value_name = "ID")]
    sessions: Vec<String>,
    /// What the entries of calls with this target name, as `EmailAddress::jo@acme.example`
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// What a confirmed request for an opening names, where two people are needed
    #[arg(long = "request", value_name = "ID")]
    requests: Vec<String>,
    /// Of the entries that are chosen, only documents of this kind; can be given more than once
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
}

/// What was chosen.
pub(super) struct Chosen {
    pub(super) records: Vec<ChosenRecord>,
    /// The entries that name them, in the log's order.
    pub(super) entries: Vec<ChosenEntry>,
}

/// A record that is handed over.
pub(super) struct ChosenRecord {
    pub(super) reference: Sha256,
    /// The confirmed request under which it is opened.
    pub(super) request: Option<String>,
}

/// An entry that names chosen records.
pub(super) struct ChosenEntry {
    pub(super) index: u64,
    pub(super) leaf: String,
    pub(super) names: Vec<Sha256>,
}

/// What is gathered while entries are read.
#[derive(Default)]
struct Gathered {
    /// The records, each with its request.
    records: BTreeMap<Sha256, Option<String>>,
    entries: BTreeMap<u64, ChosenEntry>,
}

impl ChosenArgs {
    /// Reads the entries that name what is chosen. Nothing is opened.
    pub(super) fn read(
        &self,
        reader: &Client,
        opener: &Client,
        terminal: &Terminal,
    ) -> Result<Chosen, CliError> {
        for kind in &self.kinds {
            if !KINDS.iter().any(|(_, known)| known == kind) {
                return Err(CliError::usage(format!(
                    "--kind: there is no kind `{kind}`"
                )));
            }
        }
        let mut gathered = Gathered::default();
        for id in &self.entries {
            let answer = reader.entry(id)?;
            self.take(&mut gathered, answer.index, &answer.entry)?;
        }
        for intent in &self.intents {
            let query = EntriesQuery {
                intent: Some(intent.clone()),
                ..EntriesQuery::default()
            };
            self.read_pages(&mut gathered, reader, query)?;
        }
        for session in &self.sessions {
            let query = EntriesQuery {
                session: Some(session.clone()),
                ..EntriesQuery::default()
            };
            self.read_pages(&mut gathered, opener, query)?;
        }
        for target in &self.targets {
            let query = EntriesQuery {
                target: Some(target.clone()),
                ..EntriesQuery::default()
            };
            self.read_pages(&mut gathered, opener, query)?;
        }
        let mut wanted: BTreeMap<Sha256, Option<String>> =
            self.refs.iter().map(|it| (*it, None)).collect();
        for request in &self.requests {
            for reference in opener.opening(request)?.refs {
                let reference = reference
                    .parse()
                    .map_err(|error| CliError::usage(format!("{error}")))?;
                wanted.insert(reference, Some(request.clone()));
            }
        }
        gathered.seek(wanted, reader, terminal)?;
        Ok(gathered.end())
    }

    fn read_pages(
        &self,
        gathered: &mut Gathered,
        client: &Client,
        query: EntriesQuery,
    ) -> Result<(), CliError> {
        each_page(client, query, &mut |index, entry| {
            self.take(gathered, index, entry).map(|()| true)
        })
    }

    fn take(
        &self,
        gathered: &mut Gathered,
        index: u64,
        entry: &countersign_wire::RawJson,
    ) -> Result<(), CliError> {
        let (_, leaf) = leaf_of(entry)?;
        let wanted = |kind: &str| self.kinds.is_empty() || self.kinds.iter().any(|it| it == kind);
        let names = named(leaf.as_bytes()).into_iter();
        let names: Vec<Sha256> = names
            .filter(|(_, kind)| wanted(kind))
            .map(|(reference, _)| reference)
            .collect();
        for reference in &names {
            gathered.records.entry(*reference).or_default();
        }
        gathered.keep(index, leaf, names)
    }
}

impl Gathered {
    fn keep(&mut self, index: u64, leaf: String, names: Vec<Sha256>) -> Result<(), CliError> {
        if self.records.len() > MAX_RECORDS {
            return Err(CliError::usage(format!(
                "more than {MAX_RECORDS} records were chosen, which is the limit of one file; nothing was opened"
            ))
            .hint("choose fewer with --kind or --entry, and make several files"));
        }
        if !names.is_empty() {
            let entry = ChosenEntry { index, leaf, names };
            self.entries.insert(index, entry);
        }
        Ok(())
    }

    /// Looks for the entries that name single records, the newest first: no index knows them.
    fn seek(
        &mut self,
        wanted: BTreeMap<Sha256, Option<String>>,
        reader: &Client,
        terminal: &Terminal,
    ) -> Result<(), CliError> {
        let found = |all: &Self, reference: &Sha256| {
            let mut entries = all.entries.values();
            entries.any(|entry| entry.names.contains(reference))
        };
        let mut missing: Vec<Sha256> = wanted.keys().copied().collect();
        missing.retain(|reference| !found(self, reference));
        self.records.extend(wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let bar = terminal.progress("entries");
        each_page(reader, EntriesQuery::default(), &mut |index, entry| {
            bar.inc(1);
            let (_, leaf) = leaf_of(entry)?;
            let names: Vec<Sha256> = named(leaf.as_bytes())
                .into_iter()
                .map(|(it, _)| it)
                .collect();
            let is_one = missing.iter().any(|reference| names.contains(reference));
            if is_one {
                missing.retain(|reference| !names.contains(reference));
                self.keep(index, leaf, names)?;
            }
            Ok(!missing.is_empty())
        })?;
        bar.finish_and_clear();
        match missing.first() {
            None => Ok(()),
            Some(reference) => Err(CliError::usage(format!(
                "no entry names {reference} as a document, so nothing could prove it; nothing was opened"
            ))
            .exiting(crate::exit::Exit::No)),
        }
    }

    /// In the order of the log, whichever way they were chosen.
    fn end(mut self) -> Chosen {
        let names = self.entries.values().flat_map(|entry| &entry.names);
        let records = names.filter_map(|reference| {
            let request = self.records.remove(reference)?;
            Some(ChosenRecord {
                reference: *reference,
                request,
            })
        });
        Chosen {
            records: records.collect(),
            entries: self.entries.into_values().collect(),
        }
    }
}

/// Is told of an entry; whether to go on.
type Each<'a> = dyn FnMut(u64, &countersign_wire::RawJson) -> Result<bool, CliError> + 'a;

fn each_page(
    client: &Client,
    mut query: EntriesQuery,
    each: &mut Each<'_>,
) -> Result<(), CliError> {
    query.limit = Some(PAGE);
    loop {
        let page = client.entries(&query)?;
        for answer in &page.entries {
            if !each(answer.index, &answer.entry)? {
                return Ok(());
            }
        }
        match page.next {
            None => return Ok(()),
            next => query.cursor = next,
        }
    }
}
