//! Lies of somebody who has the log key: each is signed anew and in itself a sound tree, and each is
//! found by the check that it breaks.

use countersign_core::entry::*;
use countersign_core::names::ReasonId;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_verify::{Check, Word};

use crate::log::{Key as TestKey, audit, publish, told, trust};
use crate::story::{
    Story, base64url, credential, entry_id, genesis, key_entry, signed, stands_for, story, vault, x,
};

type Lie = fn(&mut Story);

/// The entry's body as its kind.
macro_rules! body {
    ($story:expr, $name:literal, $kind:ident) => {
        match &mut $story.entry($name).body {
            Body::$kind(body) => body,
            _ => panic!("`{}` is of another kind", $name),
        }
    };
}

/// A copy of an entry right after another one, with an id of its own.
fn again(story: &mut Story, name: &'static str, after: &str) {
    let mut copy = story.entry(name).clone();
    let position = story.position(after);
    copy.entry_id = entry_id(900);
    copy.timestamp = story.entry(after).timestamp;
    story.entries.insert(position + 1, ("again", copy));
}

fn drop(story: &mut Story, name: &str) {
    let position = story.position(name);
    story.entries.remove(position);
}

fn zero<T: From<countersign_core::refs::Sha256>>() -> T {
    countersign_core::refs::Sha256::from_bytes([0; 32]).into()
}

const LOG: &[(&str, Check, Lie)] = &[
    ("a second genesis", Check::Genesis, |s| {
        again(s, "genesis", "admin")
    }),
    ("no genesis", Check::Genesis, |s| drop(s, "genesis")),
    ("a genesis of another origin", Check::Origin, |s| {
        body!(s, "genesis", Genesis).origin = x("other.example")
    }),
    (
        "a genesis signed by another key",
        Check::RootSignature,
        |s| {
            let mut other = genesis(TestKey::root());
            other.signature = signed(&TestKey::log(), &other);
            s.entry("genesis").body = other.into();
        },
    ),
    ("a root key of the liar's own", Check::RootKey, |s| {
        s.entry("genesis").body = genesis(TestKey::new("countersign.invalid/root", 66)).into();
    }),
    (
        "a permit key changed under the signature",
        Check::RootSignature,
        |s| {
            body!(s, "genesis", Genesis).permit_key = x(&base64url(&[4; 32]));
        },
    ),
    ("a key granted by the log key", Check::RootSignature, |s| {
        let body = key_entry(
            KeyPurpose::Permit,
            GrantChange::Granted,
            &base64url(&[5; 32]),
            &TestKey::log(),
        );
        s.entry("key granted").body = body.into();
    }),
    ("a revoked key granted again", Check::KeyHistory, |s| {
        let body = key_entry(
            KeyPurpose::Permit,
            GrantChange::Granted,
            &base64url(&[3; 32]),
            &TestKey::root(),
        );
        again(s, "key granted", "key revoked");
        s.entry("again").body = body.into();
    }),
    ("a key revoked that never was", Check::KeyHistory, |s| {
        let body = key_entry(
            KeyPurpose::Permit,
            GrantChange::Revoked,
            &base64url(&[8; 32]),
            &TestKey::root(),
        );
        s.entry("key revoked").body = body.into();
    }),
    ("the signing key revoked", Check::LogKey, |s| {
        use countersign_note::NoteSigner as _;
        let key = TestKey::log().verifier_key().to_string();
        let body = key_entry(
            KeyPurpose::Log,
            GrantChange::Revoked,
            &key,
            &TestKey::root(),
        );
        again(s, "key revoked", "key revoked");
        s.entry("again").body = body.into();
    }),
    ("a time that goes back", Check::Time, |s| {
        s.entry("flag").timestamp = s.entry("turn").timestamp;
    }),
    ("an id again", Check::EntryId, |s| {
        let id = s.id("turn");
        s.entry("throttled").entry_id = id;
    }),
    ("a throttled stretch in the future", Check::Members, |s| {
        body!(s, "throttled", Throttled).until = Timestamp::MAX;
    }),
];

