//! What is said about a decision: to an assistant, so that it stops rather than tries again, and to
//! its person.

use countersign_wire::DecisionAnswer;

use crate::limits::{REASON_BYTES, SHOWN_ARGS_BYTES};
use crate::names::cut;

/// What an assistant is to do with a refusal.
const STOP: &str = "Do not try this call again in another form or with another tool. Tell the user what you wanted to do and why it was refused; if they want it, they can ask for it in their own words.";

/// A line that could not be judged as it stands, and can be once it is written plainly.
const UNPARSED: &str = "countersign.unparsed-command";
const PLAINLY: &str = "Write the command plainly, so that it can be seen beforehand which programs run: no `eval`, no program's name in a variable, no alias, one step a call. The plain command is judged like any other.";

pub(crate) fn allowed(answer: &DecisionAnswer) -> String {
    format!(
        "countersign approved this call (entry {}).",
        answer.entry_id
    )
}

pub(crate) fn refused(answer: &DecisionAnswer) -> String {
    let is_unparsed =
        !answer.reasons.is_empty() && answer.reasons.iter().all(|reason| reason.id == UNPARSED);
    let advice = if is_unparsed { PLAINLY } else { STOP };
    format!(
        "countersign rejected this call: {}. Entry {}. {advice}",
        reasons(answer),
        answer.entry_id
    )
}

pub(crate) fn unanswered(answer: &DecisionAnswer, waited_s: u64) -> String {
    let id = &answer.entry_id;
    let ended = answer.resolution.is_some();
    let what = match ended {
        true => "nobody approved it in time".to_owned(),
        false => format!("nobody answered within {waited_s} s"),
    };
    format!(
        "countersign refuses this call: a person has to approve it, and {what}. {}. Entry {id}. A reviewer sees it with `countersign reviews show {id}` and approves calls while they wait, with `countersign reviews approve {id}`. Do not try this call again in another form or with another tool; tell the user that it needs approval, and make it once more only when they say that a reviewer is there.",
        reasons(answer)
    )
}

/// What the person is asked; also what is recorded as shown.
pub(crate) fn question(answer: &DecisionAnswer, tool: &str, args: &str) -> String {
    format!(
        "countersign asks you: {}. Entry {}. The call: {} {}",
        reasons(answer),
        answer.entry_id,
        visible(cut(tool, 256)),
        visible(&shortened(args))
    )
}

/// Why an event was not handled, as a refusal.
pub(crate) fn failed(error: &str, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    let text = format!("countersign could not decide this call, so it is refused: {error}{hint}.");
    visible(cut(&format!("{text} Tell the user."), REASON_BYTES))
}

fn reasons(answer: &DecisionAnswer) -> String {
    let each = answer
        .reasons
        .iter()
        .map(|reason| format!("{} ({})", reason.text.trim_end_matches('.'), reason.id));
    let all: Vec<String> = each.collect();
    let text = match all.is_empty() {
        true => "no reason was given".to_owned(),
        false => all.join("; "),
    };
    visible(cut(&text, REASON_BYTES))
}

fn shortened(args: &str) -> String {
    match cut(args, SHOWN_ARGS_BYTES) {
        all if all.len() == args.len() => all.to_owned(),
        head => format!("{head} … ({} bytes)", args.len()),
    }
}

/// Text without what a terminal would act on, or would hide or turn around.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\n' => vec!['\n'],
            c if is_hidden(c) => c.escape_unicode().collect(),
            c => vec![c],
        })
        .collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_stands_in_what_a_person_is_asked() {
        assert_eq!(
            visible("a\u{202e}b\u{1b}[2J\u{200b}\n"),
            "a\\u{202e}b\\u{1b}[2J\\u{200b}\n"
        );
        assert_eq!(visible("näher €"), "näher €");
    }

    #[test]
    fn a_line_that_cannot_be_parsed_may_be_written_plainly_and_nothing_else_may() {
        let said = |ids: &[&str]| {
            let reasons: Vec<_> = ids
                .iter()
                .map(|id| serde_json::json!({"id": id, "text": "why"}))
                .collect();
            let answer = serde_json::json!({
                "outcome": "rejected", "entry_id": "01", "reasons": reasons, "entry": {},
            });
            let text = answer.to_string();
            refused(&serde_json::from_str::<DecisionAnswer>(&text).unwrap())
        };
        assert!(said(&[UNPARSED]).ends_with(PLAINLY));
        for ids in [&[][..], &["a"], &[UNPARSED, "a"]] {
            assert!(said(ids).ends_with(STOP), "{ids:?}");
        }
    }

    #[test]
    fn a_failure_is_said_shortly() {
        let text = failed(&"x".repeat(100_000), Some("hint"));
        assert!(text.len() <= REASON_BYTES && text.contains("refused"));
    }
}
