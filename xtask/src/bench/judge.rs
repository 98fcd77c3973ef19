//! The judge alone, in CPU time of its thread: facts, verdict, leaf.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_core::document::{
    Assurance, Author, Call, Document as _, EntityUid, Intent, PartBy, Salt, ToolResult, TurnPart,
};
use countersign_core::entry::{Decision, Entry, Links, Mode, Surface};
use countersign_core::ids::{CredentialId, EntryId, IntentId};
use countersign_core::json::CanonicalJson;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::time::{Clock as _, Timestamp};
use countersign_core::verdict::{Outcome, Verdict};
use countersign_judge::{
    ChainTurn, CompiledBundle, Directory, DirectoryError, ExtractInputs, SessionResults,
    TurnMentions, extract, judge, judge_version,
};
use countersign_keys::SystemRandom;
use countersign_merkle::leaf_hash;
use countersign_service::SystemClock;
use serde::Serialize;
use serde_json::{Value, json};

use super::cpu;
use super::setting::{self, Scopes};
use crate::error::Error;
use crate::server::{ACTORS, TENANT};
use crate::stats::{Summary, micros};

/// Fewest times that a case is measured.
const TIMES_MIN: usize = 5;
/// Most times that a case is measured.
const TIMES_MAX: usize = 200_000;
/// How many times a case runs before it is measured.
const WARM_UP: usize = 3;

/// One case before it is measured: policies, scopes, targets, bytes of arguments, observed results.
type Case = (usize, Scopes, usize, usize, usize);

/// All cases.
const CASES: [Case; 14] = [
    (10, Scopes::Named, 1, 1_000, 0),
    (100, Scopes::Named, 1, 1_000, 0),
    (1_000, Scopes::Named, 1, 1_000, 0),
    (100, Scopes::Named, 20, 1_000, 0),
    (100, Scopes::Named, 1, 64_000, 0),
    (100, Scopes::Named, 20, 64_000, 0),
    (10, Scopes::Open, 1, 1_000, 0),
    (100, Scopes::Open, 1, 1_000, 0),
    (1_000, Scopes::Open, 1, 1_000, 0),
    (100, Scopes::Open, 20, 1_000, 0),
    (100, Scopes::Named, 1, 2_000, 0),
    (100, Scopes::Named, 1, 2_000, 10),
    (100, Scopes::Named, 1, 2_000, 50),
    (100, Scopes::Named, 1, 2_000, 250),
];

/// What was measured of the judge.
#[derive(Debug, Serialize)]
pub(super) struct JudgeReport {
    /// What one reading of the clock costs, in microseconds; each stage holds one.
    pub(super) clock_us: f64,
    pub(super) cases: Vec<JudgeCase>,
}

/// One case.
#[derive(Debug, Serialize)]
pub(super) struct JudgeCase {
    pub(super) policies: usize,
    /// Whether the policies' scopes name their actions.
    pub(super) sliced: bool,
    pub(super) targets: usize,
    pub(super) args_bytes: usize,
    /// Results of earlier calls of the session, of 2 kB each.
    pub(super) results: usize,
    pub(super) facts: Summary,
    pub(super) verdict: Summary,
    pub(super) leaf: Summary,
    /// All three together.
    pub(super) all: Summary,
}

/// Measures all cases, each for this long.
pub(super) fn measure(budget: Duration) -> Result<JudgeReport, Error> {
    let mut cases = Vec::new();
    for (policies, scopes, targets, args_bytes, results) in CASES {
        eprintln!(
            "judge: {policies} policies, {targets} targets, {args_bytes} bytes, {results} results"
        );
        let bundle = setting::compiled(policies, scopes)?;
        let scene = Scene::new(bundle, targets, args_bytes)?.having_seen(results)?;
        let times = scene.measure(budget)?;
        cases.push(JudgeCase {
            policies,
            sliced: scopes == Scopes::Named,
            targets,
            args_bytes,
            results,
            facts: summary(times.facts)?,
            verdict: summary(times.verdict)?,
            leaf: summary(times.leaf)?,
            all: summary(times.all)?,
        });
    }
    Ok(JudgeReport {
        clock_us: micros(cpu::clock_cost()),
        cases,
    })
}

