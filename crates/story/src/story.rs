//! A small log that holds every kind of entry, each with what it needs before it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::document::{
    Assurance, Author, Bundle, BundleContent, Call, CedarRequest, Changeset, CounterDeclaration,
    CounterFact, CounterKey, CounterKind, Document, Facts, Inputs, IntentInput, PartBy, PolicyFile,
    PublishingSettings, Reasoning, ReviewBy, ReviewFact, Salt, Settings, Source, Statement,
    TargetFact, ToolResult, TurnPart,
};
use countersign_core::document::{DirectoryChange, EntityUid, Intent as IntentDocument};
use countersign_core::entry::*;
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::json::CanonicalJson;
use countersign_core::names::{ActionName, ActorName, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::random::Random;
use countersign_core::refs::*;
use countersign_core::signed::entry_message;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use serde_json::{Map, json};
use std::collections::BTreeMap;

use crate::log::{Key as TestKey, ORIGIN};

/// Parses a name, id, time or key.
pub fn x<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// Unpadded base64url.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

struct Fill(u8);

impl Random for Fill {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// The n-th pseudonym.
pub fn stands_for(n: u8) -> Pseudonym {
    Pseudonym::fresh(&Fill(n))
}

fn salt(n: u8) -> Salt {
    Salt::fresh(&Fill(n))
}

/// The id of the n-th entry.
pub fn entry_id(n: usize) -> EntryId {
    x(&format!("01HYB7K3M4FXQZ9V2N6PT{n:05}"))
}

/// The id of the n-th credential.
pub fn credential(n: usize) -> CredentialId {
    x(&format!("01HYA00000000000000000{n:04}"))
}

const ADMIN: usize = 1;
const AUTHOR: usize = 2;
const INGRESS: usize = 3;
const AGENT: usize = 4;
const TOOL: usize = 5;
const REVIEWER: usize = 6;
const READER: usize = 7;
const SECOND_AUTHOR: usize = 8;
const START: i64 = 1_776_478_424_000;
const PRINCIPAL: u8 = 1;
const SESSION: u8 = 2;
const TARGET: u8 = 3;
const OTHER_PERSON: u8 = 14;

/// A log that is being written, its entries by name, and the documents that they name.
#[derive(Clone)]
pub struct Story {
    /// The entries, each with the name by which tests find it.
    pub entries: Vec<(&'static str, Entry)>,
    /// The documents that the entries name, by their refs.
    pub documents: BTreeMap<Sha256, Vec<u8>>,
}

impl Story {
    /// The entries' leaves.
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        let entries = self.entries.iter();
        entries
            .map(|(name, entry)| match entry.to_leaf() {
                Ok(leaf) => leaf.into_bytes(),
                Err(error) => panic!("{name}: {error}"),
            })
            .collect()
    }

    /// The leaf index of the entry of this name.
    pub fn position(&self, name: &str) -> usize {
        let position = self.entries.iter().position(|(n, _)| *n == name);
        position.unwrap_or_else(|| panic!("no entry `{name}`"))
    }

    /// The entry of this name.
    pub fn entry(&mut self, name: &str) -> &mut Entry {
        let position = self.position(name);
        &mut self.entries[position].1
    }

    /// The id of the entry of this name.
    pub fn id(&self, name: &str) -> EntryId {
        self.entries[self.position(name)].1.entry_id
    }

    /// Ten milliseconds for every entry.
    fn push(&mut self, name: &'static str, body: impl Into<Body>) {
        let n = self.entries.len();
        let entry = Entry {
            entry_id: entry_id(n),
            timestamp: Timestamp::from_millis(START + 10 * n as i64),
            body: body.into(),
        };
        self.entries.push((name, entry));
    }

    fn keep<D: Document>(&mut self, document: &D) -> D::Ref {
        let reference = document.reference().unwrap();
        let bytes = document.canonical().unwrap().into_bytes();
        self.documents.insert(reference.into(), bytes);
        reference
    }

    fn state(&mut self, text: &str) -> StatementRef {
        self.keep(&Statement {
            tenant: x("acme"),
            text: text.into(),
            salt: salt(9),
        })
    }
}

/// The whole story.
pub fn story() -> Story {
    let mut story = beginning();
    turns_and_calls(&mut story);
    alerts(&mut story);
    people(&mut story);
    records(&mut story);
    endings(&mut story);
    story
}

/// How a log is made: genesis, credentials, a bundle in force.
pub fn beginning() -> Story {
    let mut story = Story {
        entries: Vec::new(),
        documents: BTreeMap::new(),
    };
    story.push("genesis", genesis(TestKey::root()));
    for (name, n, role) in [
        ("admin", ADMIN, Role::Admin),
        ("author", AUTHOR, Role::Author),
        ("ingress", INGRESS, Role::Ingress),
        ("agent", AGENT, Role::Agent),
        ("tool", TOOL, Role::Tool),
        ("reviewer", REVIEWER, Role::Reviewer),
        ("reader", READER, Role::VaultReader),
        ("second author", SECOND_AUTHOR, Role::Author),
    ] {
        story.push(name, granted(n, role));
    }
    let bundle = bundle("first").canonical().unwrap().into_bytes();
    for part in split(&bundle) {
        story.push("part", part);
    }
    story.push("stored", stored("first", None));
    story.push("in force", in_force("first", None, None));
    story
}

/// The first leaf of a log with this root key.
pub fn genesis(root: TestKey) -> Genesis {
    use countersign_note::NoteSigner as _;
    let mut genesis = Genesis {
        origin: x(ORIGIN),
        tenant: x("acme"),
        root_key: x(&root.verifier_key().to_string()),
        log_key: x(&TestKey::log().verifier_key().to_string()),
        permit_key: x(&base64url(&[3; 32])),
        predecessor: Some(Predecessor {
            origin: x("log.example/acme/0"),
            checkpoint: Some(x(&predecessor())),
        }),
        signature: x("unsigned"),
    };
    genesis.signature = signed(&root, &genesis);
    genesis
}

/// The last checkpoint of a log that this one continues.
fn predecessor() -> String {
    let origin = "log.example/acme/0";
    let key = TestKey::new(origin, 8);
    crate::log::signed_by(&key, origin, &[b"an entry".to_vec()]).to_string()
}

/// The signature of a statement in an entry.
pub fn signed<K: Kind>(key: &TestKey, body: &K) -> countersign_core::names::KeyText {
    let message = entry_message(&x(ORIGIN), body).unwrap();
    x(&base64url(&key.sign_bytes(&message)))
}

/// An entry that grants or revokes a key.
pub fn key_entry(purpose: KeyPurpose, change: GrantChange, key: &str, by: &TestKey) -> Key {
    let mut body = Key {
        purpose,
        change,
        key: x(key),
        signature: x("unsigned"),
    };
    body.signature = signed(by, &body);
    body
}

fn granted(n: usize, role: Role) -> Credential {
    let actors = match role {
        Role::Agent => vec!["agent:support-v3".to_owned(), "agent:team/".to_owned()],
        _ => Vec::new(),
    };
    let is_ingress = role == Role::Ingress;
    Credential {
        subject: credential(n),
        change: GrantChange::Granted,
        roles: vec![role],
        actors: actors
            .into_iter()
            .map(|a| ActorPattern::try_from(a).unwrap())
            .collect(),
        authors: if is_ingress {
            vec![Author::Human]
        } else {
            Vec::new()
        },
        channels: if is_ingress {
            vec![x("support-inbox")]
        } else {
            Vec::new()
        },
        session: is_ingress.then(|| stands_for(SESSION)),
        assurance: is_ingress.then_some(Assurance::Separate),
        public_key: (role == Role::Reviewer)
            .then(|| x(&base64url(&TestKey::new("reviewer", 6).public()))),
        credential: None,
        surface: None,
        principal: (role == Role::Reviewer).then(|| stands_for(OTHER_PERSON)),
        own_sessions: None,
    }
}

/// A bundle of two policies.
pub fn bundle(name: &str) -> Bundle {
    let text = "@id(\"named-addresses\") permit(principal, action, resource);\n\
                @id(\"no-churned-contacts\") forbid(principal, action, resource);\n";
    Bundle {
        tenant: x("acme"),
        content: BundleContent {
            name: name.into(),
            description: String::new(),
            policies: vec![PolicyFile {
                name: "mail.cedar".into(),
                text: text.into(),
            }],
            schema: String::new(),
            tools: Vec::new(),
            counters: counters(),
            acknowledged: Vec::new(),
            settings: settings(name),
        },
    }
}

/// Only the first bundle asks for something of the one that follows it.
fn settings(name: &str) -> Settings {
    let asks = name == "first";
    Settings {
        publishing: PublishingSettings {
            two_person: asks,
            replay: asks,
        },
        ..Settings::default()
    }
}

fn stored(name: &str, by: Option<usize>) -> Policy {
    let content = bundle(name).canonical().unwrap().into_bytes();
    Policy {
        policy_ref: bundle(name).reference().unwrap(),
        phase: PolicyPhase::Stored,
        parts: split(&content)
            .iter()
            .map(|part| part.bytes.digest())
            .collect(),
        previous: None,
        credential: by.map(credential),
    }
}

fn in_force(name: &str, previous: Option<&str>, by: Option<usize>) -> Policy {
    Policy {
        phase: PolicyPhase::InForce,
        parts: Vec::new(),
        previous: previous.map(|name| bundle(name).reference().unwrap()),
        ..stored(name, by)
    }
}

/// An entry that names a stored bundle.
fn of_bundle(phase: PolicyPhase, name: &str, previous: Option<&str>, by: usize) -> Policy {
    Policy {
        phase,
        ..in_force(name, previous, Some(by))
    }
}

fn turn(n: usize, parent: Option<IntentRef>) -> IntentDocument {
    IntentDocument {
        tenant: x("acme"),
        intent_id: x(&format!("01HYB7K3M4FXQZ9V2N6PTJD{n:03}")),
        principal: x("user:lead@acme.example"),
        author: Author::Human,
        channel: x("support-inbox"),
        session: x("sess-8812"),
        actors: vec![x("agent:support-v3")],
        parts: vec![TurnPart {
            by: PartBy::Principal,
            media_type: "text/plain".into(),
            text: "Send billing@customer.example the refund confirmation".into(),
            raw_sha256: None,
        }],
        parent,
        // A later turn rests on the one before it.
        mandate: parent,
        registered_by: credential(INGRESS),
        assurance: Assurance::Separate,
        issued_at: Timestamp::from_millis(START),
        expires_at: Timestamp::from_millis(START + 3_600_000),
        salt: salt(1),
    }
}

fn registered(document: &IntentDocument) -> Intent {
    Intent {
        intent_ref: document.reference().unwrap(),
        author: document.author,
        channel: document.channel.clone(),
        principal: stands_for(PRINCIPAL),
        session: stands_for(SESSION),
        actors: document.actors.clone(),
        parent: document.parent,
        mandate: document.mandate,
        expires_at: document.expires_at,
        assurance: document.assurance,
        credential: document.registered_by,
        signature: None,
        key_id: None,
    }
}

/// A decision in the first turn, with a call and facts of its own.
fn decided(story: &mut Story, n: u8, outcome: Outcome, reason: &str) -> Decision {
    let args = json!({"to": "billing@customer.example", "n": n});
    let call_ref = story.keep(&Call {
        tenant: x("acme"),
        tool: "send_email".into(),
        args_sha256: CanonicalJson::of(&args).unwrap().digest(),
        args,
        external_call_id: None,
        wire: None,
        workspace: None,
        definition: None,
        salt: salt(n),
    });
    let reasoning_ref = story.keep(&Reasoning {
        tenant: x("acme"),
        text: "the ticket asks for it".into(),
        salt: salt(n),
    });
    let intent_ref = turn(1, None).reference().unwrap();
    let facts_ref = story.keep(&facts(story, call_ref, intent_ref, n));
    Decision {
        action: x("email.send"),
        actor: x("agent:support-v3"),
        intent_ref: Some(intent_ref),
        policy_ref: bundle("first").reference().unwrap(),
        outcome,
        reasons: vec![x(reason)],
        call_ref: Some(call_ref),
        facts_ref: Some(facts_ref),
        reasoning_ref: Some(reasoning_ref),
        principal: Some(stands_for(PRINCIPAL)),
        session: Some(stands_for(SESSION)),
        targets: vec![stands_for(TARGET)],
        counts: match outcome {
            Outcome::Approved => counted("agent:support-v3", n == 10),
            _ => Vec::new(),
        },
        credential: credential(AGENT),
        surface: Surface::Api,
        mode: Mode::Enforced,
        links: Links::default(),
        judge: x("countersign 0.1.0; cedar 4.14.1; extractor 1"),
        claimed_intent_ref: None,
        actions: None,
        effective_call_ref: None,
    }
}

/// What an approved call adds: a mail to its target, and the target as one that the actor writes to.
fn counted(actor: &str, is_first: bool) -> Vec<Count> {
    vec![
        Count {
            counter: x::<ReasonId>("mails_24h"),
            key: stands_for(TARGET),
            delta: 1,
            value: None,
        },
        Count {
            counter: x::<ReasonId>("payees"),
            key: Pseudonym::of_public("actor", actor),
            delta: i64::from(is_first),
            value: Some(stands_for(TARGET)),
        },
    ]
}

/// What the counters came to before the call of this number.
fn counted_before(n: u8) -> Vec<CounterFact> {
    let mails = CounterFact {
        counter: "mails_24h".into(),
        key: Some(stands_for(TARGET)),
        target: Some(0),
        value: match n {
            ..=10 => 0,
            11..=20 => 1,
            21 | 22 | 25 => 2,
            _ => 3,
        },
        adds: 1,
    };
    let payees = CounterFact {
        counter: "payees".into(),
        key: Some(Pseudonym::of_public("actor", "agent:support-v3")),
        target: None,
        value: i64::from(n != 10),
        adds: i64::from(n == 10),
    };
    vec![mails, payees]
}

fn counters() -> Vec<CounterDeclaration> {
    let mails = CounterDeclaration {
        name: "mails_24h".into(),
        kind: CounterKind::Count,
        actions: vec![x("email.send")],
        over: None,
        decimals: 0,
        key: CounterKey::Target,
        window_s: Some(86_400),
    };
    let payees = CounterDeclaration {
        name: "payees".into(),
        kind: CounterKind::CountDistinct,
        key: CounterKey::Actor,
        ..mails.clone()
    };
    vec![mails, payees]
}

fn facts(story: &Story, call: CallRef, intent_ref: IntentRef, n: u8) -> Facts {
    let named = |(name, _): &(&str, Entry)| *name == "directory";
    let revision = story.entries.iter().position(named).map(|n| n as u64);
    let target = TargetFact {
        at: "/to".into(),
        value: "billing@customer.example".into(),
        entity: EntityUid {
            kind: "Contact".into(),
            id: "billing@customer.example".into(),
        },
        sources: [Source::User].into(),
        evidence: Vec::new(),
        named_in: Default::default(),
    };
    Facts {
        tenant: x("acme"),
        extractor: 1,
        now: Timestamp::from_millis(START),
        actor: x("agent:support-v3"),
        action: x("email.send"),
        actions: Vec::new(),
        inputs: Inputs {
            call,
            bundle: bundle("first").reference().unwrap(),
            claimed_intent: Some(intent_ref),
            intents: vec![IntentInput {
                intent_ref,
                entry: story.id("turn"),
            }],
            results: Vec::new(),
            directory_revision: revision,
            counters: counted_before(n),
            history: None,
            review: None,
            credential: credential(AGENT),
        },
        targets: vec![target.clone()],
        values: Vec::new(),
        carried: Vec::new(),
        context: Map::new(),
        requests: vec![CedarRequest {
            principal: "agent:support-v3".into(),
            action: "email.send".into(),
            resource: target.entity,
            context: Map::new(),
        }],
        entities: Vec::new(),
        obstacle: None,
        obstacle_at: None,
        salt: salt(n),
    }
}

fn link(set: impl FnOnce(&mut Links)) -> Links {
    let mut links = Links::default();
    set(&mut links);
    links
}

fn turns_and_calls(story: &mut Story) {
    story.push(
        "session-open",
        SessionOpen {
            session: stands_for(SESSION),
            credential: credential(INGRESS),
        },
    );
    let first = turn(1, None);
    story.keep(&first);
    story.push("turn", registered(&first));

    let approved = decided(story, 10, Outcome::Approved, "named-addresses");
    story.push("approved", approved.clone());
    let started = Execution {
        phase: ExecutionPhase::Started,
        links: link(|l| l.decision = Some(story.id("approved"))),
        intent_ref: approved.intent_ref,
        session: approved.session,
        result_ref: None,
        is_error: None,
        credential: credential(TOOL),
        permit: Some(x("01HYA0000000000000000000PT")),
    };
    story.push("started", started.clone());
    let result_ref = story.keep(&ToolResult {
        tenant: x("acme"),
        decision: story.id("approved"),
        tool: "send_email".into(),
        args: None,
        by_agent: false,
        is_error: false,
        duration_ms: None,
        result: json!("sent"),
        salt: salt(8),
    });
    let finished = Execution {
        phase: ExecutionPhase::Finished,
        result_ref: Some(result_ref),
        is_error: Some(false),
        permit: None,
        ..started
    };
    story.push("finished", finished);
    let refused = PermitRefused {
        permit: Some(x("01HYA0000000000000000000PT")),
        reason: PermitRefusal::Used,
        links: link(|l| l.decision = Some(story.id("approved"))),
        credential: credential(TOOL),
    };
    story.push("permit-refused", refused);
    for (n, name) in [
        (11, "rejected 1"),
        (12, "rejected 2"),
        (13, "rejected 3"),
        (14, "rejected 4"),
    ] {
        let rejected = decided(story, n, Outcome::Rejected, "no-churned-contacts");
        story.push(name, rejected);
    }
    let unmandated = Decision {
        action: ActionName::unknown(),
        intent_ref: None,
        claimed_intent_ref: Some(Sha256::of(b"another's").into()),
        call_ref: None,
        facts_ref: None,
        reasoning_ref: None,
        principal: None,
        session: None,
        targets: Vec::new(),
        actions: Some(vec![ActionName::unknown(), x("file.read")]),
        ..decided(story, 15, Outcome::Rejected, "countersign.malformed-call")
    };
    story.push("unmandated", unmandated);
}

fn alerts(story: &mut Story) {
    let flag = Flag {
        detector: Detector::Burst,
        severity: Severity::Warning,
        actor: Some(x("agent:support-v3")),
        intent_ref: Some(turn(1, None).reference().unwrap()),
        onset: story.id("rejected 1"),
        entries: ["rejected 1", "rejected 2", "rejected 3"]
            .map(|n| story.id(n))
            .into(),
        count: 3,
        window_s: 600,
        policy_ref: bundle("first").reference().unwrap(),
        target: None,
        reader: None,
        turn: None,
        after: None,
        stopped: None,
        passed: None,
    };
    story.push("flag", flag);
    let about = link(|l| l.flag = Some(story.id("flag")));
    let grown = FlagUpdate {
        links: about.clone(),
        change: FlagChange::Grown,
        entries: vec![story.id("rejected 4")],
        count: 4,
        credential: None,
        severity: None,
        stopped: None,
        passed: None,
    };
    story.push("flag grown", grown.clone());
    let acknowledged = FlagUpdate {
        change: FlagChange::Acknowledged,
        entries: Vec::new(),
        credential: Some(credential(ADMIN)),
        ..grown
    };
    story.push("flag acknowledged", acknowledged);
    let close = FlagClose {
        links: about,
        count: 4,
        credential: Some(credential(ADMIN)),
        stopped: None,
        passed: None,
    };
    story.push("flag closed", close);
}

/// Escalations that a reviewer answers, that the person who asked answers, and that nobody does; a
/// delegation, and a stop.
fn people(story: &mut Story) {
    let escalated = decided(story, 20, Outcome::Escalated, "no-churned-contacts");
    story.push("escalated", escalated.clone());
    let mut review = answer(story, "escalated", &escalated, ReviewAnswer::Approve);
    let shown = json!({
        "decision": story.id("escalated"), "call_ref": review.call_ref,
        "policy_ref": review.policy_ref, "reviewer": credential(REVIEWER),
    });
    review.shown_ref = story.state(&shown.to_string());
    review.signature = Some(signed(&TestKey::new("reviewer", 6), &review));
    let shown = VaultAccess {
        refs: vec![review.call_ref.into()],
        purpose_ref: review.shown_ref,
        credential: credential(REVIEWER),
        phase: None,
        request: None,
    };
    story.push("shown", shown);
    story.push("review", review);
    let mut resolved = closing(story, "review", escalated);
    resolved.outcome = Outcome::Approved;
    resolved.reasons = vec![x("named-addresses")];
    resolved.counts = counted("agent:support-v3", false);
    story.push("resolved", resolved);

    let escalated = decided(story, 21, Outcome::Escalated, "no-churned-contacts");
    story.push("escalated again", escalated);
    let links = link(|l| l.resolves = Some(story.id("escalated again")));
    story.push("expired", Expired { links });

    let escalated = decided(story, 25, Outcome::Escalated, "no-churned-contacts");
    story.push("escalated to the requester", escalated.clone());
    let answered = "escalated to the requester";
    let mut said_no = answer(story, answered, &escalated, ReviewAnswer::Reject);
    said_no.shown_ref = story.state("May this mail leave?");
    said_no.credential = credential(INGRESS);
    said_no.nonce = x(&base64url(&[8; 32]));
    story.push("the requester says no", said_no);
    let mut refused = closing(story, "the requester says no", escalated);
    refused.outcome = Outcome::Rejected;
    refused.reasons = vec![x("countersign.review-rejected")];
    story.push("refused", refused);
    delegation(story);
    stop(story);
}

/// An answer to an escalation, not signed yet.
fn answer(
    story: &Story,
    escalation: &'static str,
    escalated: &Decision,
    answer: ReviewAnswer,
) -> Review {
    Review {
        links: link(|l| l.review = Some(story.id(escalation))),
        call_ref: escalated.call_ref.unwrap(),
        policy_ref: escalated.policy_ref,
        intent_ref: escalated.intent_ref,
        shown_ref: Sha256::of(b"not shown yet").into(),
        answer,
        credential: credential(REVIEWER),
        expires_at: Timestamp::from_millis(START + 60_000),
        nonce: x(&base64url(&[7; 32])),
        signature: None,
    }
}

/// The decision that an answer leads to, but for what it says: its facts hold the answer.
fn closing(story: &mut Story, review: &'static str, escalated: Decision) -> Decision {
    let position = story.position(review);
    let Body::Review(answer) = story.entries[position].1.body.clone() else {
        panic!("`{review}` is no review");
    };
    let escalation = answer.links.review.unwrap();
    let bytes = &story.documents[&Sha256::from(escalated.facts_ref.unwrap())];
    let mut facts = Facts::from_canonical(bytes).unwrap();
    facts.inputs.review = Some(ReviewFact {
        entry: story.id(review),
        escalation,
        answer: answer.answer,
        policy_ref: answer.policy_ref,
        reasons: escalated.reasons.iter().cloned().collect(),
        by: match answer.signature {
            Some(_) => ReviewBy::Reviewer,
            None => ReviewBy::Requester,
        },
    });
    Decision {
        links: link(|l| {
            l.review = Some(story.id(review));
            l.resolves = Some(escalation);
        }),
        facts_ref: Some(story.keep(&facts)),
        ..escalated
    }
}

fn delegation(story: &mut Story) {
    let helper: ActorName = x("agent:team/mailer");
    let delegation = Delegation {
        intent_ref: turn(1, None).reference().unwrap(),
        from: x("agent:support-v3"),
        to: helper.clone(),
        actions: vec![x("email.send")],
        expires_at: Timestamp::from_millis(START + 60_000),
        links: Links::default(),
        credential: credential(AGENT),
    };
    story.push("delegation", delegation);
    let delegated = Decision {
        actor: helper,
        facts_ref: Some(Sha256::of(b"facts of the helper").into()),
        counts: counted("agent:team/mailer", true),
        links: link(|l| {
            l.delegation = Some(story.id("delegation"));
            l.continues = Some(story.id("approved"));
        }),
        ..decided(story, 22, Outcome::Approved, "named-addresses")
    };
    story.push("delegated", delegated);
}

fn stop(story: &mut Story) {
    let stop = Revocation {
        scope: RevocationScope::Everything,
        effect: RevocationEffect::Stop,
        intent_ref: None,
        actor: None,
        credential: credential(ADMIN),
    };
    story.push("stop", stop.clone());
    let stopped = decided(story, 23, Outcome::Rejected, "countersign.stopped");
    story.push("stopped", stopped);
    let resume = Revocation {
        effect: RevocationEffect::Resume,
        ..stop.clone()
    };
    story.push("resume", resume);
    let actor = Revocation {
        scope: RevocationScope::Actor,
        actor: Some(x("agent:team/mailer")),
        ..stop.clone()
    };
    let second = turn(2, Some(turn(1, None).reference().unwrap()));
    story.keep(&second);
    story.push("second turn", registered(&second));
    story.push("stop of an actor", actor);
    let turn = Revocation {
        scope: RevocationScope::Turn,
        intent_ref: Some(
            turn(2, Some(turn(1, None).reference().unwrap()))
                .reference()
                .unwrap(),
        ),
        ..stop
    };
    story.push("turn revoked", turn);
}

fn records(story: &mut Story) {
    let changeset_ref = story.keep(&Changeset {
        tenant: x("acme"),
        changes: vec![DirectoryChange {
            entity: EntityUid {
                kind: "Contact".into(),
                id: "billing@customer.example".into(),
            },
            attributes: None,
        }],
        salt: salt(7),
    });
    story.push(
        "directory",
        Directory {
            changeset_ref,
            changes: 1,
            credential: credential(AUTHOR),
        },
    );
    let purpose_ref = story.state("incident 17");
    let authority_ref = story.state("request of the person");
    let refs = vec![Sha256::of(b"a record")];
    story.push(
        "vault-access",
        VaultAccess {
            refs: refs.clone(),
            purpose_ref,
            credential: credential(READER),
            phase: None,
            request: None,
        },
    );
    story.push(
        "hold",
        Hold {
            change: HoldChange::Placed,
            links: Links::default(),
            refs: refs.clone(),
            authority_ref,
            credential: credential(ADMIN),
        },
    );
    story.push(
        "erasure",
        Erasure {
            phase: ErasurePhase::Requested,
            refs: vec![Sha256::of(b"facts of the helper")],
            authority_ref,
            credential: Some(credential(ADMIN)),
            epoch: None,
        },
    );
}

fn endings(story: &mut Story) {
    let root = TestKey::root();
    let permit = base64url(&[5; 32]);
    let grant = key_entry(KeyPurpose::Permit, GrantChange::Granted, &permit, &root);
    story.push("key granted", grant);
    let old = base64url(&[3; 32]);
    let revoke = key_entry(KeyPurpose::Permit, GrantChange::Revoked, &old, &root);
    story.push("key revoked", revoke);
    let revoked = Credential {
        change: GrantChange::Revoked,
        roles: Vec::new(),
        public_key: None,
        credential: Some(credential(ADMIN)),
        ..granted(REVIEWER, Role::Reviewer)
    };
    story.push("credential revoked", revoked);
    let content = bundle("second").canonical().unwrap().into_bytes();
    for part in split(&content) {
        story.push("second part", part);
    }
    story.push("second stored", stored("second", Some(AUTHOR)));
    shadowed(story);
    story.push(
        "second in force",
        in_force("second", Some("first"), Some(SECOND_AUTHOR)),
    );
    story.push(
        "session-close",
        SessionClose {
            session: stands_for(SESSION),
            turns: 2,
            decisions: 13,
            executions: 2,
            credential: Some(credential(INGRESS)),
        },
    );
    let n = story.entries.len() as i64;
    story.push(
        "throttled",
        Throttled {
            credential: credential(AGENT),
            since: Timestamp::from_millis(START),
            until: Timestamp::from_millis(START + n),
            requests: 1000,
        },
    );
}

/// A call that a bundle in shadow judges, too, and a replay under that bundle.
fn shadowed(story: &mut Story) {
    let shadow = of_bundle(PolicyPhase::Shadow, "second", None, AUTHOR);
    story.push("second in shadow", shadow);
    let enforced = decided(story, 24, Outcome::Approved, "named-addresses");
    story.push("beside", enforced.clone());
    let (call, intent) = (enforced.call_ref.unwrap(), enforced.intent_ref.unwrap());
    let mut facts = facts(story, call, intent, 25);
    facts.inputs.bundle = bundle("second").reference().unwrap();
    let tried = Decision {
        policy_ref: facts.inputs.bundle,
        facts_ref: Some(story.keep(&facts)),
        outcome: Outcome::Rejected,
        reasons: vec![x("no-churned-contacts")],
        counts: Vec::new(),
        mode: Mode::Shadow,
        links: link(|l| l.shadows = Some(story.id("beside"))),
        ..enforced
    };
    story.push("tried", tried);
    let replayed = of_bundle(PolicyPhase::Replayed, "second", Some("first"), READER);
    story.push("second replayed", replayed);
    let end = of_bundle(PolicyPhase::ShadowEnd, "second", None, AUTHOR);
    story.push("second no longer in shadow", end);
}
