//! What ran, held against what was approved. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_core::entry::ExecutionPhase;
use countersign_core::ids::EntryId;
use countersign_core::names::{ActionName, ActorName};
use countersign_core::refs::{CallRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use serde::Serialize;

use super::outside::Record;

/// How much earlier than its approval a call may be recorded: clocks differ.
const CLOCKS_MS: i64 = 5_000;

/// A decision, and what the ledger says of its call.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) entry_id: EntryId,
    pub(super) time: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) action: ActionName,
    pub(super) actor: ActorName,
    pub(super) call_ref: Option<CallRef>,
    /// As the tool's side reported.
    pub(super) phases: Vec<ExecutionPhase>,
    /// As the agent reported of its own call.
    pub(super) by_agent: Vec<ExecutionPhase>,
    /// The newest report.
    pub(super) reported: Option<Timestamp>,
    /// The call, where it was opened.
    pub(super) call: Option<Called>,
    /// Whether it is from before the time that is looked at, and only there because a record names
    /// it: then the ledger's reports of it are not known.
    pub(super) is_before: bool,
}

/// What is needed of an opened call.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub(super) tool: String,
    pub(super) args_sha256: Sha256,
    pub(super) call_id: Option<String>,
}

/// What is held against what.
#[derive(Default)]
pub(super) struct Books {
    /// In the order of their times.
    pub(super) decisions: Vec<Decided>,
    /// Which decision an execution is of.
    pub(super) executions: HashMap<EntryId, EntryId>,
    /// Executions of no approval: their entry and the decision that they name.
    pub(super) strays: Vec<(EntryId, Option<EntryId>)>,
    pub(super) records: Vec<Record>,
    /// Whether calls could be opened, to be compared with records that name no entry.
    pub(super) is_open: bool,
}

/// How far apart things may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) now: Timestamp,
    /// How long an approval may wait for its call, and a call for its end.
    pub(super) grace_ms: i64,
    /// How long after its decision a call may be recorded.
    pub(super) window_ms: i64,
}

macro_rules! kinds {
    ($($variant:ident = $name:literal, $text:literal;)*) => {
        /// What can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Kind {
            $(#[doc = $text] $variant,)*
        }

        impl Kind {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(super) fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    Unauthorized = "unauthorized", "it ran, and nobody decided on it";
    Refused = "refused", "it ran, and the decision was no approval";
    OtherArguments = "other-arguments", "it ran with other arguments, or as another tool, than was approved";
    TooEarly = "too-early", "it ran before it was approved";
    Twice = "twice", "it ran more than once on one approval";
    NotApproved = "not-approved", "an execution in the ledger is of no approval";
    Unreported = "unreported", "it ran on an approval, and the tool's side has not told the ledger";
    NotJoined = "not-joined", "the record names no entry, and calls were not opened to compare it with";
    AgentOnly = "agent-only", "only the agent itself says that it ran";
    NoEnd = "no-end", "it began, and nothing is known of its end";
    UnknownEnd = "unknown-end", "it left, and its outcome could not be learnt";
    NotRun = "not-run", "it was approved, and nothing says that it ran";
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Something that does not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Timestamp>,
    /// The decision, or the stray execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entry_id: Option<EntryId>,
    /// Where the record stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool: Option<String>,
}

impl Books {
    /// The decision that a record names, by its own id or that of its execution.
    pub(super) fn decision_of(&self, record: &Record) -> Option<EntryId> {
        let id = record.entry_id.as_ref()?.parse().ok()?;
        Some(self.executions.get(&id).copied().unwrap_or(id))
    }

    fn places(&self) -> HashMap<EntryId, usize> {
        let places = self.decisions.iter().enumerate();
        places.map(|(at, decided)| (decided.entry_id, at)).collect()
    }
}

/// Which decisions' calls must be opened to be compared with the records.
pub(super) fn to_open(books: &Books, limits: &Limits) -> BTreeSet<usize> {
    let places = books.places();
    let nameless = books
        .records
        .iter()
        .filter(|record| record.entry_id.is_none());
    let named = books
        .records
        .iter()
        .filter_map(|record| books.decision_of(record));
    let mut wanted: BTreeSet<usize> = named.filter_map(|id| places.get(&id).copied()).collect();
    for record in nameless {
        wanted.extend(near(&books.decisions, record, limits));
    }
    wanted.retain(|at| {
        books
            .decisions
            .get(*at)
            .is_some_and(|it| it.call_ref.is_some())
    });
    wanted
}

/// The decisions that a record can be of by its time, the newest first.
fn near<'a>(
    decisions: &'a [Decided],
    record: &Record,
    limits: &Limits,
) -> impl Iterator<Item = usize> + use<'a> {
    let (from, until) = match record.time {
        Some(time) => (
            decisions.partition_point(|it| it.time < time.plus_millis(-limits.window_ms)),
            decisions.partition_point(|it| it.time <= time.plus_millis(CLOCKS_MS)),
        ),
        None => (0, decisions.len()),
    };
    (from..until).rev()
}

