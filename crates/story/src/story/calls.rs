//! Turns, calls and what became of them.

use super::*;

pub(super) fn turn(n: usize, parent: Option<IntentRef>) -> IntentDocument {
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

pub(super) fn registered(document: &IntentDocument) -> Intent {
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
pub(super) fn decided(story: &mut Story, n: u8, outcome: Outcome, reason: &str) -> Decision {
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
pub(super) fn counted(actor: &str, is_first: bool) -> Vec<Count> {
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

pub(super) fn facts(story: &Story, call: CallRef, intent_ref: IntentRef, n: u8) -> Facts {
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

pub(super) fn turns_and_calls(story: &mut Story) {
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
    let unmandated = unmandated(story, 15);
    story.push("unmandated", unmandated);
}

/// A decision on a call that was too malformed to be anybody's.
pub(super) fn unmandated(story: &mut Story, n: u8) -> Decision {
    Decision {
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
        ..decided(story, n, Outcome::Rejected, "countersign.malformed-call")
    }
}
