//! One sample and more of every kind of entry and document.

use std::sync::atomic::{AtomicU8, Ordering};

use countersign_core::document::{
    ActionWords, ArgumentRole, Assurance, Author, Bundle, BundleContent, Call, CarriedFact,
    CedarRequest, Changeset, Confidentiality, CounterDeclaration, CounterFact, CounterKey,
    CounterKind, DirectoryChange, Document, Effect, EffectDeclaration, EntityFact, EntityKind,
    EntityUid, Evidence, Facts, FieldLabel, HistoryFact, Inputs, Integrity, IntentInput, PartBy,
    Place, PolicyFile, PseudonymMeaning, PublishingSettings, Reasoning, ResultFormat,
    ResultManifest, RetentionSettings, ReviewBy, ReviewFact, Salt, Settings, Source, Statement,
    TargetDeclaration, TargetFact, TargetType, TextEntity, ToolManifest, ToolResult, TurnPart,
    ValueFact, VaultSettings, Wire, Workspace,
};
use countersign_core::entry::*;
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::random::Random;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use serde_json::json;

/// Parses a name, id, time or key.
pub(crate) fn x<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// A ref to something that the samples do not hold.
pub(crate) fn to<T: From<Sha256>>(what: &str) -> T {
    Sha256::of(what.as_bytes()).into()
}

/// Bytes that count up, so that the vectors stay the same.
pub(crate) struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn stands_for(n: u8) -> Pseudonym {
    Pseudonym::fresh(&Counting(AtomicU8::new(n)))
}

fn salt(n: u8) -> Salt {
    Salt::fresh(&Counting(AtomicU8::new(n)))
}

fn key<T: TryFrom<String>>(text: &str) -> T
where
    T::Error: std::fmt::Debug,
{
    T::try_from(text.to_owned()).unwrap()
}

const DECISION: &str = "01HYB7K3M4FXQZ9V2N6PTJD8RC";
const CREDENTIAL: &str = "01HYA000000000000000000001";
/// Keys of the seeds 1, 2 and 3, repeated to 32 bytes.
const ROOT: &str = "log.example/acme/1/root+eaec4780+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const LOG: &str = "log.example/acme/1+4d0c6edb+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
const RAW: &str = "7UkoxijRwsbq6QM4kFmVYSlZJzpcY_k2NsFGFKyHN9E";
const SIGNATURE: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw";

/// Every kind at least once, with a name for each.
pub(crate) fn entries() -> Vec<(&'static str, Entry)> {
    let mut bodies = log_and_policy();
    bodies.extend(turns_and_calls());
    bodies.extend(people_and_records());
    bodies.extend(alerts_and_sessions());
    let named = (0u32..).zip(bodies);
    named
        .map(|(n, (name, body))| {
            let entry = Entry {
                entry_id: x::<EntryId>(&format!("01HYB7K3M4FXQZ9V2N6PT{n:05}")),
                timestamp: Timestamp::from_millis(1_776_478_424_000 + i64::from(n)),
                body,
            };
            (name, entry)
        })
        .collect()
}