/// Everything that does not match.
pub(super) fn join(books: &Books, limits: &Limits) -> Vec<Finding> {
    let mut joined = Joined {
        places: books.places(),
        books,
        limits,
        ran: BTreeMap::new(),
        findings: Vec::new(),
    };
    let mut records: Vec<&Record> = books.records.iter().collect();
    records.sort_by_key(|record| record.time);
    // What names its entry leaves nothing to guess, and is not taken by what does not.
    let (named, nameless): (Vec<&Record>, Vec<&Record>) = records
        .into_iter()
        .partition(|record| record.entry_id.is_some());
    for record in named {
        joined.named(record);
    }
    for record in nameless {
        joined.nameless(record);
    }
    joined.ledger();
    let mut findings = joined.findings;
    findings.sort_by_key(|finding| (finding.kind, finding.time));
    findings
}

struct Joined<'a> {
    books: &'a Books,
    places: HashMap<EntryId, usize>,
    limits: &'a Limits,
    /// How many records are of a decision.
    ran: BTreeMap<usize, usize>,
    findings: Vec<Finding>,
}

impl Joined<'_> {
    fn named(&mut self, record: &Record) {
        let decision = self.books.decision_of(record);
        match decision.and_then(|id| self.places.get(&id).copied()) {
            Some(at) => self.is_of(record, at),
            None => self.record(Kind::Unauthorized, record, None),
        }
    }

    fn nameless(&mut self, record: &Record) {
        if !self.books.is_open {
            return self.record(Kind::NotJoined, record, None);
        }
        let decisions = &self.books.decisions;
        let fits: Vec<usize> = near(decisions, record, self.limits)
            .filter(|at| decisions.get(*at).is_some_and(|it| is_it(record, it)))
            .collect();
        let approved = |at: &&usize| {
            decisions
                .get(**at)
                .is_some_and(|it| it.outcome == Outcome::Approved)
        };
        let unused = |at: &&usize| !self.ran.contains_key(*at);
        let found = fits
            .iter()
            .filter(approved)
            .find(unused)
            .or_else(|| fits.iter().find(approved))
            .or_else(|| fits.first());
        match found {
            Some(at) => self.is_of(record, *at),
            None => self.record(Kind::Unauthorized, record, None),
        }
    }

    fn is_of(&mut self, record: &Record, at: usize) {
        let Some(decided) = self.books.decisions.get(at) else {
            return;
        };
        let ran = self.ran.entry(at).or_default();
        *ran += 1;
        let is_again = *ran > 1;
        let call = decided.call.as_ref();
        let differs = call.is_some_and(|call| {
            let args = record
                .args_sha256
                .is_some_and(|args| args != call.args_sha256);
            args || record.tool.as_ref().is_some_and(|tool| *tool != call.tool)
        });
        let is_early = record
            .time
            .is_some_and(|time| time.plus_millis(CLOCKS_MS) < decided.time);
        let found = [
            (decided.outcome != Outcome::Approved, Kind::Refused),
            (differs, Kind::OtherArguments),
            (is_early, Kind::TooEarly),
            (is_again, Kind::Twice),
            (
                decided.phases.is_empty() && !is_again && !decided.is_before,
                Kind::Unreported,
            ),
        ];
        // The gravest is told; the others come with it.
        let first = found.into_iter().find(|(is_so, _)| *is_so);
        if let Some((_, kind)) = first {
            self.record(kind, record, Some(decided));
        }
    }

    fn record(&mut self, kind: Kind, record: &Record, decided: Option<&Decided>) {
        self.findings.push(Finding {
            kind,
            time: record.time,
            entry_id: decided.map(|it| it.entry_id),
            record: Some(record.place.clone()),
            action: decided.map(|it| it.action.to_string()),
            actor: decided.map(|it| it.actor.to_string()),
            tool: record.tool.clone(),
        });
    }

    /// What the ledger says of itself.
    fn ledger(&mut self) {
        for (entry_id, decision) in &self.books.strays {
            self.findings.push(Finding {
                kind: Kind::NotApproved,
                time: None,
                entry_id: Some(decision.unwrap_or(*entry_id)),
                record: None,
                action: None,
                actor: None,
                tool: None,
            });
        }
        for (at, decided) in self.books.decisions.iter().enumerate() {
            if decided.is_before {
                continue;
            }
            let has_record = self.ran.contains_key(&at);
            for kind in of_ledger(decided, self.limits, has_record) {
                self.findings.push(Finding {
                    kind,
                    time: Some(decided.time),
                    entry_id: Some(decided.entry_id),
                    record: None,
                    action: Some(decided.action.to_string()),
                    actor: Some(decided.actor.to_string()),
                    tool: decided.call.as_ref().map(|call| call.tool.clone()),
                });
            }
        }
    }
}