const POLICY: &[(&str, Check, Lie)] = &[
    (
        "a bundle that was not in force",
        Check::PolicyInForce,
        |s| {
            body!(s, "approved", Decision).policy_ref = zero();
        },
    ),
    (
        "a decision under the bundle before",
        Check::PolicyInForce,
        |s| {
            again(s, "rejected 1", "second in force");
        },
    ),
    (
        "a bundle in force that is not stored",
        Check::PolicyHistory,
        |s| {
            body!(s, "second in force", Policy).policy_ref = zero();
        },
    ),
    ("another bundle before", Check::PolicyHistory, |s| {
        body!(s, "second in force", Policy).previous = None;
    }),
    ("one person who publishes", Check::PolicyHistory, |s| {
        let author = body!(s, "second stored", Policy).credential;
        body!(s, "second in force", Policy).credential = author;
    }),
    (
        "the person who had it in shadow",
        Check::PolicyHistory,
        |s| {
            let second = body!(s, "second in force", Policy).credential;
            body!(s, "second in shadow", Policy).credential = second;
        },
    ),
    ("no replay before", Check::PolicyHistory, |s| {
        drop(s, "second replayed")
    }),
    ("a replay of too long ago", Check::PolicyHistory, |s| {
        let late = s.entry("second in force").timestamp;
        let position = s.position("second in force");
        for (_, entry) in &mut s.entries[position..] {
            entry.timestamp = late.plus_millis(24 * 60 * 60 * 1_000);
        }
    }),
    (
        "a replay beside another bundle",
        Check::PolicyHistory,
        |s| {
            body!(s, "second replayed", Policy).previous = Some(zero());
        },
    ),
    (
        "another bundle in shadow before",
        Check::PolicyHistory,
        |s| {
            body!(s, "second in shadow", Policy).previous = Some(zero());
        },
    ),
    (
        "the end of what is not in shadow",
        Check::PolicyHistory,
        |s| {
            drop(s, "second in shadow");
        },
    ),
    ("in force while in shadow", Check::PolicyHistory, |s| {
        drop(s, "second no longer in shadow")
    }),
    (
        "a verdict in shadow of no bundle in shadow",
        Check::PolicyInForce,
        |s| drop(s, "second in shadow"),
    ),
    (
        "a verdict in shadow under the bundle in force",
        Check::PolicyInForce,
        |s| {
            body!(s, "tried", Decision).policy_ref = body!(s, "beside", Decision).policy_ref;
        },
    ),
    ("a verdict in shadow beside nothing", Check::Link, |s| {
        body!(s, "tried", Decision).links.shadows = None;
    }),
    (
        "a verdict in shadow beside another call",
        Check::Link,
        |s| {
            let other = s.id("approved");
            body!(s, "tried", Decision).links.shadows = Some(other);
        },
    ),
    ("two verdicts in shadow", Check::UsedOnce, |s| {
        again(s, "tried", "tried")
    }),
    ("a verdict in shadow that counts", Check::Members, |s| {
        let counts = body!(s, "approved", Decision).counts.clone();
        body!(s, "tried", Decision).counts = counts;
    }),
    ("an enforced verdict beside another", Check::Members, |s| {
        let other = s.id("approved");
        body!(s, "beside", Decision).links.shadows = Some(other);
    }),
    (
        "a call that was approved in shadow only",
        Check::Execution,
        |s| {
            let id = s.id("tried");
            body!(s, "tried", Decision).outcome = Outcome::Approved;
            let call = body!(s, "started", Execution).clone();
            again(s, "started", "tried");
            s.entry("again").body = Execution {
                links: Links {
                    decision: Some(id),
                    ..Links::default()
                },
                ..call
            }
            .into();
        },
    ),
    ("a part that is missing", Check::Bundle, |s| {
        drop(s, "second part")
    }),
    ("a bundle's text swapped", Check::Bundle, |s| {
        let other = crate::story::bundle("third");
        let bytes = countersign_core::document::Document::canonical(&other)
            .unwrap()
            .into_bytes();
        s.entry("second part").body = split(&bytes).remove(0).into();
    }),
    (
        "a bundle's text swapped, its part named",
        Check::Bundle,
        |s| {
            let other = crate::story::bundle("third");
            let bytes = countersign_core::document::Document::canonical(&other)
                .unwrap()
                .into_bytes();
            let part = split(&bytes).remove(0);
            body!(s, "second stored", Policy).parts = vec![part.bytes.digest()];
            s.entry("second part").body = part.into();
        },
    ),
    ("a part of nothing", Check::Bundle, |s| {
        again(s, "second part", "second in force");
        s.entry("again").body = split(b"of nothing").remove(0).into();
    }),
    ("reasons out of order", Check::Reasons, |s| {
        body!(s, "rejected 1", Decision).reasons =
            vec![x("no-churned-contacts"), x("named-addresses")];
    }),
    ("no reasons", Check::Reasons, |s| {
        body!(s, "rejected 1", Decision).reasons.clear()
    }),
    ("a reason of no policy", Check::Reasons, |s| {
        body!(s, "rejected 1", Decision).reasons = vec![x("made-up")];
    }),
    (
        "a built-in reason that does not exist",
        Check::Reasons,
        |s| {
            body!(s, "rejected 1", Decision).reasons = vec![x("countersign.made-up")];
        },
    ),
    ("approved for a reason to reject", Check::Reasons, |s| {
        body!(s, "approved", Decision).reasons = vec![x::<ReasonId>("countersign.no-permit")];
    }),
];