fn summary(times: Vec<Duration>) -> Result<Summary, Error> {
    Summary::of(times).ok_or_else(|| Error::server("the measurement")("nothing was measured"))
}

/// One call with all that it is judged on.
struct Scene {
    bundle: CompiledBundle,
    intent: Intent,
    mentions: TurnMentions,
    results: SessionResults,
    call: Call,
    entry_id: EntryId,
    targets: Vec<Pseudonym>,
    now: Timestamp,
}

#[derive(Default)]
struct Times {
    facts: Vec<Duration>,
    verdict: Vec<Duration>,
    leaf: Vec<Duration>,
    all: Vec<Duration>,
}

/// A directory that knows nobody.
struct Nobody;

impl Directory for Nobody {
    fn entity(&self, _: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(None)
    }
}

impl Scene {
    fn new(bundle: CompiledBundle, targets: usize, args_bytes: usize) -> Result<Self, Error> {
        let now = SystemClock.now();
        let intent = intent(&setting::turn_text(targets), now)?;
        let mentions = TurnMentions::of(&intent);
        let mut args = setting::args(targets, args_bytes);
        // As the service does when it reads the request.
        args.sort_all_objects();
        let canonical = CanonicalJson::of(&args).map_err(Error::server("the arguments"))?;
        let call = Call {
            tenant: intent.tenant.clone(),
            tool: setting::TOOL.to_owned(),
            args_sha256: canonical.digest(),
            args,
            external_call_id: None,
            wire: None,
            workspace: None,
            definition: None,
            salt: Salt::fresh(&SystemRandom),
        };
        Ok(Self {
            bundle,
            mentions,
            results: SessionResults::empty(),
            call,
            entry_id: EntryId::fresh(now, &SystemRandom),
            targets: (0..targets)
                .map(|_| Pseudonym::fresh(&SystemRandom))
                .collect(),
            now,
            intent,
        })
    }

    /// With so many results of earlier calls, each a list of records with labels: one of ten holds the
    /// address that the call writes to.
    fn having_seen(mut self, results: usize) -> Result<Self, Error> {
        let failed = "a result";
        let mut seen = Vec::with_capacity(results);
        for n in 0..results {
            let result = ToolResult {
                tenant: self.intent.tenant.clone(),
                decision: self.entry_id,
                tool: setting::READER.to_owned(),
                args: Some(json!({"folder": format!("folder-{n}")})),
                by_agent: false,
                is_error: false,
                duration_ms: None,
                result: setting::result(n),
                salt: Salt::fresh(&SystemRandom),
            };
            seen.push((result.reference().map_err(Error::server(failed))?, result));
        }
        self.results = SessionResults::of(seen, &self.bundle);
        Ok(self)
    }

    fn measure(&self, budget: Duration) -> Result<Times, Error> {
        let failed = "the measured call";
        let intent_ref = self.intent.reference().map_err(Error::server(failed))?;
        let chain = [ChainTurn {
            intent_ref,
            entry: self.entry_id,
            intent: &self.intent,
            mentions: &self.mentions,
        }];
        let inputs = ExtractInputs {
            tenant: &self.intent.tenant,
            salt: self.call.salt,
            now: self.now,
            actor: self
                .intent
                .actors
                .first()
                .ok_or_else(|| Error::server(failed)("no actor"))?,
            bundle: &self.bundle,
            call: &self.call,
            call_ref: self.call.reference().map_err(Error::server(failed))?,
            claimed_intent: Some(intent_ref),
            chain: &chain,
            results: &self.results,
            directory: &Nobody,
            directory_revision: None,
            credential: self.intent.registered_by,
            review: None,
            counters: &[],
            history: None,
        };
        let mut times = Times::default();
        let begun = Instant::now();
        for n in 0..WARM_UP + TIMES_MAX {
            let measured = times.all.len();
            if measured >= TIMES_MIN && begun.elapsed() > budget {
                break;
            }
            let start = cpu::of_thread();
            let facts = extract(black_box(&inputs)).map_err(Error::server(failed))?;
            let drawn = cpu::of_thread();
            let verdict = judge(&self.bundle, black_box(&facts));
            let judged = cpu::of_thread();
            let leaf = self
                .leaf(&inputs, &verdict)
                .map_err(Error::server(failed))?;
            black_box(leaf_hash(leaf.as_bytes()));
            let end = cpu::of_thread();
            if verdict.outcome != Outcome::Approved {
                return Err(Error::server(failed)(format!(
                    "it was {}",
                    verdict.outcome.name()
                )));
            }
            if n >= WARM_UP {
                times.facts.push(drawn.saturating_sub(start));
                times.verdict.push(judged.saturating_sub(drawn));
                times.leaf.push(end.saturating_sub(judged));
                times.all.push(end.saturating_sub(start));
            }
        }
        Ok(times)
    }

