//! How a target of a call was judged, as text: which policy, which condition, which source a value
//! had and which it would have needed.

use countersign_core::names::ReasonId;
use countersign_judge::{CompiledBundle, Held, PolicyTrace, SourceTest};

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
            let asked = unmet.asks.iter().flat_map(SourceTest::sentences);
            lines.extend(asked.map(|line| wrapped(&shortened(&line), "  ")));
            lines
        }
    }
}

/// A text on one line, of a length that can be read.
pub(crate) fn shortened(text: &str) -> String {
    let text = plain(text).replace('\n', " ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