const PEOPLE: &[(&str, Check, Lie)] = &[
    (
        "a credential that was never granted",
        Check::Credential,
        |s| {
            body!(s, "approved", Decision).credential = credential(77);
        },
    ),
    ("a credential of another role", Check::Credential, |s| {
        body!(s, "approved", Decision).credential = credential(5);
    }),
    (
        "an actor that is not the credential's",
        Check::Credential,
        |s| {
            let body = body!(s, "unmandated", Decision);
            body.actor = x("agent:stranger");
        },
    ),
    ("a revoked credential", Check::Credential, |s| {
        again(s, "review", "credential revoked")
    }),
    (
        "a turn by a channel that is not the ingress's",
        Check::Credential,
        |s| {
            body!(s, "turn", Intent).channel = x("elsewhere");
        },
    ),
    ("a bundle by nobody", Check::Credential, |s| {
        body!(s, "second in force", Policy).credential = None;
    }),
    ("a credential by nobody", Check::Credential, |s| {
        body!(s, "credential revoked", Credential).credential = None;
    }),
    ("agent and ingress in one", Check::CredentialHistory, |s| {
        body!(s, "agent", Credential).roles = vec![Role::Agent, Role::Ingress];
    }),
    ("agent and reviewer in one", Check::CredentialHistory, |s| {
        body!(s, "agent", Credential).roles = vec![Role::Agent, Role::Reviewer];
    }),
    (
        "a credential granted again",
        Check::CredentialHistory,
        |s| again(s, "agent", "tool"),
    ),
    (
        "a credential revoked twice",
        Check::CredentialHistory,
        |s| {
            again(s, "credential revoked", "credential revoked");
        },
    ),
    ("a review that nobody signed", Check::Review, |s| {
        body!(s, "review", Review).signature = Some(x(&base64url(&[0; 64])));
    }),
    ("a review changed after it was signed", Check::Review, |s| {
        body!(s, "review", Review).expires_at = Timestamp::MAX;
    }),
    ("a review of another call", Check::Review, |s| {
        body!(s, "review", Review).call_ref = zero();
    }),
    ("a rejecting review that approves", Check::Review, |s| {
        let body = body!(s, "review", Review);
        body.answer = ReviewAnswer::Reject;
        body.signature = Some(signed(&TestKey::new("reviewer", 6), body));
    }),
    ("a review used twice", Check::UsedOnce, |s| {
        again(s, "resolved", "resolved")
    }),
    ("a nonce used twice", Check::UsedOnce, |s| {
        again(s, "review", "resolved")
    }),
    ("a reviewer who was shown nothing", Check::Review, |s| {
        drop(s, "shown")
    }),
    (
        "a review of what somebody else was shown",
        Check::Review,
        |s| {
            body!(s, "shown", VaultAccess).credential = credential(7);
        },
    ),
    (
        "a reviewer who opens what nobody asks about",
        Check::Credential,
        |s| {
            body!(s, "shown", VaultAccess).refs = vec![zero()];
        },
    ),
    ("a reviewer who is nobody", Check::Review, |s| {
        body!(s, "reviewer", Credential).principal = None;
    }),
    ("an answer after its escalation ended", Check::Review, |s| {
        let later = s.entry("escalated").timestamp.plus_millis(900_000);
        s.entry("review").timestamp = later;
    }),
    ("an answer after its own end", Check::Review, |s| {
        let before = s.entry("shown").timestamp;
        let body = body!(s, "review", Review);
        body.expires_at = before;
        body.signature = Some(signed(&TestKey::new("reviewer", 6), body));
    }),
    ("an answer without a signature", Check::Credential, |s| {
        body!(s, "review", Review).signature = None;
    }),
    (
        "an answer for the requester by who did not ask",
        Check::Credential,
        |s| {
            body!(s, "the requester says no", Review).credential = credential(5);
        },
    ),
    ("an answer that nothing came of", Check::Review, |s| {
        drop(s, "resolved")
    }),
    ("an answer apart from what came of it", Check::Review, |s| {
        again(s, "shown", "review")
    }),
    ("an escalation that nobody answered", Check::Review, |s| {
        body!(s, "resolved", Decision).links.review = None;
    }),
    ("an answer that closes nothing", Check::Review, |s| {
        body!(s, "resolved", Decision).links.resolves = None;
    }),
    ("a no that is no rejection", Check::Review, |s| {
        let body = body!(s, "refused", Decision);
        body.outcome = Outcome::Escalated;
        body.reasons = vec![x("no-churned-contacts")];
    }),
    ("a no of a person who was not asked", Check::Review, |s| {
        body!(s, "rejected 1", Decision).reasons = vec![x("countersign.review-rejected")];
    }),
    ("an answer for another agent", Check::Review, |s| {
        body!(s, "resolved", Decision).actor = x("agent:team/other");
    }),
    ("an escalation closed twice", Check::UsedOnce, |s| {
        again(s, "expired", "expired")
    }),
    ("an escalation that was none", Check::Link, |s| {
        let id = s.id("approved");
        body!(s, "expired", Expired).links.resolves = Some(id);
    }),
    ("a call that is not counted", Check::Counts, |s| {
        body!(s, "approved", Decision).counts.clear();
    }),
    ("a call that is counted twice", Check::Counts, |s| {
        body!(s, "approved", Decision).counts[0].delta = 2;
    }),
    ("a call that is counted for another", Check::Counts, |s| {
        body!(s, "approved", Decision).counts[1].key = stands_for(44);
    }),
    ("a rejected call that is counted", Check::Counts, |s| {
        let counts = body!(s, "approved", Decision).counts.clone();
        body!(s, "rejected 1", Decision).counts = counts;
    }),
    ("a counter that nobody declared", Check::Counts, |s| {
        body!(s, "approved", Decision).counts[0].counter = x("made-up");
    }),
    (
        "a value that was met and counts as new",
        Check::Counts,
        |s| {
            body!(s, "beside", Decision).counts[1].delta = 1;
        },
    ),
    ("a value that was not met", Check::Counts, |s| {
        body!(s, "beside", Decision).counts[1].value = Some(stands_for(44));
    }),
];

