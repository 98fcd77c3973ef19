//! How a target of a call was judged, as text: which policy, which condition, which source a value
//! had and which it would have needed.

use countersign_core::names::ReasonId;
use countersign_judge::{
    CompiledBundle, Had, Held, PolicyTrace, SourceComparison, SourceTest, SourcesOf,
};

use super::text::{plain, wrapped};

/// Longest text of a value or a condition that is shown, in characters.
const SHOWN: usize = 300;

/// One policy of a target: whether it held, and if not, why. Several lines without a margin.
pub(crate) fn policy(bundle: &CompiledBundle, id: &ReasonId, trace: &PolicyTrace) -> Vec<String> {
    let kind = if trace.permits { "permit" } else { "forbid" };
    let place = match bundle.policy_text(id) {
        Some(text) => format!(" ({}:{})", plain(&text.file), text.line),
        None => String::new(),
    };
    let head = |what: &str| format!("{kind} {id}{place} {what}");
    match &trace.held {
        Held::Yes => vec![head("held")],
        Held::Failed(error) => vec![
            head("could not be evaluated:"),
            wrapped(&shortened(error), "  "),
        ],
        Held::No(unmet) if unmet.condition.is_empty() => {
            vec![head("did not hold: its scope is another")]
        }
        Held::No(unmet) => {
            let mut lines = vec![
                head("did not hold:"),
                wrapped(&shortened(&unmet.condition), "  "),
            ];
            for test in &unmet.asks {
                lines.extend(asked(test).iter().map(|line| wrapped(line, "  ")));
            }
            lines
        }
    }
}

/// What a condition asks of sources beside what there was, a line for each value.
fn asked(test: &SourceTest) -> Vec<String> {
    let names = |sources: &[countersign_core::document::Source]| {
        let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
        names.join(", ")
    };
    let wanted = names(&test.sources);
    let needs = match (test.test, test.sources.len()) {
        (SourceComparison::AnyOf, 1) => format!("it would need {wanted}"),
        (SourceComparison::AnyOf, _) => format!("it would need one of {wanted}"),
        (SourceComparison::AllOf, _) => format!("it would need all of {wanted}"),
        (SourceComparison::OnlyFrom, _) => format!("allowed are only {wanted}"),
    };
    let of = |had: &Had| {
        format!(
            "{} `{}` has the source{} {}; {needs}",
            plain(&had.at),
            shortened(&had.value),
            if had.sources.len() == 1 { "" } else { "s" },
            names(&had.sources),
        )
    };
    if test.had.is_empty() {
        let what = match &test.of {
            SourcesOf::Target => "the call has no such target".to_owned(),
            SourcesOf::Argument(name) => format!("no value of `{}` has a source", plain(name)),
            SourcesOf::Text => "nothing stands in the texts".to_owned(),
        };
        return vec![format!("{what}; {needs}")];
    }
    test.had.iter().map(of).collect()
}

/// A text on one line, of a length that can be read.
pub(crate) fn shortened(text: &str) -> String {
    let text = plain(text).replace('\n', " ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