fn log_and_policy() -> Vec<(&'static str, Body)> {
    let genesis = Genesis {
        origin: x("log.example/acme/1"),
        tenant: x("acme"),
        root_key: key(ROOT),
        log_key: key(LOG),
        permit_key: key(RAW),
        predecessor: None,
        signature: key(SIGNATURE),
    };
    let checkpoint = "log.example/acme/0\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} log.example/acme/0 AAAAAAA=\n";
    let continuing = Genesis {
        predecessor: Some(Predecessor {
            origin: x("log.example/acme/0"),
            checkpoint: Some(key(checkpoint)),
        }),
        ..genesis.clone()
    };
    let stored = Policy {
        policy_ref: to("bundle"),
        phase: PolicyPhase::Stored,
        parts: vec![to("part 0"), to("part 1")],
        previous: None,
        credential: None,
    };
    let in_force = Policy {
        phase: PolicyPhase::InForce,
        parts: Vec::new(),
        previous: Some(to("earlier bundle")),
        credential: Some(x(CREDENTIAL)),
        ..stored.clone()
    };
    let shadow = Policy {
        phase: PolicyPhase::Shadow,
        previous: None,
        ..in_force.clone()
    };
    let shadow_end = Policy {
        phase: PolicyPhase::ShadowEnd,
        ..shadow.clone()
    };
    let replayed = Policy {
        phase: PolicyPhase::Replayed,
        ..in_force.clone()
    };
    let key_granted = Key {
        purpose: KeyPurpose::Log,
        change: GrantChange::Granted,
        key: key(LOG),
        signature: key(SIGNATURE),
    };
    let key_revoked = Key {
        purpose: KeyPurpose::Permit,
        change: GrantChange::Revoked,
        key: key(RAW),
        ..key_granted.clone()
    };
    let directory = Directory {
        changeset_ref: to("changeset"),
        changes: 2,
        credential: x(CREDENTIAL),
    };
    let part = split(b"a bundle's canonical json").remove(0);
    vec![
        ("genesis", genesis.into()),
        ("genesis, continuing another log", continuing.into()),
        ("part", part.into()),
        ("policy stored", stored.into()),
        ("policy in force", in_force.into()),
        ("policy in shadow", shadow.into()),
        ("policy no longer in shadow", shadow_end.into()),
        ("policy replayed", replayed.into()),
        ("key granted", key_granted.into()),
        ("key revoked", key_revoked.into()),
        ("directory", directory.into()),
    ]
}

fn turns_and_calls() -> Vec<(&'static str, Body)> {
    let intent = intent_entry();
    let signed = Intent {
        parent: Some(to("earlier turn")),
        mandate: Some(to("standing instruction")),
        assurance: Assurance::Signed,
        signature: Some(key(SIGNATURE)),
        key_id: Some(key("ingress-1")),
        ..intent.clone()
    };
    let rejected = decision();
    let approved = Decision {
        outcome: Outcome::Approved,
        reasons: vec![x("only-addresses-named-in-the-turn")],
        counts: vec![
            Count {
                counter: x("mails_24h"),
                key: stands_for(4),
                delta: 1,
                value: None,
            },
            Count {
                counter: x("payees"),
                key: stands_for(4),
                delta: 1,
                value: Some(stands_for(5)),
            },
        ],
        ..rejected.clone()
    };
    let unmandated = Decision {
        action: countersign_core::names::ActionName::unknown(),
        intent_ref: None,
        reasons: vec![x("countersign.malformed-call")],
        call_ref: None,
        facts_ref: None,
        reasoning_ref: None,
        principal: None,
        session: None,
        targets: Vec::new(),
        claimed_intent_ref: Some(to("another's turn")),
        ..rejected.clone()
    };
    let several = Decision {
        links: Links {
            decision: None,
            review: Some(x(DECISION)),
            resolves: Some(x(DECISION)),
            delegation: Some(x(DECISION)),
            modifies: Some(x(DECISION)),
            continues: Some(x(DECISION)),
            shadows: Some(x(DECISION)),
            flag: None,
            hold: None,
        },
        actions: Some(vec![x("file.read"), x("email.send")]),
        effective_call_ref: Some(to("call as changed")),
        mode: Mode::Shadow,
        surface: Surface::Relay,
        ..rejected.clone()
    };
    let started = Execution {
        phase: ExecutionPhase::Started,
        links: link(|l| l.decision = Some(x(DECISION))),
        intent_ref: Some(to("intent")),
        session: Some(stands_for(2)),
        result_ref: None,
        is_error: None,
        credential: x(CREDENTIAL),
        permit: Some(x("01HYA0000000000000000000PT")),
    };
    let finished = Execution {
        phase: ExecutionPhase::Finished,
        result_ref: Some(to("result")),
        is_error: Some(false),
        permit: None,
        ..started.clone()
    };
    let refused = PermitRefused {
        permit: Some(x("01HYA0000000000000000000PT")),
        reason: PermitRefusal::Used,
        links: link(|l| l.decision = Some(x(DECISION))),
        credential: x(CREDENTIAL),
    };
    let unreadable = PermitRefused {
        permit: None,
        reason: PermitRefusal::Signature,
        links: Links::default(),
        ..refused.clone()
    };
    let delegation = Delegation {
        intent_ref: to("intent"),
        from: x("agent:support-v3"),
        to: x("agent:support-v3/mailer"),
        actions: vec![x("email.send")],
        expires_at: x("2026-04-18T02:30:00.000Z"),
        links: Links::default(),
        credential: x(CREDENTIAL),
    };
    vec![
        ("intent", intent.into()),
        ("intent, signed, of a session that went on", signed.into()),
        ("decision rejected", rejected.into()),
        ("decision approved", approved.into()),
        ("decision on a malformed call", unmandated.into()),
        ("decision with every optional member", several.into()),
        ("execution started", started.into()),
        ("execution finished", finished.into()),
        ("permit refused", refused.into()),
        ("permit refused, unreadable", unreadable.into()),
        ("delegation", delegation.into()),
    ]
}

