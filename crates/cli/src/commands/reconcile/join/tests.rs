use ExecutionPhase::{Finished, Started, Unknown};

use super::*;

const MINUTE: i64 = 60_000;
fn limits() -> Limits {
    Limits {
        now: at(100),
        grace_ms: 10 * MINUTE,
        window_ms: 5 * MINUTE,
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute * MINUTE)
}

fn id(n: usize) -> EntryId {
    format!("01HYB7K3M4FXQZ9V2N6PTJD{n:03}").parse().unwrap()
}

fn args(n: usize) -> Sha256 {
    Sha256::of(&[u8::try_from(n).unwrap()])
}

/// A decision of the `n`th minute, on a call of `send` with arguments of its own.
fn decided(n: usize, outcome: Outcome, phases: &[ExecutionPhase]) -> Decided {
    Decided {
        entry_id: id(n),
        time: at(i64::try_from(n).unwrap()),
        outcome,
        action: "email.send".parse().unwrap(),
        actor: "agent:a".parse().unwrap(),
        call_ref: Some(Sha256::of(b"call").into()),
        phases: phases.to_vec(),
        by_agent: Vec::new(),
        reported: None,
        call: Some(Called {
            tool: "send".to_owned(),
            args_sha256: args(n),
            call_id: Some(format!("call_{n}")),
        }),
        is_before: false,
    }
}

fn approved(n: usize, phases: &[ExecutionPhase]) -> Decided {
    decided(n, Outcome::Approved, phases)
}

fn ran(n: usize) -> Record {
    Record {
        place: format!("ran:{n}"),
        time: Some(at(i64::try_from(n).unwrap())),
        tool: Some("send".to_owned()),
        args_sha256: Some(args(n)),
        ..Record::default()
    }
}

fn found(decisions: Vec<Decided>, records: Vec<Record>) -> Vec<(&'static str, Option<String>)> {
    let books = Books {
        decisions,
        records,
        is_open: true,
        ..Books::default()
    };
    let findings = join(&books, &limits());
    findings
        .into_iter()
        .map(|it| (it.kind.name(), it.record))
        .collect()
}

fn kinds(decisions: Vec<Decided>, records: Vec<Record>) -> Vec<&'static str> {
    found(decisions, records)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect()
}

#[test]
fn what_the_ledger_says_of_itself() {
    let whole = [Started, Finished];
    assert!(kinds(vec![approved(1, &whole), approved(2, &[Finished])], vec![]).is_empty());
    assert_eq!(kinds(vec![approved(1, &[])], vec![]), ["not-run"]);
    // It may still run.
    assert!(kinds(vec![approved(95, &[]), approved(96, &[Started])], vec![]).is_empty());
    assert_eq!(kinds(vec![approved(1, &[Started])], vec![]), ["no-end"]);
    let mut late = approved(1, &[Started]);
    late.reported = Some(at(95));
    assert!(kinds(vec![late], vec![]).is_empty());
    assert_eq!(
        kinds(vec![approved(1, &[Started, Unknown])], vec![]),
        ["unknown-end"]
    );
    assert!(kinds(vec![approved(1, &[Started, Unknown, Finished])], vec![]).is_empty());
    let twice = approved(1, &[Started, Finished, Started, Finished]);
    assert_eq!(kinds(vec![twice], vec![]), ["twice"]);
    assert!(kinds(vec![decided(1, Outcome::Rejected, &[])], vec![]).is_empty());
    let rejected = decided(1, Outcome::Escalated, &[Started]);
    assert_eq!(kinds(vec![rejected], vec![]), ["not-approved"]);
    let mut told = approved(1, &[]);
    told.by_agent = vec![Started, Finished];
    assert_eq!(kinds(vec![told.clone()], vec![]), ["agent-only"]);
    told.phases = whole.to_vec();
    assert!(kinds(vec![told], vec![]).is_empty());
}