const TURNS: &[(&str, Check, Lie)] = &[
    ("an intent that was never registered", Check::Intent, |s| {
        body!(s, "approved", Decision).intent_ref = Some(zero());
    }),
    ("a turn registered twice", Check::IntentHistory, |s| {
        again(s, "turn", "second turn")
    }),
    ("a parent that is not there", Check::IntentHistory, |s| {
        body!(s, "second turn", Intent).parent = Some(zero());
    }),
    ("a mandate that is not there", Check::IntentHistory, |s| {
        body!(s, "second turn", Intent).mandate = Some(zero());
    }),
    ("a turn that had ended", Check::Intent, |s| {
        body!(s, "turn", Intent).expires_at = s.entry("turn").timestamp;
    }),
    ("a turn that was revoked", Check::Intent, |s| {
        let body::Second(second) = body::second(s);
        again(s, "rejected 1", "turn revoked");
        body!(s, "again", Decision).intent_ref = Some(second);
    }),
    ("a turn that is not the newest", Check::Intent, |s| {
        again(s, "rejected 1", "second turn");
    }),
    ("a turn of another session", Check::Intent, |s| {
        body!(s, "approved", Decision).session = Some(stands_for(44));
    }),
    ("a turn of another principal", Check::Intent, |s| {
        body!(s, "approved", Decision).principal = Some(stands_for(44));
    }),
    ("a turn that does not name the actor", Check::Intent, |s| {
        body!(s, "approved", Decision).actor = x("agent:team/other");
    }),
    ("a turn revoked that never was", Check::Intent, |s| {
        body!(s, "turn revoked", Revocation).intent_ref = Some(zero());
    }),
    ("a claimed intent beside a live one", Check::Members, |s| {
        body!(s, "approved", Decision).claimed_intent_ref = Some(zero());
    }),
    ("a delegation of another action", Check::Delegation, |s| {
        body!(s, "delegation", Delegation).actions = vec![x("file.read")];
    }),
    ("a delegation to another", Check::Delegation, |s| {
        body!(s, "delegation", Delegation).to = x("agent:team/other");
    }),
    (
        "a delegation longer than the turn",
        Check::Delegation,
        |s| {
            body!(s, "delegation", Delegation).expires_at = Timestamp::MAX;
        },
    ),
    (
        "a delegation by one who was given nothing",
        Check::Delegation,
        |s| {
            body!(s, "delegation", Delegation).from = x("agent:team/other");
        },
    ),
    (
        "a delegation that has ended already",
        Check::Delegation,
        |s| {
            body!(s, "delegation", Delegation).expires_at = Timestamp::from_millis(1);
        },
    ),
    ("a delegation to oneself", Check::Delegation, |s| {
        let body = body!(s, "delegation", Delegation);
        body.to = body.from.clone();
    }),
    ("a delegation by one who is stopped", Check::Stopped, |s| {
        again(s, "delegation", "stop")
    }),
    (
        "a session that lost a decision",
        Check::SessionCounts,
        |s| drop(s, "stopped"),
    ),
    ("a session that lost a turn", Check::SessionCounts, |s| {
        body!(s, "session-close", SessionClose).turns = 1;
    }),
];