fn people_and_records() -> Vec<(&'static str, Body)> {
    let granted = Credential {
        subject: x(CREDENTIAL),
        change: GrantChange::Granted,
        roles: vec![Role::Ingress],
        actors: vec![key("agent:support-v3"), key("agent:team/")],
        authors: vec![Author::Human, Author::Schedule],
        channels: vec![x("support-inbox")],
        session: Some(stands_for(2)),
        assurance: Some(Assurance::Separate),
        public_key: None,
        credential: None,
        surface: None,
        principal: None,
        own_sessions: Some(true),
    };
    let revoked = Credential {
        change: GrantChange::Revoked,
        roles: Vec::new(),
        actors: Vec::new(),
        authors: Vec::new(),
        channels: Vec::new(),
        session: None,
        assurance: None,
        credential: Some(x(CREDENTIAL)),
        surface: None,
        principal: None,
        own_sessions: None,
        ..granted.clone()
    };
    let reviewer = Credential {
        roles: vec![Role::Reviewer],
        public_key: Some(key(RAW)),
        principal: Some(stands_for(1)),
        surface: Some(Surface::Hook),
        ..revoked.clone()
    };
    let reviewer = Credential {
        change: GrantChange::Granted,
        ..reviewer
    };
    let stop = |scope, effect| Revocation {
        scope,
        effect,
        intent_ref: None,
        actor: None,
        credential: x(CREDENTIAL),
    };
    let turn = Revocation {
        intent_ref: Some(to("intent")),
        ..stop(RevocationScope::Turn, RevocationEffect::Stop)
    };
    let actor = Revocation {
        actor: Some(x("agent:support-v3")),
        ..stop(RevocationScope::Actor, RevocationEffect::Stop)
    };
    let everything = stop(RevocationScope::Everything, RevocationEffect::Resume);
    let review = Review {
        links: link(|l| l.review = Some(x(DECISION))),
        call_ref: to("call"),
        policy_ref: to("bundle"),
        intent_ref: Some(to("intent")),
        shown_ref: to("shown"),
        answer: ReviewAnswer::Approve,
        credential: x(CREDENTIAL),
        expires_at: x("2026-04-18T02:30:00.000Z"),
        nonce: key(RAW),
        signature: Some(key(SIGNATURE)),
    };
    let vouched = Review {
        signature: None,
        ..review.clone()
    };
    let access = VaultAccess {
        refs: vec![to("call"), to("facts")],
        purpose_ref: to("purpose"),
        credential: x(CREDENTIAL),
        phase: None,
        request: None,
    };
    let erasure = Erasure {
        phase: ErasurePhase::Requested,
        refs: vec![to("intent document")],
        authority_ref: to("authority"),
        credential: Some(x(CREDENTIAL)),
        epoch: None,
    };
    let hold = Hold {
        change: HoldChange::Placed,
        links: Links::default(),
        refs: vec![to("intent document")],
        authority_ref: to("authority"),
        credential: x(CREDENTIAL),
    };
    vec![
        ("credential granted", granted.into()),
        ("credential granted, reviewer", reviewer.into()),
        ("credential revoked", revoked.into()),
        ("revocation of a turn", turn.into()),
        ("revocation of an actor", actor.into()),
        ("revocation lifted from everything", everything.into()),
        ("review, vouched for by the ingress", vouched.into()),
        ("review", review.into()),
        (
            "expired",
            Expired {
                links: link(|l| l.resolves = Some(x(DECISION))),
            }
            .into(),
        ),
        (
            "vault-access, two people",
            VaultAccess {
                phase: Some(AccessPhase::Confirmed),
                request: Some(x(DECISION)),
                ..access.clone()
            }
            .into(),
        ),
        ("vault-access", access.into()),
        (
            "erasure, complete",
            Erasure {
                phase: ErasurePhase::Complete,
                credential: None,
                epoch: Some(3),
                ..erasure.clone()
            }
            .into(),
        ),
        ("erasure", erasure.into()),
        (
            "hold lifted",
            Hold {
                change: HoldChange::Lifted,
                links: link(|l| l.hold = Some(x(DECISION))),
                ..hold.clone()
            }
            .into(),
        ),
        ("hold", hold.into()),
    ]
}

