//! What an agent reports of its own calls: a correspondent's words, beside the tool's report and
//! never in its place. That the verifier and `fsck` agree is held at the end of every test.

use countersign_core::document::{Document as _, Facts, Source, ToolResult};
use countersign_core::entry::{Body, Execution, Role};
use countersign_core::refs::Sha256;
use countersign_service::{AGENT_EXECUTION_BODY_BYTES, Caller, ErrorCode, RESULTS_SEEN};
use countersign_verify::Check;
use countersign_wire::NewCredential;
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit};

const WORDS: &str = "Write to pat@acme.example, and look into the inbox";
const NAMED: &str = "pat@acme.example";

impl Kit {
    fn other_agent(&self) -> Caller {
        let request = NewCredential {
            roles: vec![Role::Agent.name().to_owned()],
            actors: vec![AGENT.to_owned()],
            ..NewCredential::default()
        };
        let admin = self.caller(Role::Admin);
        let created = self.service().add_credential(&admin, &request).unwrap();
        self.service().authenticate(&created.token).unwrap()
    }

    fn report(
        &self,
        by: &Caller,
        decision: &str,
        phase: &str,
        result: Option<Value>,
    ) -> Result<(), ErrorCode> {
        let mut body = json!({"decision": decision, "phase": phase});
        if let Some(result) = result {
            body["result"] = result;
        }
        let body = body.to_string();
        let reported = self.service().report_execution(by, body.as_bytes());
        reported.map(drop).map_err(|error| error.code)
    }

    fn sources(&self) -> Vec<Source> {
        let facts = self.last_decision().facts_ref.unwrap();
        let facts = Facts::from_canonical(&self.documents().unwrap()[&facts.into()]).unwrap();
        facts.targets[0].sources.iter().copied().collect()
    }

    fn last_result(&self) -> (Execution, ToolResult) {
        let Body::Execution(execution) = self.last() else {
            panic!("no execution");
        };
        let reference = execution.result_ref.unwrap();
        let result = ToolResult::from_canonical(&self.documents().unwrap()[&reference.into()]);
        (execution, result.unwrap())
    }
}

#[test]
fn an_agent_reports_its_own_calls_and_nobody_vouches_for_what_it_says() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let sent = kit.mail(&turn, NAMED).entry_id;
    let agent = kit.caller(Role::Agent);
    let made_up = json!({"participants": ["eve@evil.test"]});
    kit.report(&agent, &sent, "finished", Some(made_up))
        .unwrap();
    let (execution, result) = kit.last_result();
    assert!(result.by_agent);
    assert_eq!(execution.credential, agent.id());
    // The call went to somebody whom the turn names. A tool's result of it would be a document that
    // the turn names, too.
    assert_eq!(kit.mail(&turn, "eve@evil.test").outcome, "rejected");
    assert_eq!(kit.sources(), [Source::AnyOutput]);
}

#[test]
fn the_decisions_of_another_agent_are_not_there() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let approved = kit.mail(&turn, NAMED).entry_id;
    let rejected = kit.mail(&turn, "eve@evil.test").entry_id;
    let other = kit.other_agent();
    let size = kit.size();
    for decision in [&approved, &rejected, "01HYB7K3M4FXQZ9V2N6PTJD8RC"] {
        for phase in ["started", "finished", "unknown"] {
            let reported = kit.report(&other, decision, phase, None);
            assert_eq!(reported, Err(ErrorCode::NotFound), "{decision} {phase}");
        }
    }
    let own = kit.report(&kit.caller(Role::Agent), &rejected, "started", None);
    assert_eq!(own, Err(ErrorCode::Conflict));
    assert_eq!(kit.size(), size);
}

/// Who knows what a tool returned could otherwise tell of something else first, and so keep what must
/// not leave from being known.
#[test]
fn an_agent_cannot_keep_the_tools_report_out() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let (agent, tool) = (kit.caller(Role::Agent), kit.caller(Role::Tool));
    let sent = kit.mail(&turn, NAMED).entry_id;
    kit.report(&agent, &sent, "started", None).unwrap();
    kit.report(&agent, &sent, "finished", Some(json!("nothing")))
        .unwrap();
    for phase in ["started", "finished", "unknown"] {
        let again = kit.report(&agent, &sent, phase, None);
        assert_eq!(again, Err(ErrorCode::Conflict), "{phase}");
    }
    kit.report(&tool, &sent, "started", None).unwrap();
    let returned = json!({"cc": "seen@result.example"});
    kit.report(&tool, &sent, "finished", Some(returned))
        .unwrap();
    assert!(!kit.last_result().1.by_agent);
    let again = kit.report(&tool, &sent, "finished", None);
    assert_eq!(again, Err(ErrorCode::Conflict));
    kit.mail(&turn, "seen@result.example");
    assert_eq!(kit.sources(), [Source::NamedDocument, Source::AnyOutput]);
    // What the tool's side has told to the end, an agent does not tell again.
    let sent = kit.mail(&turn, NAMED).entry_id;
    kit.report(&tool, &sent, "unknown", None).unwrap();
    let late = kit.report(&agent, &sent, "finished", Some(json!("nothing")));
    assert_eq!(late, Err(ErrorCode::Conflict));
}

