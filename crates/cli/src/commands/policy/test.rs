//! `countersign policy test`

use std::fmt::Write as _;
use std::path::Path;

use clap::{Args, ValueEnum};
use countersign_core::names::ReasonId;
use countersign_core::verdict::Outcome;
use countersign_judge::cases::{CaseOutcome, Cases, Coverage, Mismatch, PolicyCoverage};
use countersign_judge::{CompiledBundle, Held, PolicyTrace, TargetTrace};
use serde::Serialize;

use crate::bundles;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{self, plain, shortened};
use crate::terminal::{Terminal, Tone};

/// Most targets, and policies of one target, that are shown of a case.
const SHOWN: usize = 8;
/// Most policies without a case that are named unless `--cover` asks for all.
const UNCOVERED: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The bundle's directory, or the name of one that comes with the program
    #[arg(value_name = "DIR", default_value = ".")]
    bundle: String,
    /// Only cases whose name or file holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Show of every policy how many cases it decided
    #[arg(long)]
    cover: bool,
    /// End with exit code 1 if fewer than so many percent of the policies decided a case
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    min_coverage: Option<u8>,
    /// How cases that fell are shown: `github` writes annotations of a workflow
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Github,
}

#[derive(Serialize)]
struct Report<'a> {
    bundle: &'a str,
    held: usize,
    fell: usize,
    cases: &'a [CaseOutcome],
    coverage: CoverageView<'a>,
}

#[derive(Serialize)]
struct CoverageView<'a> {
    decided: usize,
    percent: usize,
    policies: &'a [PolicyCoverage],
}

pub(super) fn run(args: &TestArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let files = bundles::files(&args.bundle)?;
    // A bundle or cases that cannot be read are no answer to the question whether the cases hold.
    let bundle =
        bundles::compile(&args.bundle, &files).map_err(|error| error.exiting(Exit::Trouble))?;
    let cases = Cases::read(&files, &bundle).map_err(|findings| broken(&findings))?;
    if cases.is_empty() {
        return Err(CliError::usage(format!("`{}` has no cases", args.bundle))
            .hint("cases are files cases/*.toml beside the policies; docs/policy-testing.md shows one"));
    }
    let cases = match &args.filter {
        Some(text) => cases.only(text),
        None => cases,
    };
    if cases.is_empty() {
        let text = args.filter.as_deref().unwrap_or_default();
        return Err(CliError::usage(format!(
            "no case's name or file holds `{text}`"
        )));
    }
    let mut outcomes = judged(&cases, &bundle, terminal)?;
    let coverage = Coverage::of(&bundle, &outcomes);
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.holds()) {
        outcome.targets.clear();
    }
    let fell = outcomes.iter().filter(|case| !case.holds()).count();
    let report = Report {
        bundle: &bundle.bundle().content.name,
        held: outcomes.len() - fell,
        fell,
        cases: &outcomes,
        coverage: CoverageView {
            decided: coverage.decided(),
            percent: coverage.percent(),
            policies: &coverage.policies,
        },
    };
    terminal.answer(&report, || text(terminal, args, &bundle, &report))?;
    let is_covered = covers(args, &report, terminal);
    Ok(match fell == 0 && is_covered {
        true => Exit::Yes,
        false => Exit::No,
    })
}

fn broken(findings: &[countersign_judge::Finding]) -> CliError {
    let plural = if findings.len() == 1 { "" } else { "s" };
    CliError::usage(format!("the cases have {} mistake{plural}", findings.len())).with_findings(
        findings
            .iter()
            .map(countersign_service::finding_view)
            .collect(),
    )
}