const CALLS: &[(&str, Check, Lie)] = &[
    ("approved while stopped", Check::Stopped, |s| {
        let body = body!(s, "stopped", Decision);
        body.outcome = Outcome::Approved;
        body.reasons = vec![x("named-addresses")];
    }),
    ("approved while the actor is stopped", Check::Stopped, |s| {
        again(s, "delegated", "stop of an actor");
    }),
    ("an outcome that is reserved", Check::Members, |s| {
        body!(s, "approved", Decision).outcome = Outcome::Modified;
    }),
    ("approved without facts", Check::Members, |s| {
        body!(s, "approved", Decision).facts_ref = None;
    }),
    ("resumed without a stop", Check::Members, |s| {
        drop(s, "stop")
    }),
    ("a call of a rejected decision", Check::Execution, |s| {
        let id = s.id("rejected 1");
        drop_later(s, id);
    }),
    ("an execution in another session", Check::Execution, |s| {
        body!(s, "started", Execution).session = Some(stands_for(44));
    }),
    ("started twice", Check::UsedOnce, |s| {
        again(s, "started", "started")
    }),
    ("started after it was finished", Check::UsedOnce, |s| {
        again(s, "started", "finished")
    }),
    (
        "an agent that tells of what the tool has told to the end",
        Check::UsedOnce,
        |s| {
            let agent = body!(s, "approved", Decision).credential;
            again(s, "finished", "finished");
            body!(s, "again", Execution).credential = agent;
        },
    ),
    (
        "an agent that tells of its own call twice",
        Check::UsedOnce,
        |s| {
            let agent = body!(s, "approved", Decision).credential;
            body!(s, "started", Execution).credential = agent;
            again(s, "started", "started");
        },
    ),
    (
        "a report of somebody who is neither the tool nor asked for the call",
        Check::Credential,
        |s| {
            let ingress = body!(s, "turn", Intent).credential;
            body!(s, "started", Execution).credential = ingress;
        },
    ),
    ("a permit used twice", Check::UsedOnce, |s| {
        again(s, "started", "started")
    }),
    ("a permit used at the end", Check::Members, |s| {
        body!(s, "finished", Execution).permit = Some(x("01HYA0000000000000000000PT"));
    }),
    ("a permit used by an agent", Check::Members, |s| {
        let agent = body!(s, "approved", Decision).credential;
        body!(s, "started", Execution).credential = agent;
    }),
    ("another permit of the same decision", Check::Permit, |s| {
        body!(s, "started", Execution).permit = Some(x("01HYA0000000000000000000PX"));
    }),
    ("a permit used under a stop", Check::Permit, |s| {
        again(s, "started", "stop")
    }),
    ("a permit used under another bundle", Check::Permit, |s| {
        again(s, "started", "second in force")
    }),
    ("a permit used after its end", Check::Permit, |s| {
        let late = s.entry("approved").timestamp.plus_millis(60_000);
        let position = s.position("started");
        for (_, entry) in &mut s.entries[position..] {
            entry.timestamp = late;
        }
    }),
    ("a permit used after its session", Check::Permit, |s| {
        again(s, "started", "session-close")
    }),
    ("a permit of nobody's decision", Check::Members, |s| {
        body!(s, "permit-refused", PermitRefused).links.decision = None;
    }),
    (
        "a permit of no one that was refused for its turn",
        Check::Members,
        |s| {
            let body = body!(s, "permit-refused", PermitRefused);
            (body.permit, body.links.decision) = (None, None);
        },
    ),
    (
        "a permit of ours with a bad signature",
        Check::Members,
        |s| {
            body!(s, "permit-refused", PermitRefused).reason = PermitRefusal::Signature;
        },
    ),
    ("a permit of a rejected call", Check::Permit, |s| {
        again(s, "permit-refused", "rejected 1");
        let id = s.id("rejected 1");
        let body = body!(s, "again", PermitRefused);
        body.links.decision = Some(id);
        body.permit = Some(x("01HYA0000000000000000000PX"));
    }),
    ("a permit that was not used before", Check::Permit, |s| {
        again(s, "permit-refused", "approved")
    }),
    (
        "a permit refused for a stop that was none",
        Check::Permit,
        |s| {
            body!(s, "permit-refused", PermitRefused).reason = PermitRefusal::Stopped;
        },
    ),
    (
        "a permit refused for a turn that goes on",
        Check::Permit,
        |s| {
            body!(s, "permit-refused", PermitRefused).reason = PermitRefusal::Intent;
        },
    ),
    (
        "a permit refused for the bundle in force",
        Check::Permit,
        |s| {
            body!(s, "permit-refused", PermitRefused).reason = PermitRefusal::Policy;
        },
    ),
    ("a result before the end", Check::Members, |s| {
        body!(s, "started", Execution).is_error = Some(false);
    }),
    ("a link to a later entry", Check::Link, |s| {
        let id = s.id("rejected 4");
        body!(s, "started", Execution).links.decision = Some(id);
    }),
    ("a link to nothing", Check::Link, |s| {
        body!(s, "permit-refused", PermitRefused).links.decision = Some(entry_id(901));
    }),
    ("a link of another kind", Check::Link, |s| {
        let id = s.id("turn");
        body!(s, "delegated", Decision).links.continues = Some(id);
    }),
    ("a link that the kind does not have", Check::Link, |s| {
        let id = s.id("flag");
        body!(s, "delegated", Decision).links.flag = Some(id);
    }),
    ("no link where one is needed", Check::Link, |s| {
        body!(s, "started", Execution).links.decision = None;
    }),
    ("a flag over other entries", Check::Flag, |s| {
        let id = s.id("approved");
        body!(s, "flag", Flag).entries[0] = id;
    }),
    ("a flag of a tool that did not change", Check::Flag, |s| {
        body!(s, "flag", Flag).detector = Detector::ToolChanged;
    }),
    ("a flag out of order", Check::Flag, |s| {
        body!(s, "flag", Flag).entries.swap(0, 1)
    }),
    ("a flag with a later onset", Check::Flag, |s| {
        let id = s.id("rejected 2");
        body!(s, "flag", Flag).onset = id;
    }),
    ("a flag of fewer than it names", Check::Flag, |s| {
        body!(s, "flag", Flag).count = 2
    }),
    ("a flag that shrank", Check::Flag, |s| {
        body!(s, "flag grown", FlagUpdate).count = 2
    }),
    ("a flag closed twice", Check::UsedOnce, |s| {
        again(s, "flag closed", "flag closed")
    }),
    ("a flag that grew after its end", Check::Flag, |s| {
        again(s, "flag grown", "flag closed")
    }),
];