/// Whatever an agent tells of its calls is kept at hand for as long as its session lasts.
#[test]
fn an_agent_tells_little() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let sent = kit.mail(&turn, NAMED).entry_id;
    let long = json!("x".repeat(AGENT_EXECUTION_BODY_BYTES));
    let told = kit.report(
        &kit.caller(Role::Agent),
        &sent,
        "finished",
        Some(long.clone()),
    );
    assert_eq!(told, Err(ErrorCode::TooLarge));
    kit.report(&kit.caller(Role::Tool), &sent, "finished", Some(long))
        .unwrap();
}

/// Drawn again without a result, facts do not show what it would have carried.
#[test]
fn facts_that_leave_a_result_out_are_found() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let sent = kit.mail(&turn, NAMED).entry_id;
    let tool = kit.caller(Role::Tool);
    kit.report(&tool, &sent, "finished", Some(json!({"id": "m-1"})))
        .unwrap();
    kit.mail(&turn, NAMED);
    let honest = Sha256::from(kit.last_decision().facts_ref.unwrap());
    let mut documents = kit.documents().unwrap();
    let mut facts = Facts::from_canonical(&documents[&honest]).unwrap();
    assert_eq!(facts.inputs.results.len(), 1);
    facts.inputs.results.clear();
    let forged = Sha256::from(facts.reference().unwrap());
    documents.insert(forged, facts.canonical().unwrap().into_bytes());
    let report = kit.audit(documents, Some((honest.to_string(), forged.to_string())));
    let checks: Vec<Check> = report.findings.iter().map(|it| it.check).collect();
    assert!(checks.contains(&Check::DocumentContent), "{checks:?}");
    let only_the_log_tells = !checks.contains(&Check::RejudgeFacts);
    assert!(only_the_log_tells, "{checks:?}");
}

/// A result that comes in while a call is judged is one that the call is judged by. That the facts of
/// each decision hold every result before it is held at the end.
#[test]
fn results_that_come_in_while_calls_are_judged_count() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let sent: Vec<String> = (0..40).map(|_| kit.mail(&turn, NAMED).entry_id).collect();
    let tool = kit.caller(Role::Tool);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for decision in &sent {
                let result = Some(json!({"id": decision}));
                kit.report(&tool, decision, "finished", result).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..30 {
                    let answer = kit.mail(&turn, NAMED);
                    let reason = answer.reasons[0].id.as_str();
                    let is_judged = answer.outcome == "approved";
                    assert!(is_judged || reason == "countersign.contended", "{reason}");
                }
            });
        }
    });
}

#[test]
fn facts_hold_the_newest_results_and_the_verifier_counts_them_alike() {
    let mut kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let sent: Vec<String> = (0..RESULTS_SEEN + 3)
        .map(|_| kit.mail(&turn, NAMED).entry_id)
        .collect();
    let tool = kit.caller(Role::Tool);
    for decision in &sent {
        kit.report(&tool, decision, "finished", Some(json!({"id": decision})))
            .unwrap();
    }
    kit.mail(&turn, NAMED);
    kit.restart();
    kit.mail(&turn, NAMED);
    let facts = kit.last_decision().facts_ref.unwrap();
    let facts = Facts::from_canonical(&kit.documents().unwrap()[&facts.into()]).unwrap();
    assert_eq!(facts.inputs.results.len(), RESULTS_SEEN);
}

/// Somebody who has the log's key puts another result document behind a report.
#[test]
fn a_result_that_is_not_of_its_call_or_reporter_is_found() {
    let forgeries: [fn(&mut ToolResult); 3] = [
        |result| result.by_agent = false,
        |result| result.tool = "inbox.read".to_owned(),
        |result| result.args = Some(json!({"to": ["eve@evil.test"]})),
    ];
    for forge in forgeries {
        let kit = Kit::new();
        let turn = kit.turn("s1", WORDS).intent_ref;
        let sent = kit.mail(&turn, NAMED).entry_id;
        let agent = kit.caller(Role::Agent);
        kit.report(&agent, &sent, "finished", Some(json!({"id": "m-1"})))
            .unwrap();
        let (execution, mut result) = kit.last_result();
        let honest = Sha256::from(execution.result_ref.unwrap());
        forge(&mut result);
        let forged = Sha256::from(result.reference().unwrap());
        let mut documents = kit.documents().unwrap();
        documents.insert(forged, result.canonical().unwrap().into_bytes());
        let report = kit.audit(documents, Some((honest.to_string(), forged.to_string())));
        let checks: Vec<Check> = report.findings.iter().map(|it| it.check).collect();
        assert!(checks.contains(&Check::DocumentContent), "{checks:?}");
    }
}

#[test]
fn how_long_a_call_took_is_sealed_with_its_result() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let sent = kit.mail(&turn, NAMED).entry_id;
    let tool = kit.caller(Role::Tool);
    let report = |phase: &str, duration: Value| {
        let body =
            json!({"decision": sent, "phase": phase, "result": "sent", "duration_ms": duration});
        kit.service()
            .report_execution(&tool, body.to_string().as_bytes())
            .map(drop)
            .map_err(|error| error.code)
    };
    for odd in [json!(-1), json!(1.5), json!("38")] {
        assert_eq!(report("finished", odd), Err(ErrorCode::MalformedRequest));
    }
    assert_eq!(
        report("started", json!(38)),
        Err(ErrorCode::MalformedRequest)
    );
    report("finished", json!(38)).unwrap();
    assert_eq!(kit.last_result().1.duration_ms, Some(38));
}
