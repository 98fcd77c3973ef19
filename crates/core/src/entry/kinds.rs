//! The kinds of entries, each with every member that it has.

use super::kind::entry_kind;
use super::sets::{
    AccessPhase, ActorPattern, Count, Detector, ErasurePhase, ExecutionPhase, FlagChange,
    GrantChange, HoldChange, KeyPurpose, Links, Mode, PermitRefusal, PolicyPhase, Predecessor,
    ReviewAnswer, RevocationEffect, RevocationScope, Role, Severity, Surface,
};
use crate::document::{Assurance, Author};
use crate::ids::{CredentialId, EntryId, PermitId};
use crate::names::{
    ActionName, ActorName, ChannelName, JudgeVersion, KeyText, Origin, ReasonId, TenantId,
};
use crate::pseudonym::Pseudonym;
use crate::refs::{
    CallRef, ChangesetRef, FactsRef, IntentRef, PolicyRef, ReasoningRef, ResultRef, Sha256,
    StatementRef,
};
use crate::time::Timestamp;
use crate::verdict::Outcome;

entry_kind! {
    #[doc = "The first leaf of a log."]
    Genesis = "genesis" {
        #[doc = "The log's origin."]
        origin: Origin,
        #[doc = "The tenant whose log it is."]
        tenant: TenantId,
        #[doc = "The root key's public half, as a C2SP verifier key; it signs every other key."]
        root_key: KeyText,
        #[doc = "The first key that signs checkpoints, as a C2SP verifier key."]
        log_key: KeyText,
        #[doc = "The first key that signs permits: base64url of the raw Ed25519 public key."]
        permit_key: KeyText,
        #[doc = "The log that this one continues, if there is one: its origin and last known checkpoint."]
        predecessor: Option<Predecessor>,
        #[doc = "The root key's signature over the other members, base64url."]
        signature: KeyText,
    }
}

entry_kind! {
    #[doc = "A verdict on one call, approvals and rejections alike."]
    Decision = "decision" {
        #[doc = "What the call does; `countersign.unknown` when no manifest names the tool."]
        action: ActionName,
        #[doc = "Who asked, bound to the credential."]
        actor: ActorName,
        #[doc = "The live intent that the call rests on; `null` when none was found."]
        intent_ref: Option<IntentRef>,
        #[doc = "The bundle that was in force."]
        policy_ref: PolicyRef,
        #[doc = "`approved`, `rejected` or `escalated`."]
        outcome: Outcome,
        #[doc = "The ids of the policies that determined the verdict, or built-in ids; sorted."]
        reasons: Vec<ReasonId>,
        #[doc = "Commits to the call; `null` when it was too malformed to name."]
        call_ref: Option<CallRef>,
        #[doc = "Commits to the facts; `null` when the call was too malformed to have any."]
        facts_ref: Option<FactsRef>,
        #[doc = "Commits to what the agent gave as its reasoning, if it gave any."]
        reasoning_ref: Option<ReasoningRef>,
        #[doc = "Stands for the principal of the intent."]
        principal: Option<Pseudonym>,
        #[doc = "Stands for the session."]
        session: Option<Pseudonym>,
        #[doc = "Stand for what the call acts on, in the order of the call."]
        targets: Vec<Pseudonym>,
        #[doc = "What the decision added to declared counters."]
        counts: Vec<Count>,
        #[doc = "The credential that asked."]
        credential: CredentialId,
        #[doc = "Where the call came in."]
        surface: Surface,
        #[doc = "`enforced`, or `shadow` for a bundle that is only tried out."]
        mode: Mode,
        #[doc = "Earlier entries that this one refers to."]
        links: Links,
        #[doc = "Which code judged."]
        judge: JudgeVersion,
        optional {
            #[doc = "The ref that the call claimed, where no such intent was found alive for it."]
            claimed_intent_ref: IntentRef,
            #[doc = "All actions, for a call with several effects."]
            actions: Vec<ActionName>,
            #[doc = "Reserved: the call as it was changed, for the outcome `modified`."]
            effective_call_ref: CallRef,
        }
    }
}