/// Puts the execution of the approved decision onto another one.
/// Of a log that goes on under a bundle that needs two people for an opening.
const VAULT: &[(&str, Check, Lie)] = &[
    ("an opening by one person alone", Check::Opening, |s| {
        body!(s, "opened by two", VaultAccess).request = None;
    }),
    ("an opening that nobody confirmed", Check::Opening, |s| {
        drop(s, "opening confirmed")
    }),
    ("an opening that nobody asked for", Check::Opening, |s| {
        drop(s, "opening asked for")
    }),
    ("a yes of the same credential", Check::Opening, |s| {
        body!(s, "opening confirmed", VaultAccess).credential = credential(7);
    }),
    ("a yes of the same person", Check::Opening, |s| {
        body!(s, "reader", Credential).principal = Some(stands_for(14));
        body!(s, "second reader", Credential).principal = Some(stands_for(14));
    }),
    ("a yes of who may not open", Check::Credential, |s| {
        body!(s, "second reader", Credential).roles = vec![Role::Auditor];
    }),
    ("a yes that came too late", Check::Opening, |s| {
        let later = s.entry("opening asked for").timestamp.plus_millis(900_000);
        s.entry("opening confirmed").timestamp = later;
    }),
    ("an opening that came too late", Check::Opening, |s| {
        let later = s.entry("opening asked for").timestamp.plus_millis(900_000);
        s.entry("opened by two").timestamp = later;
    }),
    ("a yes of a credential revoked since", Check::Opening, |s| {
        again(s, "credential revoked", "opening confirmed");
        body!(s, "again", Credential).subject = credential(9);
    }),
    (
        "a request of a credential revoked since",
        Check::Opening,
        |s| {
            again(s, "credential revoked", "opening asked for");
            body!(s, "again", Credential).subject = credential(7);
        },
    ),
    (
        "an opening of other records than asked for",
        Check::Opening,
        |s| {
            body!(s, "opened by two", VaultAccess).refs = vec![zero()];
        },
    ),
    ("an opening for another purpose", Check::Opening, |s| {
        body!(s, "opened by two", VaultAccess).purpose_ref = zero();
    }),
    (
        "an opening by somebody else than asked",
        Check::Opening,
        |s| {
            body!(s, "opened by two", VaultAccess).credential = credential(9);
        },
    ),
    (
        "a request that is opened with twice",
        Check::UsedOnce,
        |s| again(s, "opened by two", "opened by two"),
    ),
    ("a request that is confirmed twice", Check::UsedOnce, |s| {
        again(s, "opening confirmed", "opening confirmed")
    }),
    ("an erasure of what is under hold", Check::Hold, |s| {
        drop(s, "hold lifted")
    }),
    ("a hold that is lifted twice", Check::Hold, |s| {
        again(s, "hold lifted", "hold lifted")
    }),
    (
        "a hold lifted from what it was not placed on",
        Check::Hold,
        |s| {
            body!(s, "hold lifted", Hold).refs = vec![zero()];
        },
    ),
    ("a hold lifted that names none", Check::Link, |s| {
        body!(s, "hold lifted", Hold).links = Links::default();
    }),
    ("a hold that a reader placed", Check::Credential, |s| {
        body!(s, "hold", Hold).credential = credential(7);
    }),
    (
        "an erasure that no bundle asked for",
        Check::Credential,
        |s| {
            body!(s, "erasure", Erasure).credential = None;
        },
    ),
    ("a completion that nobody requested", Check::Erasure, |s| {
        drop(s, "expired record")
    }),
    ("a completion of other records", Check::Erasure, |s| {
        body!(s, "destroyed for good", Erasure).refs = vec![zero()];
    }),
    ("a completion of more records", Check::Erasure, |s| {
        body!(s, "destroyed for good", Erasure).refs.push(zero());
    }),
    ("a completion on another's authority", Check::Erasure, |s| {
        body!(s, "destroyed for good", Erasure).authority_ref = zero();
    }),
    ("an erasure that is complete twice", Check::Erasure, |s| {
        again(s, "destroyed for good", "destroyed for good")
    }),
    (
        "a completion without keys that ended",
        Check::Erasure,
        |s| {
            body!(s, "destroyed for good", Erasure).epoch = None;
        },
    ),
    ("a record that is erased twice", Check::Erasure, |s| {
        body!(s, "erasure", Erasure).refs = vec![Sha256::of(b"a record")];
    }),
    ("an opening of what was erased", Check::Erasure, |s| {
        body!(s, "vault-access", VaultAccess).refs = vec![Sha256::of(b"gone")];
        body!(s, "erasure", Erasure).refs = vec![Sha256::of(b"gone")];
        let erasure = s.position("erasure");
        let access = s.position("vault-access");
        let (first, later) = (
            s.entries[access].1.timestamp,
            s.entries[erasure].1.timestamp,
        );
        s.entries[access].1.timestamp = later;
        s.entries[erasure].1.timestamp = first;
        s.entries.swap(access, erasure);
    }),
    ("an erasure of what is named later", Check::Erasure, |s| {
        let reference = Sha256::from(body!(s, "expired record", Erasure).authority_ref);
        body!(s, "erasure", Erasure).refs = vec![reference];
    }),
    ("a request that says that keys ended", Check::Erasure, |s| {
        body!(s, "expired record", Erasure).epoch = Some(1);
    }),
];