fn alerts_and_sessions() -> Vec<(&'static str, Body)> {
    let flag = Flag {
        detector: Detector::Burst,
        severity: Severity::Warning,
        actor: Some(x("agent:support-v3")),
        intent_ref: None,
        onset: x(DECISION),
        entries: vec![x(DECISION), x("01HYB7K3M4FXQZ9V2N6PTJD8RD")],
        count: 2,
        window_s: 600,
        policy_ref: to("bundle"),
        target: None,
        reader: None,
        turn: None,
        after: None,
        stopped: None,
        passed: None,
    };
    let about = || link(|l| l.flag = Some(x("01HYB7K3M4FXQZ9V2N6PTJD8RE")));
    let update = FlagUpdate {
        links: about(),
        change: FlagChange::Grown,
        entries: vec![x("01HYB7K3M4FXQZ9V2N6PTJD8RF")],
        count: 3,
        credential: None,
        severity: None,
        stopped: None,
        passed: None,
    };
    let acknowledged = FlagUpdate {
        change: FlagChange::Acknowledged,
        entries: Vec::new(),
        credential: Some(x(CREDENTIAL)),
        ..update.clone()
    };
    let close = FlagClose {
        links: about(),
        count: 3,
        credential: None,
        stopped: None,
        passed: None,
    };
    let open = SessionOpen {
        session: stands_for(2),
        credential: x(CREDENTIAL),
    };
    let closed = SessionClose {
        session: stands_for(2),
        turns: 1,
        decisions: 7,
        executions: 2,
        credential: Some(x(CREDENTIAL)),
    };
    let throttled = Throttled {
        credential: x(CREDENTIAL),
        since: x("2026-04-18T02:13:00.000Z"),
        until: x("2026-04-18T02:14:00.000Z"),
        requests: 9_007_199_254_740_991,
    };
    vec![
        (
            "flag, all members",
            Flag {
                detector: Detector::Retry,
                target: Some(stands_for(7)),
                reader: Some(x(CREDENTIAL)),
                turn: Some(to("intent")),
                after: Some(x(DECISION)),
                stopped: Some(2),
                passed: Some(0),
                ..flag.clone()
            }
            .into(),
        ),
        ("flag", flag.into()),
        (
            "flag grown, counted",
            FlagUpdate {
                severity: Some(Severity::Critical),
                stopped: Some(3),
                passed: Some(0),
                ..update.clone()
            }
            .into(),
        ),
        ("flag grown", update.into()),
        ("flag acknowledged", acknowledged.into()),
        (
            "flag closed, counted",
            FlagClose {
                stopped: Some(3),
                passed: Some(0),
                ..close.clone()
            }
            .into(),
        ),
        ("flag closed", close.into()),
        ("session-open", open.into()),
        ("session-close", closed.into()),
        ("throttled", throttled.into()),
    ]
}

fn intent_entry() -> Intent {
    Intent {
        intent_ref: to("intent"),
        author: Author::Human,
        channel: x("support-inbox"),
        principal: stands_for(1),
        session: stands_for(2),
        actors: vec![x("agent:support-v3")],
        parent: None,
        mandate: None,
        expires_at: x("2026-04-18T03:13:40.000Z"),
        assurance: Assurance::Separate,
        credential: x(CREDENTIAL),
        signature: None,
        key_id: None,
    }
}