entry_kind! {
    #[doc = "A turn was registered."]
    Intent = "intent" {
        #[doc = "Commits to the intent document."]
        intent_ref: IntentRef,
        #[doc = "What kind of author started the turn."]
        author: Author,
        #[doc = "The way by which it came in."]
        channel: ChannelName,
        #[doc = "Stands for the principal."]
        principal: Pseudonym,
        #[doc = "Stands for the session."]
        session: Pseudonym,
        #[doc = "Which agents may act on it."]
        actors: Vec<ActorName>,
        #[doc = "The session's previous turn."]
        parent: Option<IntentRef>,
        #[doc = "The standing instruction that it rests on."]
        mandate: Option<IntentRef>,
        #[doc = "When it ends."]
        expires_at: Timestamp,
        #[doc = "How far the ingress is from the agent."]
        assurance: Assurance,
        #[doc = "The credential of the ingress."]
        credential: CredentialId,
        optional {
            #[doc = "The signature over the intent document, base64url, where the turn is signed."]
            signature: KeyText,
            #[doc = "The id of the key that signed it."]
            key_id: KeyText,
        }
    }
}

entry_kind! {
    #[doc = "A turn, an actor or everything was stopped, or may go on again."]
    Revocation = "revocation" {
        #[doc = "What it concerns: `turn`, `actor` or `everything`."]
        scope: RevocationScope,
        #[doc = "`stop`, or `resume` (for an actor or everything)."]
        effect: RevocationEffect,
        #[doc = "The turn, for the scope `turn`."]
        intent_ref: Option<IntentRef>,
        #[doc = "The actor, for the scope `actor`."]
        actor: Option<ActorName>,
        #[doc = "The credential that asked for it."]
        credential: CredentialId,
    }
}

entry_kind! {
    #[doc = "A bundle was stored, came into force, was tried beside the one in force, or was replayed."]
    Policy = "policy" {
        #[doc = "Commits to the bundle."]
        policy_ref: PolicyRef,
        #[doc = "`stored`; `in-force` from this entry on; `shadow` from this entry on, until another one is or it is `shadow-end`; `replayed`, when recorded decisions were judged under it."]
        phase: PolicyPhase,
        #[doc = "The bundle's canonical JSON, as the SHA-256 of each of its `part` entries' bytes, in order; for `stored`."]
        parts: Vec<Sha256>,
        #[doc = "The bundle that was in force until now, for `in-force`; that was in shadow until now, for `shadow`; that is in force, for `replayed`."]
        previous: Option<PolicyRef>,
        #[doc = "The credential that asked for it; `null` when the bundle was there from the start."]
        credential: Option<CredentialId>,
    }
}

entry_kind! {
    #[doc = "The directory changed."]
    Directory = "directory" {
        #[doc = "Commits to the changes."]
        changeset_ref: ChangesetRef,
        #[doc = "How many entities changed."]
        changes: u32,
        #[doc = "The credential of the author."]
        credential: CredentialId,
    }
}

entry_kind! {
    #[doc = "A credential was granted or revoked."]
    Credential = "credential" {
        #[doc = "The credential."]
        subject: CredentialId,
        #[doc = "`granted` or `revoked`."]
        change: GrantChange,
        #[doc = "What it may do; for `granted`."]
        roles: Vec<Role>,
        #[doc = "Which actors it may speak for: exact names, or prefixes ending in `/`."]
        actors: Vec<ActorPattern>,
        #[doc = "Which kinds of authors its turns may have, for an ingress; empty for any."]
        authors: Vec<Author>,
        #[doc = "Which channels its turns may come by, for an ingress; empty for any."]
        channels: Vec<ChannelName>,
        #[doc = "Stands for the only session that an ingress may register turns in, if it is so bound."]
        session: Option<Pseudonym>,
        #[doc = "How far an ingress is from the agent."]
        assurance: Option<Assurance>,
        #[doc = "A reviewer's public key: base64url of the raw Ed25519 key."]
        public_key: Option<KeyText>,
        #[doc = "The credential of the admin; `null` for those made with the log."]
        credential: Option<CredentialId>,
        optional {
            #[doc = "What its decisions state as `surface`; without it, `api`."]
            surface: Surface,
            #[doc = "Stands for the person whose credential it is, for a reviewer."]
            principal: Pseudonym,
            #[doc = "Whether an ingress may register turns only in sessions that it opened itself."]
            own_sessions: bool,
        }
    }
}

entry_kind! {
    #[doc = "A key was added or revoked. The moment is this leaf's index."]
    Key = "key" {
        #[doc = "What the key is for."]
        purpose: KeyPurpose,
        #[doc = "`granted` or `revoked`."]
        change: GrantChange,
        #[doc = "The public key, as in `genesis`."]
        key: KeyText,
        #[doc = "The root key's signature over the other members, base64url."]
        signature: KeyText,
    }
}