fn drop_later(story: &mut Story, id: countersign_core::ids::EntryId) {
    again(story, "started", "rejected 1");
    body!(story, "again", Execution).links.decision = Some(id);
}

mod body {
    use super::*;

    pub(super) struct Second(pub(super) countersign_core::refs::IntentRef);

    /// The second turn, which is revoked later.
    pub(super) fn second(story: &mut Story) -> Second {
        Second(body!(story, "second turn", Intent).intent_ref)
    }
}

#[test]
fn every_lie_is_found_by_its_check() {
    for (what, check, lie) in [LOG, POLICY, PEOPLE, TURNS, CALLS].concat() {
        let mut story = story();
        lie(&mut story);
        let report = audit(&publish(&story.leaves()), trust());
        let found = report.findings.iter().any(|f| f.check == check);
        assert!(found, "{what}: {}", told(&report));
        assert_eq!(report.word, Word::Failed, "{what}");
    }
}

#[test]
fn every_lie_about_sealed_records_is_found_by_its_check() {
    let mut truth = story();
    vault(&mut truth);
    let report = audit(&publish(&truth.leaves()), trust());
    assert!(report.findings.is_empty(), "{}", told(&report));
    for (what, check, lie) in VAULT {
        let mut story = truth.clone();
        lie(&mut story);
        let report = audit(&publish(&story.leaves()), trust());
        let found = report.findings.iter().any(|f| f.check == *check);
        assert!(found, "{what}: {}", told(&report));
        assert_eq!(report.word, Word::Failed, "{what}");
    }
}

