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
mod tests;