/// Whether a record without an entry's id is of a call.
fn is_it(record: &Record, decided: &Decided) -> bool {
    let Some(call) = &decided.call else {
        return false;
    };
    let is_tool = record.tool.as_ref().is_none_or(|tool| *tool == call.tool);
    match (&record.call_id, &call.call_id) {
        (Some(id), Some(known)) if id == known => is_tool,
        // Without the arguments, anything by that tool would do.
        _ => record.tool.is_some() && is_tool && record.args_sha256 == Some(call.args_sha256),
    }
}

fn of_ledger(decided: &Decided, limits: &Limits, has_record: bool) -> Vec<Kind> {
    use ExecutionPhase::{Started, Unknown};
    let phases = &decided.phases;
    if decided.outcome != Outcome::Approved {
        let ran = !phases.is_empty() || !decided.by_agent.is_empty();
        return ran.then_some(Kind::NotApproved).into_iter().collect();
    }
    let mut kinds = Vec::new();
    let is_double = |phase| phases.iter().filter(|it| **it == phase).count() > 1;
    if ExecutionPhase::ALL.iter().any(|phase| is_double(*phase)) {
        kinds.push(Kind::Twice);
    }
    let is_old = |time: Timestamp| limits.now.millis_since(time) > limits.grace_ms;
    match (phases.as_slice(), decided.by_agent.is_empty()) {
        ([], true) if !has_record && is_old(decided.time) => kinds.push(Kind::NotRun),
        ([], false) if !has_record => kinds.push(Kind::AgentOnly),
        (phases, _)
            if !phases.is_empty()
                && phases.iter().all(|it| *it == Started)
                && is_old(decided.reported.unwrap_or(decided.time)) =>
        {
            kinds.push(Kind::NoEnd);
        }
        (phases, _) if phases.last() == Some(&Unknown) => kinds.push(Kind::UnknownEnd),
        _ => {}
    }
    kinds
}

#[cfg(test)]
mod tests {
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
}
