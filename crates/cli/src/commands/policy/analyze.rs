//! `countersign policy analyze`

use std::path::PathBuf;

use clap::Args;
use countersign_analysis::{
    AnalysisError, Comparison, Difference, Example, Reached, Relation, SolverCommand, compare,
    reach,
};
use countersign_core::document::{Bundle, BundleContent};
use countersign_core::names::TenantId;
use countersign_judge::CompiledBundle;
use serde_json::json;

use super::named;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// A directory, the name of a bundle that comes with the program, a policy_ref, or `current`
    bundle: String,
    /// Say whether it is stricter or looser than this one; exit code 1 if it lets more through
    #[arg(long, value_name = "BUNDLE", required_unless_present = "reach")]
    against: Option<String>,
    /// Look for an approved request that meets this Cedar condition, as after `when`; exit code 1 if
    /// there is one
    #[arg(long, value_name = "CONDITION", conflicts_with = "against")]
    reach: Option<String>,
    /// With --reach: also look at requests that a person would be asked about
    #[arg(long, requires = "reach")]
    asking: bool,
    /// The solver: cvc5 1.3.1 or later [default: the variable CVC5, or `cvc5` on the path]
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
}

pub(super) fn run(
    args: &AnalyzeArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let mut open = || connection.open(terminal);
    let bundle = compiled(named(&args.bundle, &mut open)?)?;
    let solver = SolverCommand::of(args.solver.clone());
    let progress = terminal.progress("kinds of requests");
    let mut seen = |kind: &str, of: usize| {
        progress.set_length(u64::try_from(of).unwrap_or(u64::MAX));
        progress.set_message(kind.to_owned());
        progress.inc(1);
    };
    let answer = match (&args.against, &args.reach) {
        (Some(old), _) => {
            let old = compiled(named(old, &mut open)?)?;
            let comparison = compare(&old, &bundle, &solver, &mut seen).map_err(failed)?;
            progress.finish_and_clear();
            compared(&comparison, terminal)
        }
        (None, condition) => {
            let condition = condition.as_deref().unwrap_or_default();
            let (found, kinds) =
                reach(&bundle, condition, args.asking, &solver, &mut seen).map_err(failed)?;
            progress.finish_and_clear();
            reached(&found, kinds, terminal)
        }
    };
    progress.finish_and_clear();
    answer
}

fn compiled(content: BundleContent) -> Result<CompiledBundle, CliError> {
    let tenant: TenantId = "analysis"
        .parse()
        .map_err(|_| CliError::usage("no tenant to analyse for"))?;
    CompiledBundle::stored(Bundle { tenant, content })
        .map_err(|error| CliError::usage(error.to_string()))
}

fn failed(error: AnalysisError) -> CliError {
    let told = CliError::usage(error.to_string());
    match error.hint() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

fn compared(comparison: &Comparison, terminal: &Terminal) -> Result<Exit, CliError> {
    let (tone, says) = match comparison.relation {
        Relation::Equal => (Tone::Good, "equal: both decide every request alike"),
        Relation::Stricter => (Tone::Good, "stricter: it lets nothing more through"),
        Relation::Looser => (Tone::Bad, "looser: it lets more through, and nothing less"),
        Relation::Neither => (
            Tone::Bad,
            "neither: it lets some more through, and some less",
        ),
    };
    terminal.answer(comparison, || {
        let mut parts = vec![format!(
            "{}\n{} kinds of requests compared, over all that can be asked",
            terminal.paint(tone, says),
            comparison.kinds
        )];
        parts.extend(comparison.differences.iter().map(difference));
        parts.join("\n\n")
    })?;
    let lets_more = comparison.differences.iter().any(|found| found.is_looser);
    Ok(if lets_more { Exit::No } else { Exit::Yes })
}

fn difference(found: &Difference) -> String {
    let (before, now) = match found.example.outcomes.as_slice() {
        [before, now] => (*before, *now),
        _ => ("?", "?"),
    };
    let says = if found.is_looser { "more" } else { "less" };
    format!(
        "lets {says} through, {}: {before} before, {now} now\n{}",
        found.kind,
        call(&found.example)
    )
}

fn reached(found: &[Reached], kinds: usize, terminal: &Terminal) -> Result<Exit, CliError> {
    terminal.answer(&json!({"kinds": kinds, "reached": found}), || {
        if found.is_empty() {
            let good = terminal.paint(Tone::Good, "no request reaches it");
            return format!("{good}: {kinds} kinds of requests asked about");
        }
        let each = found.iter().map(|reached| {
            let outcome = reached.example.outcomes.join(", ");
            let head = terminal.paint(Tone::Bad, "a request reaches it");
            format!(
                "{head}, {}: {outcome}\n{}",
                reached.kind,
                call(&reached.example)
            )
        });
        each.collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(if found.is_empty() {
        Exit::Yes
    } else {
        Exit::No
    })
}

/// A request as a call that a person can read. Its values are the solver's, which takes the
/// simplest that it finds.
fn call(example: &Example) -> String {
    let actor = match example.actor.as_str() {
        "" => "some actor".to_owned(),
        actor => format!("`{}`", plain(actor)),
    };
    let target_type = plain(&example.target_type);
    let target = match example.target.as_str() {
        "" => format!("some {target_type}"),
        target => format!("{target_type} `{}`", plain(target)),
    };
    let action = plain(&example.action);
    let mut lines = vec![format!("  {actor} calls {action} on {target}")];
    for (name, value) in example.attributes.as_object().into_iter().flatten() {
        lines.push(format!(
            "  resource.{} = {}",
            plain(name),
            plain(&value.to_string())
        ));
    }
    for (path, value) in &example.context {
        lines.push(format!("  {} = {}", plain(path), plain(&value.to_string())));
    }
    lines.join("\n")
}
