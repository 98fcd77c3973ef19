//! Where one value came from.

use std::collections::BTreeSet;

use countersign_core::document::{Author, Evidence, Integrity, PartBy, Place, Source, TargetType};
use countersign_core::names::ActionName;

use super::{ChainTurn, Drawing};
use crate::limits::EVIDENCE;
use crate::mention::{Index, Spot};
use crate::result::Hit;
use crate::value::Key;

/// What is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// As the call holds it.
    pub(super) value: &'a str,
    /// What grounds it.
    pub(super) keys: &'a [Key],
    /// What it looks like to a reader.
    pub(super) skeleton: Option<&'a str>,
    /// Which fields with a type ground it.
    pub(super) stands_for: StandsFor<'a>,
}

/// What a value stands for, where a field's label names an entity type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum StandsFor<'a> {
    /// An entity of this type.
    Entity(&'a str),
    /// Any entity whose values are of this type: what stands in a text says no more.
    Kind(TargetType),
    /// Nothing that the manifest names.
    Nothing,
}

/// What was found.
pub(super) struct Trail<'a> {
    drawing: &'a Drawing<'a>,
    wanted: Wanted<'a>,
    pub(super) sources: BTreeSet<Source>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) named_in: BTreeSet<ActionName>,
}

impl<'a> Trail<'a> {
    /// Looks in the turns of the chain and in the results of the session.
    pub(super) fn of(drawing: &'a Drawing<'a>, wanted: Wanted<'a>) -> Self {
        let mut trail = Self {
            drawing,
            wanted,
            sources: BTreeSet::new(),
            evidence: Vec::new(),
            named_in: BTreeSet::new(),
        };
        trail.turns();
        trail.results();
        trail
    }

    /// The directory knows the value, as `id`.
    pub(super) fn directory(&mut self, id: &str) {
        self.sources.insert(Source::Directory);
        self.evidence.push(Evidence {
            place: Place::Directory,
            as_written: (id != self.wanted.value).then(|| id.to_owned()),
            look_alike: false,
            integrity: None,
        });
    }

    /// Nothing more will be found.
    pub(super) fn end(&mut self) {
        if self.sources.is_empty() {
            self.sources.insert(Source::None);
        }
        // Beside what there is, and in place of nothing: a rule that asked of a value without a
        // source asks again, and is lifted by name.
        if self.drawing.is_approved() {
            self.sources.insert(Source::Approved);
        }
    }

    fn turns(&mut self) {
        for (n, turn) in self.drawing.inputs.chain.iter().enumerate() {
            self.turn(n, turn);
        }
        let grounded = [Source::User, Source::UserEarlier]
            .iter()
            .any(|source| self.sources.contains(source));
        if let Some(skeleton) = self.wanted.skeleton.filter(|_| !grounded) {
            for turn in self.drawing.inputs.chain {
                self.look_alikes(turn, skeleton);
            }
        }
    }

    fn turn(&mut self, n: usize, turn: &ChainTurn<'_>) {
        let own = turn.mentions.principal().find(self.wanted.keys);
        if !own.is_empty() {
            self.sources.extend(grounds(self.drawing, n, turn));
        }
        for spot in &own {
            self.note(in_turn(turn, spot), &spot.written, false, None);
        }
        if self.drawing.traces_all()
            && n == 0
            && own.is_empty()
            && turn.intent.author == Author::Human
            && turn.mentions.confirms()
            && !turn
                .mentions
                .agent_parts()
                .find(self.wanted.keys)
                .is_empty()
        {
            self.sources.insert(Source::Confirmed);
        }
        for spot in turn.mentions.others().find(self.wanted.keys) {
            self.note(in_turn(turn, spot), &spot.written, false, None);
        }
    }