pub(crate) fn decision() -> Decision {
    Decision {
        action: x("email.send"),
        actor: x("agent:support-v3"),
        intent_ref: Some(to("intent")),
        policy_ref: to("bundle"),
        outcome: Outcome::Rejected,
        reasons: vec![x("no-churned-contacts")],
        call_ref: Some(to("call")),
        facts_ref: Some(to("facts")),
        reasoning_ref: Some(to("reasoning")),
        principal: Some(stands_for(1)),
        session: Some(stands_for(2)),
        targets: vec![stands_for(3)],
        counts: Vec::new(),
        credential: x(CREDENTIAL),
        surface: Surface::Api,
        mode: Mode::Enforced,
        links: Links::default(),
        judge: x("countersign 0.1.0; cedar 4.14.1; extractor 1"),
        claimed_intent_ref: None,
        actions: None,
        effective_call_ref: None,
    }
}

fn link(set: impl FnOnce(&mut Links)) -> Links {
    let mut links = Links::default();
    set(&mut links);
    links
}

/// Canonical JSON of every kind of document, with a name, its kind and its ref.
pub(crate) fn documents() -> Vec<(&'static str, &'static str, Vec<u8>, Sha256)> {
    fn of<D: Document>(name: &'static str, d: &D) -> (&'static str, &'static str, Vec<u8>, Sha256) {
        let canonical = d.canonical().unwrap();
        let reference = d.reference().unwrap().into();
        (name, D::KIND, canonical.into_bytes(), reference)
    }
    let mut later = intent();
    later.parent = Some(intent().reference().unwrap());
    later.parts[0].text =
        "yes, go ahead \u{2014} \u{1f44d} \u{fb33}\u{80}\r\n\"quoted\" \\ /".into();
    later.parts[0].raw_sha256 = Some(to("raw"));
    let mut forwarded = call();
    forwarded.definition = Some(to("definition"));
    forwarded.workspace = Some(Workspace {
        root: "/home/jo/project".into(),
        cwd: "/home/jo/project/src".into(),
        links: [("/home/jo/project/old".to_owned(), "/srv/old".to_owned())].into(),
    });
    forwarded.external_call_id = Some("toolu_01".into());
    forwarded.wire = Some(Wire {
        profile: "mcp".into(),
        destination: "https://mail.example/mcp".into(),
        sha256: to("wire"),
    });
    vec![
        of("intent", &intent()),
        of("intent with a parent", &later),
        of("call", &call()),
        of("call that is forwarded", &forwarded),
        of("facts", &facts()),
        of("facts of a call that could not be judged", &obstacle()),
        of("bundle", &bundle()),
        of("bundle", &careful_bundle()),
        of(
            "reasoning",
            &Reasoning {
                tenant: x("acme"),
                text: "The ticket asks for it.".into(),
                salt: salt(5),
            },
        ),
        of(
            "result",
            &ToolResult {
                tenant: x("acme"),
                decision: x(DECISION),
                tool: "crm.lookup".into(),
                args: Some(json!({"query": "billing"})),
                by_agent: true,
                is_error: false,
                duration_ms: Some(38),
                result: json!({"contact": {"email": "billing@customer.example", "status": "churned"}}),
                salt: salt(6),
            },
        ),
        of(
            "changeset",
            &Changeset {
                tenant: x("acme"),
                changes: vec![
                    DirectoryChange {
                        entity: contact(),
                        attributes: Some([("status".to_owned(), json!("churned"))].into()),
                    },
                    DirectoryChange {
                        entity: contact(),
                        attributes: None,
                    },
                ],
                salt: salt(7),
            },
        ),
        of(
            "pseudonym",
            &PseudonymMeaning {
                tenant: x("acme"),
                pseudonym: stands_for(3),
                of: PseudonymKind::Target,
                value: "billing@customer.example".into(),
                salt: salt(8),
            },
        ),
        of(
            "statement",
            &Statement {
                tenant: x("acme"),
                text: "incident 17: what did the agent try?".into(),
                salt: salt(9),
            },
        ),
    ]
}