entry_kind! {
    #[doc = "What became of an approved call. `started` is committed before the call leaves."]
    Execution = "execution" {
        #[doc = "`started`, `finished`, or `unknown` when the outcome could not be learnt."]
        phase: ExecutionPhase,
        #[doc = "`decision` names the decision whose call ran."]
        links: Links,
        #[doc = "The intent of that decision."]
        intent_ref: Option<IntentRef>,
        #[doc = "Stands for the session of that decision."]
        session: Option<Pseudonym>,
        #[doc = "Commits to the result, if one was reported."]
        result_ref: Option<ResultRef>,
        #[doc = "Whether the tool says that it failed."]
        is_error: Option<bool>,
        #[doc = "The credential of the tool's side, or the agent's that asked for the call."]
        credential: CredentialId,
        optional {
            #[doc = "The permit that was used up, for `started` where the tool's side has shown it: then the intent, the bundle and the asker held at this entry."]
            permit: PermitId,
        }
    }
}

entry_kind! {
    #[doc = "A person answered an escalation. It approves nothing by itself: the call is judged again with it."]
    Review = "review" {
        #[doc = "`review` names the escalated decision."]
        links: Links,
        #[doc = "The call that was shown."]
        call_ref: CallRef,
        #[doc = "The bundle that escalated it."]
        policy_ref: PolicyRef,
        #[doc = "The intent that it rests on."]
        intent_ref: Option<IntentRef>,
        #[doc = "Commits to what the person was shown."]
        shown_ref: StatementRef,
        #[doc = "`approve` or `reject`."]
        answer: ReviewAnswer,
        #[doc = "The reviewer's credential, or that of the ingress."]
        credential: CredentialId,
        #[doc = "When the answer ends."]
        expires_at: Timestamp,
        #[doc = "Makes the answer good for one use."]
        nonce: KeyText,
        #[doc = "The reviewer's signature over the other members, base64url; `null` where the ingress that registered the turn vouches for the answer of its principal."]
        signature: Option<KeyText>,
    }
}

entry_kind! {
    #[doc = "An escalation was not answered in time."]
    Expired = "expired" {
        #[doc = "`resolves` names the escalated decision."]
        links: Links,
    }
}

entry_kind! {
    #[doc = "A permit was refused at the tool's side."]
    PermitRefused = "permit-refused" {
        #[doc = "The permit, if it could be read."]
        permit: Option<PermitId>,
        #[doc = "Why it was refused."]
        reason: PermitRefusal,
        #[doc = "`decision` names the decision that the permit belongs to, if it is known."]
        links: Links,
        #[doc = "The credential of the tool's side."]
        credential: CredentialId,
    }
}

entry_kind! {
    #[doc = "An agent gave part of its mandate to another; it can only narrow."]
    Delegation = "delegation" {
        #[doc = "The intent that the mandate comes from."]
        intent_ref: IntentRef,
        #[doc = "Who gives."]
        from: ActorName,
        #[doc = "Who receives."]
        to: ActorName,
        #[doc = "The only actions that are given; empty for all of the giver's."]
        actions: Vec<ActionName>,
        #[doc = "When it ends, no later than the intent."]
        expires_at: Timestamp,
        #[doc = "`delegation` names the delegation that this one narrows, if the giver is not named by the intent itself."]
        links: Links,
        #[doc = "The credential of the giver."]
        credential: CredentialId,
    }
}

entry_kind! {
    #[doc = "Sealed records were opened."]
    VaultAccess = "vault-access" {
        #[doc = "Which records."]
        refs: Vec<Sha256>,
        #[doc = "Commits to the stated purpose."]
        purpose_ref: StatementRef,
        #[doc = "The credential of the reader."]
        credential: CredentialId,
        optional {
            #[doc = "`requested` or `confirmed`, where two people are needed and nothing was opened yet."]
            phase: AccessPhase,
            #[doc = "The request that was confirmed, or under which the records were opened."]
            request: EntryId,
        }
    }
}

entry_kind! {
    #[doc = "Content was destroyed; its commitments stay."]
    Erasure = "erasure" {
        #[doc = "`requested` (the record keys are destroyed) or `complete` (no backup opens them either)."]
        phase: ErasurePhase,
        #[doc = "Which records."]
        refs: Vec<Sha256>,
        #[doc = "Commits to the authority that asked for it."]
        authority_ref: StatementRef,
        #[doc = "The credential that carried it out; `null` when the retention that the bundle states was over, or for `complete` by the server itself."]
        credential: Option<CredentialId>,
        optional {
            #[doc = "The newest key-encryption epoch that was destroyed with all before it, for `complete`."]
            epoch: u32,
        }
    }
}

