//! Who opened what, what is under a hold, what was erased.

use std::collections::BTreeMap;

use countersign_core::entry::{AccessPhase, Body, ErasurePhase, HoldChange};
use countersign_core::ids::CredentialId;
use countersign_core::refs::{Sha256, StatementRef};

use super::words::{file_line, state_line, time};
use crate::case::Case;
use crate::members;
use crate::page::{Block, Line, Tone};
use crate::record::State;
use crate::text::{counted, short};

pub(super) fn records(case: &Case<'_>) -> Vec<Block> {
    let kinds: BTreeMap<Sha256, &'static str> = case
        .chosen
        .bodies()
        .flat_map(|(_, _, body)| members::records(body))
        .map(|it| (it.reference, it.kind))
        .collect();
    let mut rows = Vec::new();
    for (index, at, body) in case.chosen.bodies() {
        let (Some(row), Some(id)) = (row(case, body, &kinds), case.chosen.id_at(index)) else {
            continue;
        };
        let (tone, what, who, refs, word) = row;
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
    let erased: Vec<Line> = kinds
        .iter()
        .filter(|(reference, _)| matches!(case.records.state(reference), State::Erased(_)))
        .map(|(reference, kind)| state_line(case, &format!("A record of kind {kind}"), reference))
        .collect();
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

type Row = (Tone, &'static str, Line, Line, Line);

fn row(case: &Case<'_>, body: &Body, kinds: &BTreeMap<Sha256, &'static str>) -> Option<Row> {
    let who = |credential: Option<CredentialId>| match credential {
        Some(credential) => Line::default().code(case.credential(credential)),
        None => Line::of("the server"),
    };
    let word = |reference: StatementRef| match case.records.statement(reference) {
        Some(text) => Line::default().outside(&text),
        None => Line::of("sealed, ").code(short(&reference)),
    };
    Some(match body {
        Body::VaultAccess(it) => (
            Tone::Plain,
            match it.phase {
                None => "opened",
                Some(AccessPhase::Requested) => "asked for",
                Some(AccessPhase::Confirmed) => "agreed to by a second person",
            },
            who(Some(it.credential)),
            refs(&it.refs, kinds),
            word(it.purpose_ref),
        ),
        Body::Erasure(it) => (
            Tone::Careful,
            match it.phase {
                ErasurePhase::Requested => "erased: keys destroyed",
                ErasurePhase::Complete => "erased: backups, too",
            },
            who(it.credential),
            refs(&it.refs, kinds),
            word(it.authority_ref),
        ),
        Body::Hold(it) => (
            Tone::Careful,
            match it.change {
                HoldChange::Placed => "put under a legal hold",
                HoldChange::Lifted => "released from a legal hold",
            },
            who(Some(it.credential)),
            refs(&it.refs, kinds),
            word(it.authority_ref),
        ),
        _ => return None,
    })
}

/// The records that an entry is about, by kind; those that belong to other incidents are counted.
fn refs(refs: &[Sha256], kinds: &BTreeMap<Sha256, &'static str>) -> Line {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reference in refs {
        let kind = kinds.get(reference).copied().unwrap_or("other record");
        *counts.entry(kind).or_default() += 1;
    }
    let texts: Vec<String> = counts
        .into_iter()
        .map(|(kind, count)| match kind {
            // The plural is the same.
            "facts" | "reasoning" => format!("{count} {kind}"),
            kind => counted(count, kind),
        })
        .collect();
    Line::of(texts.join(", "))
}
