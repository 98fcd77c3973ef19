//! The report: what is told on the terminal, in HTML and in JSON alike. Its members as JSON stand in
//! docs/observe.md.

use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use serde::Serialize;

use countersign_transcripts::{Broken, Event};

use crate::drive::{Found, Judged};
use crate::places::Argument;
use crate::propose::Guess;
use crate::shorten::{self, count as counted};
use crate::tally::Tally;

/// How many tools a note names, and most characters of one name.
const NAMES_SHOWN: usize = 5;
const NAME_SHOWN: usize = 40;

/// The report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The rules that judged.
    pub bundle: BundleView,
    /// What was read.
    pub files: Vec<FileRead>,
    /// Files of directories that are no transcripts.
    pub passed_over: Vec<PassedOver>,
    /// How many sessions were read.
    pub sessions: usize,
    /// How many turns.
    pub turns: usize,
    /// Counts over all calls.
    #[serde(flatten)]
    pub tally: Tally,
    /// What is to be known of the report as a whole.
    pub notes: Vec<String>,
    /// The calls that were asked for by `--only`, `--tool` and `--limit`: those that would not have
    /// passed first, otherwise in order.
    pub calls: Vec<CallView>,
    /// How many calls `--only` and `--tool` leave.
    pub calls_matching: usize,
}

/// Which calls a report holds.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Those with this outcome.
    pub only: Option<Outcome>,
    /// Those of this tool.
    pub tool: Option<String>,
    /// No more than this many.
    pub limit: Option<usize>,
}

/// One transcript.
#[derive(Debug, Clone, Serialize)]
pub struct FileRead {
    /// Where it lies.
    pub path: String,
    /// What it was recognised as.
    pub format: String,
    /// How many sessions it holds.
    pub sessions: usize,
    /// Lines and records that could not be read.
    pub broken: usize,
    /// The first of them.
    pub broken_lines: Vec<Broken>,
    /// What else is to be said of it.
    pub notes: Vec<String>,
}