fn contact() -> EntityUid {
    EntityUid {
        kind: "Contact".into(),
        id: "billing@customer.example".into(),
    }
}

fn intent() -> countersign_core::document::Intent {
    let part = |by, text: &str| TurnPart {
        by,
        media_type: "text/plain".into(),
        text: text.into(),
        raw_sha256: None,
    };
    countersign_core::document::Intent {
        tenant: x("acme"),
        intent_id: x("01HYB7K3M4FXQZ9V2N6PTJD8RA"),
        principal: x("user:support-lead@acme.example"),
        author: Author::Human,
        channel: x("support-inbox"),
        session: x("sess-8812"),
        actors: vec![x("agent:support-v3")],
        parts: vec![
            part(
                PartBy::Principal,
                "Send billing@customer.example the refund confirmation",
            ),
            part(PartBy::Correspondent, "Ticket 4821: \u{2026}"),
        ],
        parent: None,
        mandate: None,
        registered_by: x(CREDENTIAL),
        assurance: Assurance::Separate,
        issued_at: x("2026-04-18T02:13:40.000Z"),
        expires_at: x("2026-04-18T03:13:40.000Z"),
        salt: salt(1),
    }
}

fn call() -> Call {
    let args = json!({"to": ["billing@customer.example"], "subject": "Refund", "amount": 1250.50, "n": 1e21});
    Call {
        tenant: x("acme"),
        tool: "send_email".into(),
        args_sha256: countersign_core::json::CanonicalJson::of(&args)
            .unwrap()
            .digest(),
        args,
        external_call_id: None,
        wire: None,
        workspace: None,
        definition: None,
        salt: salt(2),
    }
}

fn facts() -> Facts {
    let at_turn = Place::Turn {
        intent_ref: intent().reference().unwrap(),
        part: 0,
        by: PartBy::Principal,
        offset: 5,
    };
    let in_result = Place::Result {
        result_ref: to("result"),
        tool: "crm.lookup".into(),
        pointer: "/contact/email".into(),
    };
    let seen = |place, as_written: Option<&str>| Evidence {
        place,
        as_written: as_written.map(str::to_owned),
        look_alike: as_written.is_some(),
        integrity: as_written.map(|_| Integrity::System),
    };
    Facts {
        tenant: x("acme"),
        extractor: 1,
        now: x("2026-04-18T02:13:44.000Z"),
        actor: x("agent:support-v3"),
        action: x("email.send"),
        actions: vec![x("email.send"), x("file.read")],
        inputs: Inputs {
            call: call().reference().unwrap(),
            bundle: bundle().reference().unwrap(),
            claimed_intent: Some(intent().reference().unwrap()),
            intents: vec![IntentInput {
                intent_ref: intent().reference().unwrap(),
                entry: x(DECISION),
            }],
            results: vec![to("result")],
            directory_revision: Some(7),
            counters: vec![CounterFact {
                counter: "mails_24h".into(),
                key: Some(stands_for(9)),
                target: Some(0),
                value: 3,
                adds: 1,
            }],
            history: Some(HistoryFact {
                as_of: 41,
                approved_before: vec![true],
                rejected_before: false,
            }),
            review: Some(ReviewFact {
                entry: x(DECISION),
                escalation: x(DECISION),
                answer: ReviewAnswer::Approve,
                policy_ref: to("bundle"),
                reasons: [x("ask-first")].into(),
                by: ReviewBy::Reviewer,
            }),
            credential: x(CREDENTIAL),
        },
        targets: vec![TargetFact {
            at: "/to/0".into(),
            value: "billing@customer.example".into(),
            entity: contact(),
            sources: [Source::User, Source::AnyOutput, Source::Directory].into(),
            evidence: vec![
                seen(at_turn, None),
                seen(in_result, Some("Billing@Customer.example")),
                seen(Place::Directory, None),
            ],
            named_in: [x("crm.lookup")].into(),
        }],
        values: vec![ValueFact {
            at: "/body".into(),
            role: ArgumentRole::Text,
            found: Some(TextEntity {
                kind: EntityKind::Url,
                offset: 12,
            }),
            value: "https://a.example/x".into(),
            sources: [Source::None].into(),
            evidence: Vec::new(),
            named_in: [].into(),
        }],
        carried: vec![CarriedFact {
            at: "/body".into(),
            label: Confidentiality::Secret,
            result_ref: to("result"),
            pointer: "/contact/passport".into(),
        }],
        requests: vec![CedarRequest {
            principal: "agent:support-v3".into(),
            action: "email.send".into(),
            resource: contact(),
            context: serde_json::Map::from_iter([("target".to_owned(), json!({"at": "/to/0"}))]),
        }],
        context: serde_json::Map::from_iter([("intent".to_owned(), json!({"live": true}))]),
        entities: vec![EntityFact {
            entity: contact(),
            attributes: [("status".to_owned(), json!("churned"))].into(),
        }],
        obstacle: None,
        obstacle_at: None,
        salt: salt(3),
    }
}

