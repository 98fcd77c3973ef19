//! The incident as a report speaks of it: what the entries and the opened records say together.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::entry::{Body, Decision, Execution, ExecutionPhase, Flag, Mode, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::again::{Again, Bundles};
use crate::choose::{Chosen, Part};
use crate::format;
use crate::question::Question;
use crate::record::Records;
use crate::standing::Standing;

/// All that a report is made of.
pub(crate) struct Case<'a> {
    pub(crate) question: Question,
    pub(crate) chosen: &'a Chosen,
    pub(crate) records: Records<'a>,
    pub(crate) bundles: &'a Bundles,
    pub(crate) standing: &'a Standing,
    pub(crate) again: &'a Again,
    /// Whether records were opened, and what for.
    pub(crate) purpose: Option<&'a str>,
    /// Records that could not be opened, with why.
    pub(crate) left_sealed: &'a BTreeMap<Sha256, String>,
    roles: BTreeMap<CredentialId, Vec<Role>>,
}

/// A decision and what came of it.
pub(crate) struct CallMade<'a> {
    pub(crate) id: EntryId,
    pub(crate) at: Timestamp,
    pub(crate) part: Part,
    pub(crate) decision: &'a Decision,
    pub(crate) executions: Vec<(EntryId, Timestamp, &'a Execution)>,
    pub(crate) permits_refused: usize,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        question: Question,
        chosen: &'a Chosen,
        records: Records<'a>,
        (bundles, again, standing): (&'a Bundles, &'a Again, &'a Standing),
        (purpose, left_sealed): (Option<&'a str>, &'a BTreeMap<Sha256, String>),
    ) -> Self {
        let mut roles = BTreeMap::new();
        for (_, _, body) in chosen.bodies() {
            if let Body::Credential(credential) = body
                && !credential.roles.is_empty()
            {
                roles.insert(credential.subject, credential.roles.clone());
            }
        }
        Self {
            question,
            chosen,
            records,
            bundles,
            standing,
            again,
            purpose,
            left_sealed,
            roles,
        }
    }

    /// The flag that it is about.
    pub(crate) fn flag(&self) -> Option<(EntryId, &'a Flag)> {
        let id = self.chosen.flag?;
        match self.chosen.body_of(id)? {
            Body::Flag(flag) => Some((id, flag)),
            _ => None,
        }
    }

    /// Every enforced decision, in the order of the log.
    pub(crate) fn calls(&self) -> Vec<CallMade<'a>> {
        let mut executions: BTreeMap<EntryId, Vec<_>> = BTreeMap::new();
        let mut refused: BTreeMap<EntryId, usize> = BTreeMap::new();
        for (index, at, body) in self.chosen.bodies() {
            match body {
                Body::Execution(execution) => {
                    if let (Some(of), Some(id)) =
                        (execution.links.decision, self.chosen.id_at(index))
                    {
                        executions.entry(of).or_default().push((id, at, execution));
                    }
                }
                Body::PermitRefused(permit) => {
                    if let Some(of) = permit.links.decision {
                        *refused.entry(of).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        let decisions = self
            .chosen
            .bodies()
            .filter_map(|(index, at, body)| match body {
                Body::Decision(decision) if decision.mode == Mode::Enforced => {
                    Some((index, at, decision))
                }
                _ => None,
            });
        decisions
            .filter_map(|(index, at, decision)| {
                let id = self.chosen.id_at(index)?;
                Some(CallMade {
                    id,
                    at,
                    part: self.chosen.part(index)?,
                    decision,
                    executions: executions.remove(&id).unwrap_or_default(),
                    permits_refused: refused.get(&id).copied().unwrap_or(0),
                })
            })
            .collect()
    }

    /// The decisions that the question is about.
    pub(crate) fn asked(&self) -> Vec<CallMade<'a>> {
        let mut calls = self.calls();
        calls.retain(|call| call.part == Part::Asked);
        calls
    }

    /// A credential with its roles, in words.
    pub(crate) fn credential(&self, id: CredentialId) -> String {
        match self.roles.get(&id) {
            None => id.to_string(),
            Some(roles) => {
                let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                format!("{id} ({})", names.join(", "))
            }
        }
    }

    /// The same, short: the end of an id is what tells it from others.
    pub(crate) fn credential_short(&self, id: CredentialId) -> String {
        let text = id.to_string();
        let end = text.get(text.len().saturating_sub(8)..).unwrap_or(&text);
        match self.roles.get(&id) {
            None => format!("\u{2026}{end}"),
            Some(roles) => {
                let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                format!("{} \u{2026}{end}", names.join(", "))
            }
        }
    }

    /// The file of an entry of the folder.
    pub(crate) fn file_of(&self, id: EntryId) -> Option<String> {
        let index = self.chosen.index_of(id)?;
        Some(format::entry_name(index, id))
    }

    /// Where an entry of the folder stands in the log.
    pub(crate) fn place_of(&self, id: EntryId) -> Option<u64> {
        self.chosen.index_of(id)
    }

    /// The actors that asked for the calls.
    pub(crate) fn actors(&self, calls: &[CallMade<'_>]) -> Vec<String> {
        let names: BTreeSet<String> = calls
            .iter()
            .map(|call| call.decision.actor.to_string())
            .collect();
        names.into_iter().collect()
    }
}

impl CallMade<'_> {
    pub(crate) fn is_stopped(&self) -> bool {
        self.decision.outcome != Outcome::Approved
    }

    /// How often it is said to have begun.
    pub(crate) fn started(&self) -> usize {
        let started = |phase| matches!(phase, ExecutionPhase::Started);
        let begun = self
            .executions
            .iter()
            .filter(|(_, _, it)| started(it.phase));
        match begun.count() {
            // Where no permit is shown, only the end is reported.
            0 => usize::from(self.has_ended()),
            count => count,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        let mut phases = self.executions.iter().map(|(_, _, it)| it.phase);
        phases.any(|phase| phase != ExecutionPhase::Started)
    }
}
