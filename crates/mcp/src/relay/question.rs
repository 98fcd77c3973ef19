//! The question that a person is asked through the client, and the answer.

use countersign_wire::DecisionAnswer;
use serde_json::{Value, json};

/// What a person answered: yes, no, or nothing.
pub(super) fn said_yes(answer: &Value) -> Option<bool> {
    let word = answer
        .get("content")
        .and_then(|content| content.get("answer"));
    match (
        answer.get("action")?.as_str()?,
        word.and_then(Value::as_str),
    ) {
        ("accept", Some("approve")) => Some(true),
        ("accept", Some("reject")) | ("decline", _) => Some(false),
        _ => None,
    }
}

/// The form of the question.
pub(super) fn form(message: &str, names_mode: bool) -> Value {
    let mut params = json!({
        "message": message,
        "requestedSchema": {
            "type": "object",
            "properties": { "answer": {
                "type": "string",
                "title": "May this call be made?",
                "enum": ["approve", "reject"],
            }},
            "required": ["answer"],
        },
    });
    if let (true, Some(params)) = (names_mode, params.as_object_mut()) {
        params.insert("mode".to_owned(), json!("form"));
    }
    params
}

/// What a person is shown. Arguments are the agent's words: on one line, nothing hidden.
pub(super) fn text(tool: &str, args: &Value, actor: &str, answer: &DecisionAnswer) -> String {
    let reasons: Vec<String> = answer
        .reasons
        .iter()
        .map(|reason| format!("- {} (rule {})", reason.text, reason.id))
        .collect();
    format!(
        "{actor} wants to make a call that needs your approval.\nTool: {}\nArguments: {}\nWhy you are asked:\n{}\nApprove only what you \
         asked for. Ledger entry: {}",
        visible(tool),
        visible(&args.to_string()),
        reasons.join("\n"),
        answer.entry_id
    )
}

/// A text with everything written out that does not show, or that changes how the rest shows.
fn visible(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => out.push(character),
            other => out.extend(other.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_word_is_an_answer() {
        let said = |text: &str| said_yes(&serde_json::from_str(text).unwrap());
        assert_eq!(
            said(r#"{"action":"accept","content":{"answer":"approve"}}"#),
            Some(true)
        );
        assert_eq!(
            said(r#"{"action":"accept","content":{"answer":"reject"}}"#),
            Some(false)
        );
        assert_eq!(said(r#"{"action":"decline"}"#), Some(false));
        for unclear in [
            r#"{"action":"accept"}"#,
            r#"{"action":"accept","content":{}}"#,
            r#"{"action":"accept","content":{"answer":true}}"#,
            r#"{"action":"accept","content":{"answer":"Approve"}}"#,
            r#"{"action":"cancel","content":{"answer":"approve"}}"#,
            r#"{"content":{"answer":"approve"}}"#,
            "{}",
            "null",
        ] {
            assert_eq!(said(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn what_is_shown_hides_nothing() {
        let shown = visible("{\"to\":\"a\u{202e}b\u{200b}c\"}\nTool: harmless");
        assert!(!shown.contains(['\u{202e}', '\u{200b}', '\n']), "{shown}");
        assert!(shown.contains("{\"to\":\"a"), "{shown}");
    }
}