fn judged(
    cases: &Cases,
    bundle: &CompiledBundle,
    terminal: &Terminal,
) -> Result<Vec<CaseOutcome>, CliError> {
    let bar = terminal.progress("cases");
    bar.set_length(u64::try_from(cases.len()).unwrap_or(u64::MAX));
    let mut outcomes = Vec::with_capacity(cases.len());
    for outcome in cases.run(bundle) {
        outcomes.push(outcome.map_err(|finding| broken(&[finding]))?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

/// Whether enough policies decided a case, where that was asked for.
fn covers(args: &TestArgs, report: &Report<'_>, terminal: &Terminal) -> bool {
    let Some(least) = args.min_coverage else {
        return true;
    };
    let found = report.coverage.percent;
    let enough = found >= usize::from(least);
    if !enough {
        terminal.note(format!(
            "{found} percent of the policies decided a case, fewer than the {least} that were asked for"
        ));
    }
    enough
}

fn text(
    terminal: &Terminal,
    args: &TestArgs,
    bundle: &CompiledBundle,
    report: &Report<'_>,
) -> String {
    let fell = report.cases.iter().filter(|case| !case.holds());
    let mut blocks: Vec<String> = fell
        .map(|case| match args.format {
            Format::Text => fallen(terminal, bundle, case),
            Format::Github => annotation(&args.bundle, case),
        })
        .collect();
    let all = report.cases.len();
    let plural = if all == 1 { "" } else { "s" };
    let mut end = match report.fell {
        0 => format!(
            "{}: {all} case{plural}, all as expected",
            terminal.paint(Tone::Good, "held")
        ),
        fell => format!(
            "{}: {fell} of {all} case{plural}",
            terminal.paint(Tone::Bad, "FELL")
        ),
    };
    let policies = report.coverage.policies;
    let _ = write!(
        end,
        "; {} of {} policies decided a case",
        report.coverage.decided,
        policies.len()
    );
    if args.cover {
        blocks.push(table(terminal, policies));
    } else if args.filter.is_none() {
        blocks.extend(uncovered(policies));
    }
    blocks.push(end);
    let between = match args.format {
        Format::Text => "\n\n",
        Format::Github => "\n",
    };
    blocks.join(between)
}

/// A case that fell: one line, and below it how each target was judged.
fn fallen(terminal: &Terminal, bundle: &CompiledBundle, case: &CaseOutcome) -> String {
    let mut lines = vec![format!(
        "{}  {}:{}  {}",
        terminal.paint(Tone::Bad, "FELL"),
        plain(&case.file),
        case.line,
        terminal.paint(Tone::Strong, &plain(&case.name)),
    )];
    let mut line = |text: String| lines.push(text);
    for what in wrong(case) {
        line(format!("  {what}"));
    }
    let args = serde_json::to_string(&case.args).unwrap_or_default();
    line(format!(
        "  call: {} {}",
        plain(&case.tool),
        shortened(&args)
    ));
    if let Some(at) = &case.obstacle_at {
        line(format!("  in the way: {}", plain(at)));
    }
    for target in shown_targets(case) {
        let what = match (&target.at, &target.value) {
            (Some(at), Some(value)) => format!("{} `{}`", plain(at), shortened(value)),
            _ => "the call".to_owned(),
        };
        let does_more = case
            .targets
            .iter()
            .any(|other| other.action != target.action);
        let action = match does_more {
            true => format!(" {}", target.action),
            false => String::new(),
        };
        line(format!("  {what}:{action} {}", target.outcome.name()));
        for (id, trace) in shown_policies(case, target) {
            for text in render::policy_trace(bundle, id, trace) {
                line(render::indented(&text, "    "));
            }
        }
    }
    lines.join("\n")
}

/// What was not as expected, a line for each.
fn wrong(case: &CaseOutcome) -> Vec<String> {
    let expected = match &case.expected.reasons {
        Some(reasons) => format!("{} by {}", case.expected.outcome.name(), listed(reasons)),
        None => case.expected.outcome.name().to_owned(),
    };
    let found = format!("{} by {}", case.outcome.name(), listed(&case.reasons));
    let of = |mismatch: &Mismatch| match mismatch {
        Mismatch::Outcome | Mismatch::Reasons => {
            format!("expected {expected}, found {found}")
        }
        Mismatch::Unasked => format!(
            "found {found} before any policy was asked; if the case means that, it says so in `reasons`"
        ),
        Mismatch::Sources {
            at,
            expected,
            found,
        } => {
            let names =
                |sources: &std::collections::BTreeSet<countersign_core::document::Source>| {
                    let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
                    names.join(", ")
                };
            let found = found.as_ref().map_or("no value".to_owned(), names);
            format!(
                "{}: expected the sources {}, found {found}",
                plain(at),
                names(expected)
            )
        }
    };
    case.mismatches.iter().map(of).collect()
}

fn listed(reasons: &std::collections::BTreeSet<ReasonId>) -> String {
    let names: Vec<&str> = reasons.iter().map(ReasonId::as_str).collect();
    names.join(", ")
}

/// The targets that made the outcome; all of them if the outcome is the expected one.
fn shown_targets(case: &CaseOutcome) -> impl Iterator<Item = &TargetTrace> {
    let targets = case.targets.iter();
    let decides = |target: &&TargetTrace| target.outcome == case.outcome;
    targets.filter(decides).take(SHOWN)
}

/// The policies that made the outcome, and those that could have made the expected one.
fn shown_policies<'a>(
    case: &'a CaseOutcome,
    target: &'a TargetTrace,
) -> impl Iterator<Item = (&'a ReasonId, &'a PolicyTrace)> {
    let expected = &case.expected;
    let is_shown = move |id: &ReasonId, trace: &PolicyTrace| {
        let is_named = expected
            .reasons
            .as_ref()
            .is_some_and(|ids| ids.contains(id));
        let is_wanted = match (expected.outcome, &expected.reasons) {
            (_, Some(_)) => is_named,
            (Outcome::Approved, None) => trace.permits,
            (_, None) => !trace.permits,
        };
        let is_missing = is_wanted && trace.held != Held::Yes;
        // What is permitted by nothing may need any permit.
        let lacks_permit = case.outcome == Outcome::Rejected
            && expected.outcome != Outcome::Rejected
            && trace.permits
            && target
                .policies
                .values()
                .all(|other| !other.permits || other.held != Held::Yes);
        target.reasons.contains(id) || is_missing || lacks_permit
    };
    let policies = target.policies.iter();
    policies
        .filter(move |(id, trace)| is_shown(id, trace))
        .take(SHOWN)
}

fn uncovered(policies: &[PolicyCoverage]) -> Option<String> {
    let bare: Vec<&PolicyCoverage> = policies.iter().filter(|one| one.decided == 0).collect();
    let mut lines: Vec<String> = bare
        .iter()
        .take(UNCOVERED)
        .map(|one| {
            format!(
                "no case: {} ({}:{}) {}",
                one.id,
                plain(&one.file),
                one.line,
                lack(one)
            )
        })
        .collect();
    let more = bare.len().saturating_sub(UNCOVERED);
    if more > 0 {
        lines.push(format!("and {more} more; --cover lists all"));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What no case shows of a policy.
fn lack(policy: &PolicyCoverage) -> &'static str {
    match (policy.decided, policy.held, policy.permits) {
        (0, 0, _) if policy.not_held == 0 => "could apply in none",
        (0, 0, _) => "never held",
        (0, _, true) => "held, and never approved a call",
        (0, _, false) => "held, and never stopped a call",
        _ if policy.not_held == 0 => "always held",
        _ => "",
    }
}

fn table(terminal: &Terminal, policies: &[PolicyCoverage]) -> String {
    let mut table = terminal.table(["policy", "", "decided", "held", "did not", ""]);
    for policy in policies {
        let tone = if policy.decided == 0 {
            Tone::Bad
        } else {
            Tone::Good
        };
        let number = |n: usize| comfy_table::Cell::new(n.to_string());
        table.add_row([
            comfy_table::Cell::new(policy.id.to_string()),
            comfy_table::Cell::new(if policy.permits { "permit" } else { "forbid" }),
            terminal.cell(tone, &policy.decided.to_string()),
            number(policy.held),
            number(policy.not_held),
            comfy_table::Cell::new(lack(policy)),
        ]);
    }
    render::trimmed(&table.to_string())
}

/// A command of a GitHub workflow: the message stands beside the line of the case.
fn annotation(bundle: &str, case: &CaseOutcome) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let file = Path::new(bundle).join(&case.file);
    format!(
        "::error file={},line={},title={}::{}",
        property(&plain(&file.to_string_lossy())),
        case.line,
        property(&plain(&case.name)),
        data(&wrong(case).join("; "))
    )
}
