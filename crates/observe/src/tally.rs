//! Counts over all calls.

use std::collections::BTreeMap;

use countersign_core::names::ReasonId;
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use serde::Serialize;

use crate::drive::Judged;
use crate::propose::Guess;

/// Outcomes of a number of calls.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// How many calls there are.
    pub calls: usize,
    /// How many would have passed.
    pub approved: usize,
    /// About how many a person would have been asked.
    pub escalated: usize,
    /// How many would have been stopped.
    pub rejected: usize,
}

impl Outcomes {
    fn add(&mut self, outcome: Outcome) {
        self.calls += 1;
        match outcome {
            Outcome::Approved => self.approved += 1,
            Outcome::Escalated => self.escalated += 1,
            _ => self.rejected += 1,
        }
    }

    /// How many would not simply have passed.
    pub fn held(self) -> usize {
        self.escalated + self.rejected
    }
}

/// A rule that stopped calls, or would have asked about them.
#[derive(Debug, Serialize)]
pub struct RuleCount {
    /// The policy's id, or that of a built-in reason.
    pub id: String,
    /// What it says.
    pub text: String,
    /// Where it stands, if it is a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How many calls it stopped.
    pub rejected: usize,
    /// About how many it would have asked a person.
    pub escalated: usize,
}

/// A tool.
#[derive(Debug, Serialize)]
pub struct ToolCount {
    /// Its name.
    pub tool: String,
    /// What its calls do; absent for a tool that no manifest names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How far they reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<&'static str>,
    /// Why this was guessed, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guess: Option<String>,
    /// Its calls.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// Everything that is counted.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    /// All calls.
    pub all: Outcomes,
    /// Calls that stand after one that would not have passed, in the same session: live, they might
    /// not have been made.
    pub after_a_stop: usize,
    /// The rules with the most calls first.
    pub rules: Vec<RuleCount>,
    /// The tools with the most calls that would not have passed first.
    pub tools: Vec<ToolCount>,
    /// By who is behind a call, where a recording says so.
    pub origins: BTreeMap<String, Outcomes>,
}

impl Tally {
    pub(crate) fn of(bundle: &CompiledBundle, guesses: &[Guess], judged: &[Judged]) -> Self {
        let mut tally = Self::default();
        let mut tools: BTreeMap<&str, Outcomes> = BTreeMap::new();
        let mut rules: BTreeMap<&ReasonId, (usize, usize)> = BTreeMap::new();
        for one in judged {
            let outcome = one.verdict.outcome;
            tally.all.add(outcome);
            tally.after_a_stop += usize::from(one.is_after);
            tools.entry(&one.tool).or_default().add(outcome);
            if let Some(origin) = &one.origin {
                tally
                    .origins
                    .entry(origin.clone())
                    .or_default()
                    .add(outcome);
            }
            if outcome != Outcome::Approved {
                for reason in &one.verdict.reasons {
                    let count = rules.entry(reason).or_default();
                    match outcome {
                        Outcome::Escalated => count.1 += 1,
                        _ => count.0 += 1,
                    }
                }
            }
        }
        tally.rules = rules
            .into_iter()
            .map(|(id, (rejected, escalated))| rule(bundle, id, rejected, escalated))
            .collect();
        tally
            .rules
            .sort_by_key(|rule| std::cmp::Reverse(rule.rejected + rule.escalated));
        tally.tools = tools
            .into_iter()
            .map(|(name, outcomes)| tool(bundle, guesses, name, outcomes))
            .collect();
        tally
            .tools
            .sort_by_key(|tool| std::cmp::Reverse((tool.outcomes.held(), tool.outcomes.calls)));
        tally
    }
}

fn rule(bundle: &CompiledBundle, id: &ReasonId, rejected: usize, escalated: usize) -> RuleCount {
    let place = bundle.policy_text(id);
    RuleCount {
        id: id.to_string(),
        text: bundle.reason_text(id).unwrap_or_default().to_owned(),
        file: place.as_ref().map(|place| place.file.clone()),
        line: place.as_ref().map(|place| place.line),
        rejected,
        escalated,
    }
}

fn tool(bundle: &CompiledBundle, guesses: &[Guess], name: &str, outcomes: Outcomes) -> ToolCount {
    let known = bundle.tool(name);
    ToolCount {
        tool: name.to_owned(),
        action: known.map(|tool| tool.action().to_string()),
        effect: known.map(|tool| tool.manifest().effect.name()),
        guess: guesses
            .iter()
            .find(|guess| guess.tool == name)
            .map(|guess| guess.why.clone()),
        outcomes,
    }
}
