//! Reading decisions and executions from a server, and opening calls.

use std::collections::{BTreeSet, HashMap};

use countersign_client::{Client, EntriesQuery};
use countersign_core::entry::{AnyEntry, Body, Entry, Mode};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::Sha256;
use indicatif::ProgressBar;
use serde::Deserialize;

use super::join::{Books, Called, Decided};
use crate::error::CliError;

/// Entries on a page.
const PAGE: usize = 500;
/// Most decisions that are held together.
const DECISIONS: usize = 2_000_000;

/// Which part of the log is looked at.
pub(super) struct Stretch {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

/// Reads what was decided in a stretch of time, and all that was reported of it since.
pub(super) fn read(client: &Client, stretch: &Stretch, books: &mut Books) -> Result<u64, CliError> {
    let mut asked_by: HashMap<EntryId, (usize, CredentialId)> = HashMap::new();
    each(client, "decision", stretch, true, |entry| {
        if let Body::Decision(body) = &entry.body
            && body.mode == Mode::Enforced
        {
            if books.decisions.len() >= DECISIONS {
                let found = format!("there are more than {DECISIONS} decisions");
                return Err(CliError::usage(found).hint("give --since and --until"));
            }
            asked_by.insert(entry.entry_id, (books.decisions.len(), body.credential));
            books.decisions.extend(decided(entry, false));
        }
        Ok(())
    })?;
    each(client, "execution", stretch, false, |entry| {
        let Body::Execution(body) = &entry.body else {
            return Ok(());
        };
        let decision = body.links.decision;
        let known = decision.and_then(|id| asked_by.get(&id).copied());
        let place = known.and_then(|(at, asker)| Some((books.decisions.get_mut(at)?, asker)));
        let (Some(id), Some((of, asker))) = (decision, place) else {
            // Of an earlier decision, unless there is none.
            let is_whole = stretch.since.is_none() && stretch.until.is_none();
            if is_whole || decision.is_none() {
                books.strays.push((entry.entry_id, decision));
            }
            return Ok(());
        };
        books.executions.insert(entry.entry_id, id);
        // No credential of an agent has the role `tool`.
        match body.credential == asker {
            true => of.by_agent.push(body.phase),
            false => of.phases.push(body.phase),
        }
        of.reported = of.reported.max(Some(entry.timestamp));
        Ok(())
    })?;
    let mut refused = 0;
    each(client, "permit-refused", stretch, true, |_| {
        refused += 1;
        Ok(())
    })?;
    Ok(refused)
}

/// Reads the decisions that records name and that are from before the stretch.
pub(super) fn read_named(client: &Client, books: &mut Books) -> Result<(), CliError> {
    let known: BTreeSet<EntryId> = books.decisions.iter().map(|it| it.entry_id).collect();
    let named: BTreeSet<EntryId> = books
        .records
        .iter()
        .filter_map(|record| books.decision_of(record))
        .filter(|id| !known.contains(id))
        .collect();
    for id in named {
        let Some(entry) = entry(client, id)? else {
            continue;
        };
        match &entry.body {
            Body::Decision(_) => books.decisions.extend(decided(&entry, true)),
            Body::Execution(body) => {
                let Some(decision) = body.links.decision else {
                    continue;
                };
                books.executions.insert(id, decision);
                if !known.contains(&decision)
                    && let Some(of) = self::entry(client, decision)?
                {
                    books.decisions.extend(decided(&of, true));
                }
            }
            _ => {}
        }
    }
    books.decisions.sort_by_key(|it| (it.time, it.entry_id));
    books.decisions.dedup_by_key(|it| it.entry_id);
    Ok(())
}

/// Opens calls, each of which is an entry of the log.
pub(super) fn open(
    client: &Client,
    wanted: &BTreeSet<usize>,
    purpose: &str,
    books: &mut Books,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    #[derive(Deserialize)]
    struct Call {
        tool: String,
        args_sha256: Sha256,
        #[serde(default)]
        external_call_id: Option<String>,
    }
    bar.set_length(u64::try_from(wanted.len()).unwrap_or(0));
    for at in wanted {
        let Some(decided) = books.decisions.get_mut(*at) else {
            continue;
        };
        let Some(call_ref) = decided.call_ref else {
            continue;
        };
        match client.open(&call_ref.to_string(), purpose) {
            Ok(opened) => {
                let call: Call = serde_json::from_value(opened.document)
                    .map_err(|error| CliError::usage(format!("{call_ref}: {error}")))?;
                decided.call = Some(Called {
                    tool: call.tool,
                    args_sha256: call.args_sha256,
                    call_id: call.external_call_id,
                });
            }
            // Nothing can be compared with it any more.
            Err(error) if error.code() == Some("erased") => {}
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn decided(entry: &Entry, is_before: bool) -> Option<Decided> {
    let Body::Decision(body) = &entry.body else {
        return None;
    };
    Some(Decided {
        entry_id: entry.entry_id,
        time: entry.timestamp,
        outcome: body.outcome,
        action: body.action.clone(),
        actor: body.actor.clone(),
        call_ref: body.call_ref,
        phases: Vec::new(),
        by_agent: Vec::new(),
        reported: None,
        call: None,
        is_before,
    })
}

fn entry(client: &Client, id: EntryId) -> Result<Option<Entry>, CliError> {
    match client.entry(&id.to_string()) {
        Ok(answer) => {
            // With its proof, which is no part of the leaf.
            let mut members: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(answer.entry.get()).map_err(unreadable)?;
            members.remove("proof");
            let leaf = countersign_core::json::CanonicalJson::of(&members).map_err(unreadable)?;
            known(leaf.as_bytes())
        }
        Err(error) if error.code() == Some("not-found") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn known(leaf: &[u8]) -> Result<Option<Entry>, CliError> {
    match AnyEntry::from_leaf(leaf).map_err(unreadable)? {
        AnyEntry::Known(entry) => Ok(Some(*entry)),
        AnyEntry::Unknown(_) => Ok(None),
    }
}

fn unreadable(error: impl std::fmt::Display) -> CliError {
    CliError::usage(format!("an entry of the server cannot be read: {error}"))
}

/// Every entry of a kind, the oldest first.
fn each(
    client: &Client,
    kind: &str,
    stretch: &Stretch,
    is_ended: bool,
    mut take: impl FnMut(&Entry) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut query = EntriesQuery {
        kind: Some(kind.to_owned()),
        since: stretch.since.clone(),
        until: stretch.until.clone().filter(|_| is_ended),
        order: Some("oldest".to_owned()),
        limit: Some(PAGE),
        ..EntriesQuery::default()
    };
    loop {
        let page = client.entries(&query)?;
        for answer in &page.entries {
            if let Some(entry) = known(answer.entry.get().as_bytes())? {
                take(&entry)?;
            }
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}