    fn leaf(
        &self,
        inputs: &ExtractInputs<'_>,
        verdict: &Verdict,
    ) -> Result<CanonicalJson, countersign_core::entry::LeafError> {
        let digest = self.call.args_sha256;
        let decision = Decision {
            action: self
                .bundle
                .tool(&self.call.tool)
                .map_or_else(countersign_core::names::ActionName::unknown, |tool| {
                    tool.action().clone()
                }),
            actor: inputs.actor.clone(),
            intent_ref: inputs.claimed_intent,
            policy_ref: self.bundle.policy_ref(),
            outcome: verdict.outcome,
            reasons: verdict.reasons.iter().cloned().collect(),
            call_ref: Some(inputs.call_ref),
            facts_ref: Some(digest.into()),
            reasoning_ref: None,
            principal: self.targets.first().copied(),
            session: self.targets.first().copied(),
            targets: self.targets.clone(),
            counts: Vec::new(),
            credential: inputs.credential,
            surface: Surface::Api,
            mode: Mode::Enforced,
            links: Links::default(),
            judge: judge_version(),
            claimed_intent_ref: None,
            actions: None,
            effective_call_ref: None,
        };
        Entry {
            entry_id: self.entry_id,
            timestamp: self.now,
            body: decision.into(),
        }
        .to_leaf()
    }
}

fn intent(text: &str, now: Timestamp) -> Result<Intent, Error> {
    let failed = "the turn";
    Ok(Intent {
        tenant: TENANT.parse().map_err(Error::server(failed))?,
        intent_id: IntentId::fresh(now, &SystemRandom),
        principal: "user:bench@customer.example"
            .parse()
            .map_err(Error::server(failed))?,
        author: Author::Human,
        channel: "bench".parse().map_err(Error::server(failed))?,
        session: "bench".parse().map_err(Error::server(failed))?,
        actors: vec![
            format!("{ACTORS}bench")
                .parse()
                .map_err(Error::server(failed))?,
        ],
        parts: vec![TurnPart {
            by: PartBy::Principal,
            media_type: "text/plain".to_owned(),
            text: text.to_owned(),
            raw_sha256: None,
        }],
        parent: None,
        mandate: None,
        registered_by: CredentialId::fresh(now, &SystemRandom),
        assurance: Assurance::Separate,
        issued_at: now,
        expires_at: now.plus_millis(3_600_000),
        salt: Salt::fresh(&SystemRandom),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_calls_are_approved_whatever_their_size() {
        for (targets, bytes, results) in [(1, 1_000, 0), (20, 64_000, 0), (1, 2_000, 3)] {
            let bundle = setting::compiled(30, Scopes::Open).unwrap();
            let times = Scene::new(bundle, targets, bytes)
                .unwrap()
                .having_seen(results)
                .unwrap()
                .measure(Duration::ZERO)
                .unwrap();
            assert_eq!(times.all.len(), TIMES_MIN);
        }
    }
}
