//! Counts of what became of the calls.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recording::{Run, Step};
use super::whole::Worst;

/// Most distinct errors and examples that are kept.
const KEPT: usize = 50;
/// Longest text of one, in characters.
const SHOWN: usize = 160;

/// Reasons that say that the policies were not asked because the call could not be read, or that
/// the server could not get to it.
const NOT_REACHED: [&str; 7] = [
    "countersign.unknown-tool",
    "countersign.schema-mismatch",
    "countersign.malformed-call",
    "countersign.contended",
    "countersign.foreign-actor",
    "countersign.stopped",
    "countersign.tool-changed",
];

/// Reasons of the judge that stand before any policy.
const BEFORE_POLICY: [&str; 6] = [
    "countersign.no-target",
    "countersign.too-many-targets",
    "countersign.too-many-values",
    "countersign.uncountable",
    "countersign.unparsed-command",
    "countersign.unreadable-target",
];

/// What became of one call.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) outcome: String,
    /// The ids of the reasons.
    pub(super) reasons: Vec<String>,
}

/// Counts over many calls.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) calls: u64,
    /// Calls that the judge saw with their arguments read.
    pub(super) reached: u64,
    /// Calls that the policies were asked about.
    pub(super) by_policy: u64,
    pub(super) outcomes: BTreeMap<String, u64>,
    /// By outcome and reason; a call with two reasons counts under both.
    pub(super) reasons: BTreeMap<(String, String), u64>,
    /// By whose call it was in the recording, and outcome.
    pub(super) groups: BTreeMap<(String, String), u64>,
    /// Runs, by what they count as and by their worst call.
    pub(super) whole: BTreeMap<(String, Worst), u64>,
    /// Calls that no policy was asked about: by reason and tool, with an example of why.
    pub(super) not_by_policy: BTreeMap<(String, String), (u64, Option<String>)>,
    /// Answers that are no verdict, by request and text.
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) latencies: Vec<Duration>,
    pub(super) results_reported: u64,
    pub(super) ended_unknown: u64,
    /// Calls whose arguments the strict reader refuses.
    pub(super) unstrict: u64,
}

impl Judged {
    pub(super) fn malformed() -> Self {
        Self {
            outcome: "rejected".to_owned(),
            reasons: vec!["countersign.malformed-call".to_owned()],
        }
    }

    /// Whether the call reached the judge with its arguments read.
    pub(super) fn reached(&self) -> bool {
        !self.is_any_of(&NOT_REACHED)
    }

    /// Whether the policies were asked about it.
    pub(super) fn by_policy(&self) -> bool {
        self.reached() && !self.is_any_of(&BEFORE_POLICY)
    }

    fn is_any_of(&self, ids: &[&str]) -> bool {
        self.reasons
            .iter()
            .any(|reason| ids.contains(&reason.as_str()))
    }
}

impl Tally {
    pub(super) fn run(&mut self) {
        self.runs += 1;
    }

    pub(super) fn whole(&mut self, groups: Vec<(String, Worst)>) {
        for key in groups {
            add(&mut self.whole, key, 1);
        }
    }

    pub(super) fn unstrict(&mut self) {
        self.unstrict += 1;
    }

    pub(super) fn judged(&mut self, run: &Run, step: &Step, judged: Judged, elapsed: Duration) {
        self.calls += 1;
        self.latencies.push(elapsed);
        self.reached += u64::from(judged.reached());
        self.by_policy += u64::from(judged.by_policy());
        add(
            &mut self.groups,
            (group(run, step), judged.outcome.clone()),
            1,
        );
        for reason in judged.reasons {
            add(&mut self.reasons, (judged.outcome.clone(), reason), 1);
        }
        add(&mut self.outcomes, judged.outcome, 1);
    }

    /// Notes why no policy was asked about a call.
    pub(super) fn example(
        &mut self,
        judged: &Judged,
        tool: &str,
        why: impl FnOnce() -> Option<String>,
    ) {
        let reason = judged.reasons.first().cloned().unwrap_or_default();
        let (count, example) = self
            .not_by_policy
            .entry((reason, tool.to_owned()))
            .or_default();
        *count += 1;
        if example.is_none() {
            *example = why().map(|text| cut(&text));
        }
    }

