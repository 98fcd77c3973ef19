//! Looking up, on a server, the entries that an incident may be made of.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_client::{Client, ClientError, EntriesQuery};
use countersign_core::json;
use countersign_core::limits::LEAF_BYTES;
use countersign_evidence::{Pool, Question, Want, wants};
use countersign_wire::EntryAnswer;

use crate::error::CliError;
use crate::patience;
use crate::terminal::Terminal;

/// Entries on a page: as many as a server gives.
const PAGE: usize = 500;
/// Most entries that one look-up may bring.
const MOST: usize = 10_000;
/// How often it is looked what else is to be looked up. Each round follows turns by one.
const ROUNDS: usize = 64;
/// The longest wait: what would take longer is a limit of the hour, and nobody waits for its end.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Every entry that may belong.
pub(super) fn gather(
    reader: &Client,
    question: &Question,
    terminal: &Terminal,
) -> Result<Pool, CliError> {
    let mut pool = Pool::default();
    if let Question::Entry(id) = question {
        look_up(reader, &Want::Entry(*id), &mut pool)?;
    }
    let mut done = BTreeSet::new();
    let bar = terminal.progress("look-ups");
    for _ in 0..ROUNDS {
        let wanted: Vec<Want> = wants(question, &pool)
            .into_iter()
            .filter(|want| !done.contains(want))
            .collect();
        if wanted.is_empty() {
            break;
        }
        bar.inc_length(u64::try_from(wanted.len()).unwrap_or(u64::MAX));
        for want in wanted {
            look_up(reader, &want, &mut pool)?;
            done.insert(want);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(pool)
}

fn look_up(reader: &Client, want: &Want, pool: &mut Pool) -> Result<(), CliError> {
    let query = match want {
        Want::Entry(id) => {
            let answer = patient(|| reader.entry(&id.to_string()))?;
            return add(pool, &answer);
        }
        Want::Turn(intent) => EntriesQuery {
            intent: Some(intent.to_string()),
            kind: Some("intent".to_owned()),
            ..EntriesQuery::default()
        },
        Want::Intent(intent) => EntriesQuery {
            intent: Some(intent.to_string()),
            ..EntriesQuery::default()
        },
        Want::Session(session, from, to) => EntriesQuery {
            session: Some(session.to_string()),
            since: Some(from.to_string()),
            until: Some(to.to_string()),
            ..EntriesQuery::default()
        },
        Want::Kind(kind, since) => EntriesQuery {
            kind: Some((*kind).to_owned()),
            since: since.map(|since| since.to_string()),
            ..EntriesQuery::default()
        },
        Want::Between(from, to) => EntriesQuery {
            since: Some(from.to_string()),
            until: Some(to.to_string()),
            ..EntriesQuery::default()
        },
    };
    pages(reader, query, want, pool)
}

fn pages(
    reader: &Client,
    mut query: EntriesQuery,
    want: &Want,
    pool: &mut Pool,
) -> Result<(), CliError> {
    query.limit = Some(PAGE);
    query.order = Some("oldest".to_owned());
    let mut count = 0usize;
    loop {
        let page = patient(|| reader.entries(&query))?;
        count = count.saturating_add(page.entries.len());
        if count > MOST {
            let what = match want {
                Want::Kind(kind, _) => format!("entries of kind `{kind}`"),
                Want::Session(..) => "entries of one session".to_owned(),
                _ => "entries".to_owned(),
            };
            return Err(CliError::usage(format!(
                "more than {MOST} {what} would have to be looked at"
            ))
            .hint("ask for less: for one entry, or for a shorter time with --from and --to"));
        }
        for answer in &page.entries {
            add(pool, answer)?;
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// The leaf is the entry without its proof, in canonical JSON.
fn add(pool: &mut Pool, answer: &EntryAnswer) -> Result<(), CliError> {
    let unreadable =
        |error: String| CliError::usage(format!("entry {} of the server: {error}", answer.index));
    let text = answer.entry.get().as_bytes();
    let mut value = json::parse(text, LEAF_BYTES.saturating_mul(4))
        .map_err(|error| unreadable(error.to_string()))?;
    if let Some(members) = value.as_object_mut() {
        members.shift_remove("proof");
    }
    let leaf = json::CanonicalJson::of(&value).map_err(|error| unreadable(error.to_string()))?;
    pool.add(answer.index, leaf.as_bytes())
        .map_err(|error| CliError::usage(error.to_string()))
}

/// Asks again when the server says that it is asked too often.
pub(super) fn patient<T>(ask: impl FnMut() -> Result<T, ClientError>) -> Result<T, ClientError> {
    patience::patient(LONGEST_WAIT, ask)
}