fn obstacle() -> Facts {
    let mut facts = facts();
    facts.targets.clear();
    facts.requests.clear();
    facts.entities.clear();
    facts.obstacle = Some("unreadable-target".into());
    facts.obstacle_at = Some("/to/0".into());
    facts
}

/// A bundle that says of sealed records all that can be said.
fn careful_bundle() -> Bundle {
    let mut bundle = bundle();
    bundle.content.settings.vault = VaultSettings {
        retention: RetentionSettings {
            intent_days: Some(400),
            call_days: Some(90),
            facts_days: Some(90),
            reasoning_days: Some(30),
            result_days: Some(30),
            statement_days: Some(400),
        },
        four_eyes: true,
        second_reader_s: 600,
        opened_per_hour: 50,
        erasure_window_h: 24,
    };
    bundle
}

fn bundle() -> Bundle {
    Bundle {
        tenant: x("acme"),
        content: BundleContent {
            name: "mail-agent".into(),
            description: String::new(),
            policies: vec![PolicyFile {
                name: "mail.cedar".into(),
                text: "@id(\"no-churned-contacts\")\nforbid(principal, action, resource);\n".into(),
            }],
            schema: "entity Contact = { \"status\"?: String };".into(),
            tools: vec![ToolManifest {
                tool: "send_email".into(),
                action: x("email.send"),
                effect: Effect::Irreversible,
                description: String::new(),
                pinned: Some(to("definition")),
                arguments: json!({"type": "object", "properties": {"to": {"type": "array"}}}),
                targets: vec![TargetDeclaration {
                    at: "/to".into(),
                    kind: TargetType::Email,
                    entity: "Contact".into(),
                    optional: false,
                }],
                roles: [("/to".to_owned(), ArgumentRole::Identity)].into(),
                results: Some(ResultManifest {
                    format: ResultFormat::Yaml,
                    first_party: true,
                    fields: vec![FieldLabel {
                        at: "$[*].sender".into(),
                        integrity: Some(Integrity::System),
                        confidentiality: Some(Confidentiality::Private),
                        entity: Some("Contact".into()),
                    }],
                }),
                words: [(
                    "en".to_owned(),
                    ActionWords {
                        verbs: vec!["send".into()],
                        nouns: vec!["mail".into()],
                    },
                )]
                .into(),
                effects: vec![EffectDeclaration {
                    action: x("file.read"),
                    effect: Effect::Read,
                    when: Some("$.attachments".into()),
                    targets: Vec::new(),
                }],
                commands: None,
            }],
            counters: vec![CounterDeclaration {
                name: "mails_24h".into(),
                kind: CounterKind::Sum,
                actions: vec![x("email.send")],
                over: Some("/amount".into()),
                decimals: 2,
                key: CounterKey::Target,
                window_s: Some(86_400),
            }],
            acknowledged: vec!["jo@acme.example".into()],
            settings: Settings {
                publishing: PublishingSettings {
                    two_person: true,
                    replay: true,
                },
                utc_offset_min: 120,
                escalation_ttl_s: 600,
                ..Settings::default()
            },
        },
    }
}