    pub(super) fn reported(&mut self, executed: bool) {
        match executed {
            true => self.results_reported += 1,
            false => self.ended_unknown += 1,
        }
    }

    /// Notes an answer that is no verdict. A call that met one counts as a call.
    pub(super) fn error(&mut self, request: &str, error: &dyn std::fmt::Display) {
        self.calls += u64::from(request == "POST /v1/decisions");
        let text = cut(&format!("{request}: {error}"));
        let key = match self.failures.len() < KEPT || self.failures.contains_key(&text) {
            true => text,
            false => "others".to_owned(),
        };
        add(&mut self.failures, key, 1);
    }

    pub(super) fn errors(&self) -> usize {
        self.failures
            .values()
            .map(|count| usize::try_from(*count).unwrap_or(usize::MAX))
            .sum()
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.calls += other.calls;
        self.reached += other.reached;
        self.by_policy += other.by_policy;
        self.results_reported += other.results_reported;
        self.ended_unknown += other.ended_unknown;
        self.unstrict += other.unstrict;
        self.latencies.extend(other.latencies);
        other
            .outcomes
            .into_iter()
            .for_each(|(key, n)| add(&mut self.outcomes, key, n));
        other
            .reasons
            .into_iter()
            .for_each(|(key, n)| add(&mut self.reasons, key, n));
        other
            .groups
            .into_iter()
            .for_each(|(key, n)| add(&mut self.groups, key, n));
        other
            .whole
            .into_iter()
            .for_each(|(key, n)| add(&mut self.whole, key, n));
        other
            .failures
            .into_iter()
            .for_each(|(key, n)| add(&mut self.failures, key, n));
        for (key, (count, example)) in other.not_by_policy {
            let own = self.not_by_policy.entry(key).or_default();
            own.0 += count;
            own.1 = own.1.take().or(example);
        }
    }
}

/// Whose call it was, as far as the recording says.
fn group(run: &Run, step: &Step) -> String {
    let whose = match (&step.origin, &run.injection_task) {
        (Some(origin), _) => format!("call of the {origin}"),
        (None, Some(_)) => "call of an attacked run".to_owned(),
        (None, None) => "call of a benign run".to_owned(),
    };
    format!("{}: {whose}", run.suite)
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, n: u64) {
    *counts.entry(key).or_default() += n;
}

fn cut(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    match line.chars().count() > SHOWN {
        true => line.chars().take(SHOWN).chain(['…']).collect(),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(reason: &str) -> Judged {
        Judged {
            outcome: "rejected".into(),
            reasons: vec![reason.into()],
        }
    }

    #[test]
    fn what_could_not_be_read_did_not_reach_the_judge() {
        for reason in NOT_REACHED {
            assert!(!judged(reason).reached(), "{reason}");
        }
        assert!(!Judged::malformed().reached());
        for reason in [
            "countersign.no-permit",
            "countersign.unreadable-target",
            "my-policy",
        ] {
            assert!(judged(reason).reached(), "{reason}");
        }
    }

    #[test]
    fn every_built_in_reason_is_of_one_side() {
        use countersign_core::names::BuiltinReason;
        let by_policy = [
            "countersign.no-permit",
            "countersign.evaluation-error",
            "countersign.review-rejected",
        ];
        for reason in BuiltinReason::ALL {
            let id = format!("countersign.{}", reason.name());
            let lists: [&[&str]; 3] = [&NOT_REACHED, &BEFORE_POLICY, &by_policy];
            let found = lists
                .iter()
                .filter(|list| list.contains(&id.as_str()))
                .count();
            assert_eq!(found, 1, "{id}");
        }
    }

    #[test]
    fn an_error_counts_as_a_call_that_did_not_reach_the_judge() {
        let mut tally = Tally::default();
        tally.error("POST /v1/decisions", &"no");
        tally.error("POST /v1/executions", &"no");
        assert_eq!((tally.calls, tally.reached, tally.errors()), (1, 0, 2));
    }
}