/// A second hold on the same record outlasts the first.
#[test]
fn a_record_under_two_holds_is_free_when_both_are_lifted() {
    let mut story = story();
    vault(&mut story);
    again(&mut story, "hold", "hold");
    let report = audit(&publish(&story.leaves()), trust());
    assert!(report.findings.iter().any(|f| f.check == Check::Hold));
}

/// A bundle that the log began with was stored by nobody.
#[test]
fn who_goes_back_to_the_first_bundle_alone_is_found() {
    let mut story = story();
    let first = body!(story, "beside", Decision).policy_ref;
    let second_author = body!(story, "second in force", Policy).credential;
    again(&mut story, "second replayed", "second replayed");
    let back = body!(story, "again", Policy);
    back.phase = PolicyPhase::InForce;
    back.policy_ref = first;
    back.credential = second_author;
    let report = audit(&publish(&story.leaves()), trust());
    let mut said = report.findings.iter();
    let is_found = said.any(|finding| finding.expected.contains("two persons publish"));
    assert!(is_found, "{}", told(&report));
}

/// The same flag over calls that were rejected because their tool had changed is no lie.
#[test]
fn a_flag_of_a_tool_that_changed_is_no_lie() {
    let mut story = story();
    body!(story, "flag", Flag).detector = Detector::ToolChanged;
    let flagged: Vec<_> = [
        body!(story, "flag", Flag).entries.clone(),
        body!(story, "flag grown", FlagUpdate).entries.clone(),
    ]
    .concat();
    for (_, entry) in &mut story.entries {
        if let Body::Decision(body) = &mut entry.body
            && flagged.contains(&entry.entry_id)
        {
            body.reasons = vec![x("countersign.tool-changed")];
        }
    }
    let report = audit(&publish(&story.leaves()), trust());
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
}

/// What the agent reports beside the tool is no lie.
#[test]
fn an_agent_may_report_its_own_call_before_the_tool_does() {
    let mut story = story();
    let agent = body!(story, "approved", Decision).credential;
    again(&mut story, "started", "started");
    body!(story, "again", Execution).credential = agent;
    body!(story, "again", Execution).permit = None;
    body!(story, "session-close", SessionClose).executions += 1;
    let report = audit(&publish(&story.leaves()), trust());
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
}

/// What the service records of a request that it could not read is no lie.
#[test]
fn a_refusal_of_what_could_not_be_read_may_name_its_credential_even_a_revoked_one() {
    for actor in ["agent:support-v3", "credential:01HYA000000000000000000004"] {
        let mut story = story();
        let mut revoked = body!(story, "agent", Credential).clone();
        revoked.change = GrantChange::Revoked;
        revoked.credential = Some(credential(1));
        again(
            &mut story,
            "credential revoked",
            "second no longer in shadow",
        );
        story.entry("again").body = revoked.into();
        let mut late = story.entry("unmandated").clone();
        late.entry_id = entry_id(901);
        let position = story.position("again");
        late.timestamp = story.entries[position].1.timestamp;
        if let Body::Decision(body) = &mut late.body {
            body.actor = x(actor);
        }
        story.entries.insert(position + 1, ("late", late));
        drop(&mut story, "throttled");
        let report = audit(&publish(&story.leaves()), trust());
        assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    }
}

#[test]
fn a_finding_names_its_entry_and_leaves_the_others_be() {
    let mut story = story();
    body!(story, "flag", Flag).count = 2;
    let index = story.position("flag") as u64;
    let id = story.id("flag");
    let report = audit(&publish(&story.leaves()), trust());
    let failed: Vec<_> = report
        .ranges
        .iter()
        .filter(|r| r.word == Word::Failed)
        .collect();
    assert_eq!(failed.len(), 1, "{}", told(&report));
    assert_eq!((failed[0].first, failed[0].last), (index, index));
    assert_eq!(report.findings[0].entry_id, Some(id));
}

#[test]
fn entries_of_unknown_kinds_are_counted_and_said_to_be_unread() {
    let mut leaves = story().leaves();
    let last = String::from_utf8(leaves.last().unwrap().clone()).unwrap();
    let time = last
        .split("\"timestamp\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let id = entry_id(900);
    leaves.push(
        format!(r#"{{"entry_id":"{id}","kind":"from-the-future","timestamp":"{time}","v":1}}"#)
            .into_bytes(),
    );
    let report = audit(&publish(&leaves), trust());
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    let unknown = report
        .not_shown
        .iter()
        .find(|n| n.code == countersign_verify::NotShownCode::UnknownKinds);
    assert_eq!(unknown.unwrap().count, Some(1));
}
