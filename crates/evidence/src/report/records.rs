//! Who opened what, what is under a hold, what was erased.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::entry::{AccessPhase, Body, ErasurePhase, HoldChange, VaultAccess};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::{Sha256, StatementRef};
use countersign_core::time::Timestamp;

use super::words::{erasures, file_line, kinds_counted, time};
use crate::case::Case;
use crate::members;
use crate::page::{Block, Line, Tone};
use crate::text::short;

pub(super) fn records(case: &Case<'_>) -> Vec<Block> {
    let kinds: BTreeMap<Sha256, &'static str> = case
        .chosen
        .bodies()
        .flat_map(|(_, _, body)| members::records(body))
        .map(|it| (it.reference, it.kind))
        .collect();
    let mut rows: Vec<(Tone, Vec<Line>)> = Vec::new();
    let mut group: Option<Group> = None;
    for (index, at, body) in case.chosen.bodies() {
        let Some(id) = case.chosen.id_at(index) else {
            continue;
        };
        if let Body::VaultAccess(access) = body {
            match &mut group {
                Some(open) if open.is_of(at, access) => open.add(at, id, access),
                _ => {
                    rows.extend(group.take().map(|group| group.row(case, &kinds)));
                    group = Some(Group::new(at, id, access));
                }
            }
            continue;
        }
        let Some((tone, what, who, refs, word)) = row(case, body, &kinds) else {
            continue;
        };
        rows.extend(group.take().map(|group| group.row(case, &kinds)));
        let cells = vec![
            Line::of(time(at)),
            Line::default().mark(tone, what),
            who,
            refs,
            word,
            file_line(case, id),
        ];
        rows.push((tone, cells));
    }
    rows.extend(group.map(|group| group.row(case, &kinds)));
    let mut blocks = vec![Block::Heading(
        "Who opened what, holds and erasures".to_owned(),
    )];
    blocks.push(match rows.is_empty() {
        true => Block::Para(Line::of(
            "By this checkpoint nobody has opened, held or erased a record that these entries name.",
        )),
        false => Block::Table {
            caption: "Records of these entries that were opened, held or erased".to_owned(),
            head: vec!["Time", "What", "Who", "Records", "Purpose or authority", "File"],
            rows,
        },
    });
    let erased = erasures(case);
    if !erased.is_empty() {
        blocks.push(Block::Para(
            Line::default()
                .strong("Content was erased. ")
                .text("The entries and their proofs are as they were; what the commitments stand for can no longer be read:"),
        ));
        blocks.push(Block::List(erased));
    }
    blocks
}

/// Openings that are no further apart are told of together, in milliseconds.
const TOGETHER_MS: i64 = 60_000;

/// Openings by the same credential, one after the other.
struct Group {
    first: (Timestamp, EntryId),
    last: (Timestamp, EntryId),
    credential: CredentialId,
    phase: Option<AccessPhase>,
    purpose: StatementRef,
    count: usize,
    refs: Vec<Sha256>,
}

impl Group {
    fn new(at: Timestamp, id: EntryId, access: &VaultAccess) -> Self {
        Self {
            first: (at, id),
            last: (at, id),
            credential: access.credential,
            phase: access.phase,
            purpose: access.purpose_ref,
            count: 1,
            refs: access.refs.clone(),
        }
    }

    fn is_of(&self, at: Timestamp, access: &VaultAccess) -> bool {
        (self.credential, self.phase) == (access.credential, access.phase)
            && at.millis_since(self.last.0) < TOGETHER_MS
    }

    fn add(&mut self, at: Timestamp, id: EntryId, access: &VaultAccess) {
        self.last = (at, id);
        self.count = self.count.saturating_add(1);
        self.refs.extend(&access.refs);
    }

    fn row(self, case: &Case<'_>, kinds: &BTreeMap<Sha256, &'static str>) -> (Tone, Vec<Line>) {
        let what = match self.phase {
            None => "opened",
            Some(AccessPhase::Requested) => "asked for",
            Some(AccessPhase::Confirmed) => "agreed to by a second person",
        };
        let (when, file, purpose) = match self.count {
            1 => (
                Line::of(time(self.first.0)),
                file_line(case, self.first.1),
                word(case, self.purpose),
            ),
            count => (
                Line::of(format!("{} to {}", time(self.first.0), time(self.last.0))),
                file_line(case, self.first.1)
                    .text(" to ")
                    .and(file_line(case, self.last.1)),
                Line::of(format!("sealed, in {count} entries")),
            ),
        };
        let cells = vec![
            when,
            Line::default().mark(Tone::Plain, what),
            Line::of(case.credential_short(self.credential)),
            refs(&self.refs, kinds),
            purpose,
            file,
        ];
        (Tone::Plain, cells)
    }
}

fn word(case: &Case<'_>, reference: StatementRef) -> Line {
    match case.records.statement(reference) {
        Some(text) => Line::default().outside(&text),
        None => Line::of("sealed, ").code(short(&reference)),
    }
}

type Row = (Tone, &'static str, Line, Line, Line);

fn row(case: &Case<'_>, body: &Body, kinds: &BTreeMap<Sha256, &'static str>) -> Option<Row> {
    let who = |credential: Option<CredentialId>| match credential {
        Some(credential) => Line::of(case.credential_short(credential)),
        None => Line::of("the server"),
    };
    Some(match body {
        Body::Erasure(it) => (
            Tone::Careful,
            match it.phase {
                ErasurePhase::Requested => "erased: keys destroyed",
                ErasurePhase::Complete => "erased: backups, too",
            },
            who(it.credential),
            refs(&it.refs, kinds),
            word(case, it.authority_ref),
        ),
        Body::Hold(it) => (
            Tone::Careful,
            match it.change {
                HoldChange::Placed => "put under a legal hold",
                HoldChange::Lifted => "released from a legal hold",
            },
            who(Some(it.credential)),
            refs(&it.refs, kinds),
            word(case, it.authority_ref),
        ),
        _ => return None,
    })
}

/// The records that entries are about, by kind, each once; those that belong to other incidents are
/// counted.
fn refs(refs: &[Sha256], kinds: &BTreeMap<Sha256, &'static str>) -> Line {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reference in refs.iter().collect::<BTreeSet<_>>() {
        let kind = kinds.get(reference).copied().unwrap_or("other record");
        *counts.entry(kind).or_default() += 1;
    }
    let texts: Vec<String> = counts
        .into_iter()
        .map(|(kind, count)| kinds_counted(kind, count))
        .collect();
    Line::of(texts.join(", "))
}