/// A file of a directory that is no transcript.
#[derive(Debug, Clone, Serialize)]
pub struct PassedOver {
    /// Where it lies.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The rules that judged.
#[derive(Debug, Serialize)]
pub struct BundleView {
    /// The bundle's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it was guessed from the tools that were seen.
    pub is_guessed: bool,
    /// How many policies it holds.
    pub policies: usize,
    /// How many tools.
    pub tools: usize,
}

/// One call.
#[derive(Debug, Serialize)]
pub struct CallView {
    /// The session's name.
    pub session: String,
    /// The file.
    pub file: String,
    /// The call's number within the session, from 1.
    pub number: usize,
    /// The person's words of the turn before it, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The tool.
    pub tool: String,
    /// What the call does.
    pub action: String,
    /// How far it reaches; absent for a tool that no manifest names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<&'static str>,
    /// The arguments as JSON, shortened.
    pub args: String,
    /// `approved`, `escalated` or `rejected`.
    pub outcome: &'static str,
    /// Why.
    pub reasons: Vec<ReasonShown>,
    /// What stands in the way beside the arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Where each value came from.
    pub arguments: Vec<Argument>,
    /// Who is behind the call, where a recording says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Whether an earlier call of the session would not have passed.
    pub is_after_a_stop: bool,
}

/// A reason.
#[derive(Debug, Serialize)]
pub struct ReasonShown {
    /// The policy's id, or that of a built-in reason.
    pub id: String,
    /// What it says.
    pub text: String,
    /// Where it stands, as `file:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl Report {
    /// The report of all judged calls. `guesses` is there if the bundle was guessed.
    pub fn new(
        choice: &Choice,
        files: Vec<FileRead>,
        found: &[Found],
        bundle: &CompiledBundle,
        guesses: Option<&[Guess]>,
        judged: Vec<Judged>,
    ) -> Self {
        let tally = Tally::of(bundle, guesses.unwrap_or_default(), &judged);
        let mut shown: Vec<Judged> = judged.into_iter().filter(|one| choice.takes(one)).collect();
        // Stable: otherwise in order.
        shown.sort_by_key(|one| match one.verdict.outcome {
            Outcome::Approved => 2,
            Outcome::Escalated => 1,
            _ => 0,
        });
        let calls_matching = shown.len();
        shown.truncate(choice.limit.unwrap_or(usize::MAX));
        Self {
            bundle: BundleView::of(bundle, guesses.is_some()),
            sessions: found.len(),
            turns: turns(found),
            notes: notes(bundle, &tally, guesses.is_some()),
            calls: shown
                .into_iter()
                .map(|one| call(bundle, &files, found, one))
                .collect(),
            calls_matching,
            tally,
            files,
            passed_over: Vec::new(),
        }
    }
}

impl Choice {
    fn takes(&self, one: &Judged) -> bool {
        let outcome = match one.verdict.outcome {
            Outcome::Modified | Outcome::Deferred => Outcome::Rejected,
            outcome => outcome,
        };
        self.only.is_none_or(|only| only == outcome)
            && self.tool.as_ref().is_none_or(|tool| *tool == one.tool)
    }
}

impl BundleView {
    fn of(bundle: &CompiledBundle, is_guessed: bool) -> Self {
        let content = &bundle.bundle().content;
        Self {
            name: content.name.clone(),
            description: content.description.clone(),
            is_guessed,
            policies: content
                .policies
                .iter()
                .map(|file| file.text.matches("@id(").count())
                .sum(),
            tools: content.tools.len(),
        }
    }
}

fn turns(found: &[Found]) -> usize {
    let events = found.iter().flat_map(|one| &one.session.events);
    events
        .filter(|event| matches!(event, Event::Turn(_)))
        .count()
}

fn call(bundle: &CompiledBundle, files: &[FileRead], all: &[Found], one: Judged) -> CallView {
    let found = all.get(one.session);
    let file = found.and_then(|found| files.get(found.file));
    let reasons = one.verdict.reasons.iter().map(|id| ReasonShown {
        id: id.to_string(),
        text: bundle.reason_text(id).unwrap_or_default().to_owned(),
        at: bundle
            .policy_text(id)
            .map(|place| format!("{}:{}", place.file, place.line)),
    });
    CallView {
        session: found.map_or_else(String::new, |found| found.session.name.clone()),
        file: file.map_or_else(String::new, |file| file.path.clone()),
        number: one.number,
        turn: one.turn.map(|turn| turn.to_string()),
        tool: one.tool,
        action: one.action,
        effect: one.effect,
        args: one.args,
        outcome: one.verdict.outcome.name(),
        reasons: reasons.collect(),
        advice: one.provenance.advice,
        arguments: one.provenance.arguments,
        origin: one.origin,
        is_after_a_stop: one.is_after,
    }
}

fn notes(bundle: &CompiledBundle, tally: &Tally, is_guessed: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if is_guessed {
        notes.push(
            "the bundle is a guess: what each tool does, which argument is what, and which fields a system wrote were guessed from names and values; correct it before you believe the report"
                .to_owned(),
        );
    }
    if tally.after_a_stop > 0 {
        notes.push(format!(
            "{} {} after one that would not have passed, in the same session; judged as if the earlier ones had been made, as they were",
            counted(tally.after_a_stop, "call"),
            if tally.after_a_stop == 1 { "stands" } else { "stand" }
        ));
    }
    notes.push(
        "`user` messages count as the person's own words; what was quoted inside them (a mail, a page) cannot be told apart"
            .to_owned(),
    );
    let unknown: Vec<String> = tally
        .tools
        .iter()
        .filter(|tool| tool.effect.is_none())
        .map(|tool| format!("`{}`", shorten::text(&tool.tool, NAME_SHOWN)))
        .collect();
    if !unknown.is_empty() && !is_guessed {
        let shown: Vec<&str> = unknown
            .iter()
            .take(NAMES_SHOWN)
            .map(String::as_str)
            .collect();
        let more = if unknown.len() > NAMES_SHOWN {
            ", …"
        } else {
            ""
        };
        notes.push(format!(
            "the bundle has no manifest for {} ({}{more}); `--propose` without `--bundle` guesses manifests to start from",
            counted(unknown.len(), "tool"),
            shown.join(", ")
        ));
    }
    let content = &bundle.bundle().content;
    if !content.counters.is_empty() {
        notes.push(
            "declared counters and history stand at nothing: a transcript has neither".to_owned(),
        );
    }
    if !content.schema.trim().is_empty() {
        notes.push("the directory is empty: rules over its attributes find none".to_owned());
    }
    notes
}