entry_kind! {
    #[doc = "Records were put under a legal hold, or released from it."]
    Hold = "hold" {
        #[doc = "`placed` or `lifted`."]
        change: HoldChange,
        #[doc = "`hold` names the hold that is lifted."]
        links: Links,
        #[doc = "Which records."]
        refs: Vec<Sha256>,
        #[doc = "Commits to the authority that asked for it."]
        authority_ref: StatementRef,
        #[doc = "The credential that carried it out."]
        credential: CredentialId,
    }
}

entry_kind! {
    #[doc = "An alert, raised from the ledger."]
    Flag = "flag" {
        #[doc = "What was looked for."]
        detector: Detector,
        #[doc = "How grave it is."]
        severity: Severity,
        #[doc = "The actor that it concerns, if it concerns one."]
        actor: Option<ActorName>,
        #[doc = "The intent that it concerns, if it concerns one."]
        intent_ref: Option<IntentRef>,
        #[doc = "Where it began."]
        onset: EntryId,
        #[doc = "The entries that it rests on, in the order of the log; at most 64."]
        entries: Vec<EntryId>,
        #[doc = "How many entries there were."]
        count: u32,
        #[doc = "The window in which they were counted, in seconds."]
        window_s: u32,
        #[doc = "The bundle whose settings the detector followed."]
        policy_ref: PolicyRef,
        optional {
            #[doc = "Stands for the target that it concerns, if it concerns one."]
            target: Pseudonym,
            #[doc = "The credential that it concerns, if it is about openings of sealed records."]
            reader: CredentialId,
            #[doc = "The turn that was the newest of its session at the onset."]
            turn: IntentRef,
            #[doc = "The execution whose result was the last to come in before the onset, in its session."]
            after: EntryId,
            #[doc = "How many of the entries are calls that were stopped: rejected or escalated."]
            stopped: u32,
            #[doc = "How many of the entries are calls that were approved."]
            passed: u32,
        }
    }
}

entry_kind! {
    #[doc = "A flag's incident grew, or somebody took note of it."]
    FlagUpdate = "flag-update" {
        #[doc = "`flag` names the flag."]
        links: Links,
        #[doc = "What is new: `grown` or `acknowledged`."]
        change: FlagChange,
        #[doc = "The entries that were added, in the order of the log; at most 64."]
        entries: Vec<EntryId>,
        #[doc = "How many entries there are now."]
        count: u32,
        #[doc = "Who took note of it."]
        credential: Option<CredentialId>,
        optional {
            #[doc = "How grave it is by now, if that has changed."]
            severity: Severity,
            #[doc = "How many of the entries are calls that were stopped by now."]
            stopped: u32,
            #[doc = "How many of the entries are calls that were approved by now."]
            passed: u32,
        }
    }
}

entry_kind! {
    #[doc = "A flag's incident is over."]
    FlagClose = "flag-close" {
        #[doc = "`flag` names the flag."]
        links: Links,
        #[doc = "How many entries there were in all."]
        count: u32,
        #[doc = "Who closed it; `null` when it went quiet."]
        credential: Option<CredentialId>,
        optional {
            #[doc = "How many of the entries are calls that were stopped."]
            stopped: u32,
            #[doc = "How many of the entries are calls that were approved."]
            passed: u32,
        }
    }
}

entry_kind! {
    #[doc = "A session began."]
    SessionOpen = "session-open" {
        #[doc = "Stands for the session."]
        session: Pseudonym,
        #[doc = "The credential that opened it."]
        credential: CredentialId,
    }
}

entry_kind! {
    #[doc = "A session ended, with what it held, so that a missing entry is visible."]
    SessionClose = "session-close" {
        #[doc = "Stands for the session."]
        session: Pseudonym,
        #[doc = "How many turns it had."]
        turns: u32,
        #[doc = "How many decisions were made in it."]
        decisions: u32,
        #[doc = "How many executions were reported in it."]
        executions: u32,
        #[doc = "The credential that closed it; `null` when it went quiet."]
        credential: Option<CredentialId>,
    }
}

entry_kind! {
    #[doc = "Requests that were refused without an entry of their own, because there were too many."]
    Throttled = "throttled" {
        #[doc = "Whose requests."]
        credential: CredentialId,
        #[doc = "When the first of them came."]
        since: Timestamp,
        #[doc = "When the last of them came."]
        until: Timestamp,
        #[doc = "How many there were."]
        requests: u64,
    }
}