#[test]
fn a_record_of_what_nobody_authorized_is_found() {
    let whole = [Started, Finished];
    let books = || vec![approved(10, &whole), decided(20, Outcome::Rejected, &[])];
    assert!(kinds(books(), vec![ran(10)]).is_empty());
    assert_eq!(kinds(books(), vec![ran(10), ran(20)]), ["refused"]);
    assert_eq!(kinds(books(), vec![ran(11)]), ["unauthorized"]);
    assert_eq!(kinds(books(), vec![ran(10), ran(10)]), ["twice"]);
    let change = |change: fn(&mut Record)| {
        let mut record = ran(10);
        change(&mut record);
        kinds(books(), vec![record])
    };
    assert_eq!(
        change(|it| it.tool = Some("other".to_owned())),
        ["unauthorized"]
    );
    assert_eq!(change(|it| it.tool = None), ["unauthorized"]);
    assert_eq!(change(|it| it.args_sha256 = None), ["unauthorized"]);
    assert_eq!(change(|it| it.time = Some(at(16))), ["unauthorized"]);
    assert_eq!(change(|it| it.time = Some(at(9))), ["unauthorized"]);
    assert!(change(|it| it.time = Some(at(14))).is_empty());
    assert!(change(|it| it.time = None).is_empty());
    // Clocks differ a little.
    assert!(change(|it| it.time = Some(at(10).plus_millis(-4_000))).is_empty());
    assert_eq!(
        kinds(vec![approved(10, &[])], vec![ran(10)]),
        ["unreported"]
    );
}

#[test]
fn what_names_its_entry_or_call_is_held_against_that() {
    let books = || {
        vec![
            approved(10, &[Started, Finished]),
            decided(20, Outcome::Rejected, &[]),
        ]
    };
    let named = |entry: String, change: fn(&mut Record)| {
        let mut record = ran(10);
        record.entry_id = Some(entry);
        change(&mut record);
        kinds(books(), vec![record])
    };
    assert!(named(id(10).to_string(), |_| ()).is_empty());
    assert_eq!(
        named(id(10).to_string(), |it| it.args_sha256 = Some(args(1))),
        ["other-arguments"]
    );
    assert_eq!(
        named(id(10).to_string(), |it| it.tool = Some("rm".to_owned())),
        ["other-arguments"]
    );
    assert_eq!(
        named(id(10).to_string(), |it| it.time = Some(at(5))),
        ["too-early"]
    );
    assert_eq!(named(id(20).to_string(), |_| ()), ["refused"]);
    assert_eq!(named(id(99).to_string(), |_| ()), ["unauthorized"]);
    assert_eq!(named("nonsense".to_owned(), |_| ()), ["unauthorized"]);
    let mut by_call = ran(11);
    by_call.call_id = Some("call_10".to_owned());
    by_call.args_sha256 = None;
    assert!(kinds(books(), vec![by_call.clone()]).is_empty());
    by_call.args_sha256 = Some(args(1));
    assert_eq!(kinds(books(), vec![by_call.clone()]), ["other-arguments"]);
    // Ids of calls begin anew in each session: one of another time is another call.
    by_call.time = Some(at(50));
    assert_eq!(kinds(books(), vec![by_call]), ["unauthorized"]);
}

#[test]
fn each_approval_is_of_one_record() {
    let same = |n: usize| {
        let mut decided = approved(n, &[Started, Finished]);
        decided.call.as_mut().unwrap().args_sha256 = args(0);
        decided
    };
    let record = |n: usize| Record {
        args_sha256: Some(args(0)),
        ..ran(n)
    };
    let both = vec![same(10), same(12)];
    assert!(kinds(both.clone(), vec![record(12), record(12)]).is_empty());
    let third = found(both, vec![record(12), record(12), record(13)]);
    assert_eq!(third, [("twice", Some("ran:13".to_owned()))]);
}

#[test]
fn an_execution_names_its_decision_and_unopened_calls_join_nothing() {
    let mut named = ran(10);
    named.entry_id = Some(id(77).to_string());
    let books = Books {
        decisions: vec![Decided {
            call: None,
            is_before: true,
            ..approved(10, &[])
        }],
        executions: [(id(77), id(10))].into(),
        records: vec![named, ran(10)],
        strays: vec![(id(5), None)],
        is_open: false,
    };
    let kinds: Vec<&str> = join(&books, &limits())
        .iter()
        .map(|it| it.kind.name())
        .collect();
    assert_eq!(kinds, ["not-approved", "not-joined"]);
    assert_eq!(to_open(&books, &limits()), [0].into());
}
