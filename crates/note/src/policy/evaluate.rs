//! Holding a checkpoint against a policy.

use super::{Member, OpaqueText, PolicyLog, PolicyWitness, Quorum, TlogPolicy};
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::key::VerifierKey;
use crate::note::Note;

/// What a policy says of a checkpoint that a known log has signed.
#[must_use = "the quorum may not be met"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyOutcome {
    /// Enough witnesses have cosigned.
    Satisfied(PolicyEvidence),
    /// Too few have.
    QuorumNotMet(PolicyEvidence),
}

/// What was found on a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEvidence {
    checkpoint: SignedCheckpoint,
    witnesses: Vec<OpaqueText>,
}

impl PolicyEvidence {
    /// The checkpoint, signed by one of the logs.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The names of the witnesses that have cosigned, in the policy's order.
    pub fn witnesses(&self) -> &[OpaqueText] {
        &self.witnesses
    }
}

impl TlogPolicy {
    /// Checks the note's signatures and counts witnesses.
    ///
    /// # Errors
    /// If no log of the policy has signed, or any known key's signature is wrong.
    pub fn evaluate(&self, note: &Note) -> Result<PolicyOutcome, CheckpointError> {
        self.evaluate_with_logs(note, &[])
    }

    /// The same, with logs that are known from elsewhere besides those of the policy.
    pub fn evaluate_with_logs(
        &self,
        note: &Note,
        logs: &[VerifierKey],
    ) -> Result<PolicyOutcome, CheckpointError> {
        let own_logs = self.logs.iter().map(PolicyLog::key);
        let keys: Vec<VerifierKey> = own_logs.chain(logs).cloned().collect();
        let witnesses = self.witnesses.iter().map(PolicyWitness::key);
        let witnesses: Vec<VerifierKey> = witnesses.cloned().collect();
        let checkpoint = SignedCheckpoint::open_with(note, &keys, &witnesses)?;

        let has_signed = |witness: &PolicyWitness| {
            let mut signatures = checkpoint.signatures().iter();
            signatures.any(|signature| signature.key() == witness.key())
        };
        let signed: Vec<bool> = self.witnesses.iter().map(has_signed).collect();
        let is_met = self.is_quorum_met(&signed);
        let names = self.witnesses.iter().zip(&signed);
        let witnesses = names
            .filter(|(_, has_signed)| **has_signed)
            .map(|(witness, _)| witness.name().clone())
            .collect();
        let evidence = PolicyEvidence {
            checkpoint,
            witnesses,
        };
        Ok(match is_met {
            true => PolicyOutcome::Satisfied(evidence),
            false => PolicyOutcome::QuorumNotMet(evidence),
        })
    }

    /// Whether the quorum is met when exactly these witnesses have cosigned, in the order of
    /// [`TlogPolicy::witnesses`]; those that are missing at the end have not.
    pub fn is_quorum_met(&self, signed: &[bool]) -> bool {
        let quorum = match self.quorum {
            Quorum::NoWitnesses => return true,
            Quorum::Of(member) => member,
        };
        // Members stand before their groups, so one pass in order settles all of them.
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let members = group.members.iter();
            let count = members
                .filter(|member| has_witnessed(**member, signed, &groups))
                .count();
            groups.push(count >= group.threshold);
        }
        has_witnessed(quorum, signed, &groups)
    }
}

fn has_witnessed(member: Member, signed: &[bool], groups: &[bool]) -> bool {
    let found = match member {
        Member::Witness(position) => signed.get(position),
        Member::Group(position) => groups.get(position),
    };
    found.copied().unwrap_or(false)
}