    fn look_alikes(&mut self, turn: &ChainTurn<'_>, skeleton: &str) {
        let indices: [&Index; 2] = [turn.mentions.principal(), turn.mentions.others()];
        for spot in indices.iter().flat_map(|i| i.find_look_alikes(skeleton)) {
            let place = in_turn(turn, spot);
            if self.evidence.iter().all(|seen| seen.place != place) {
                self.note(place, &spot.written, true, None);
            }
        }
    }

    fn results(&mut self) {
        let results = self.drawing.inputs.results;
        let hits = match self.drawing.traces_all() {
            true => results.find(self.wanted.keys),
            false => results.mentions(self.wanted.keys),
        };
        for hit in hits {
            self.sources.insert(Source::AnyOutput);
            if self.drawing.traces_all() {
                self.field(&hit);
            }
            if self.has_room() {
                let place = Place::Result {
                    result_ref: hit.result.result_ref,
                    tool: hit.result.result.tool.clone(),
                    pointer: match self.drawing.traces_all() {
                        true => hit.short_pointer(),
                        false => hit.pointer(),
                    },
                };
                let integrity = hit.whole.then_some(hit.integrity);
                self.note(place, hit.written, false, integrity);
            }
        }
    }

    /// What the field that holds the value, its record and its result make of it.
    fn field(&mut self, hit: &Hit<'_>) {
        if hit.whole && self.is_of_type(hit.entity) {
            match hit.integrity {
                Integrity::System => {
                    self.sources.insert(Source::SystemField);
                }
                Integrity::FirstParty => {
                    self.sources.insert(Source::FirstPartyField);
                }
                Integrity::Correspondent => {}
            }
        }
        let record_is_named = self.drawing.is_named_record(hit);
        if hit.whole && record_is_named {
            self.sources.insert(Source::RecordLinked);
        }
        if record_is_named || self.drawing.is_named_result(hit) {
            self.sources.insert(Source::NamedDocument);
            let tool = self.drawing.inputs.bundle.tool(&hit.result.result.tool);
            self.named_in.extend(tool.map(|tool| tool.action().clone()));
        }
    }

    /// A field without a type grounds whatever reads the same.
    fn is_of_type(&self, label: Option<&str>) -> bool {
        let Some(label) = label else {
            return true;
        };
        match self.wanted.stands_for {
            StandsFor::Entity(entity) => entity == label,
            StandsFor::Kind(kind) => self.drawing.inputs.bundle.kind_of(label) == Some(kind),
            StandsFor::Nothing => false,
        }
    }

    fn note(
        &mut self,
        place: Place,
        written: &str,
        look_alike: bool,
        integrity: Option<Integrity>,
    ) {
        if self.has_room() {
            self.evidence.push(Evidence {
                place,
                as_written: (written != self.wanted.value).then(|| written.to_owned()),
                look_alike,
                integrity,
            });
        }
    }

    /// One place fewer: the directory's word always has room.
    fn has_room(&self) -> bool {
        self.evidence.len() + 1 < EVIDENCE
    }
}

/// What the principal's words in a turn of the chain ground.
pub(super) fn grounds(drawing: &Drawing<'_>, n: usize, turn: &ChainTurn<'_>) -> Option<Source> {
    let newest = drawing.inputs.chain.first()?.intent;
    if n == 0 {
        return Some(Source::User);
    }
    let same = turn.intent.principal == newest.principal && turn.intent.session == newest.session;
    (same && turn.intent.author == Author::Human).then_some(Source::UserEarlier)
}

fn in_turn(turn: &ChainTurn<'_>, spot: &Spot) -> Place {
    Place::Turn {
        intent_ref: turn.intent_ref,
        part: spot.field,
        by: part_by(turn, spot),
        offset: spot.offset,
    }
}

fn part_by(turn: &ChainTurn<'_>, spot: &Spot) -> PartBy {
    usize::try_from(spot.field)
        .ok()
        .and_then(|part| turn.intent.parts.get(part))
        .map_or(PartBy::Correspondent, |part| part.by)
}
