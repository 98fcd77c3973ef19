//! What a reviewer sees is what the reviewer signs: each document hashes to the ref that the signature
//! covers.

use countersign_core::refs::Sha256;
use countersign_wire::{RawJson, ReviewShown, Shown};
use serde::Deserialize;

use crate::error::CliError;
use crate::exit::Exit;

/// What of a statement is looked at.
#[derive(Deserialize)]
struct Statement {
    kind: String,
    text: String,
}

/// Refuses an answer of the server that shows something else than it would have signed.
pub(super) fn check(answer: &ReviewShown, decision: &str) -> Result<(), CliError> {
    let shown = &answer.shown;
    hashes(&answer.statement, &answer.shown_ref, "statement")?;
    hashes(&answer.call, &shown.call_ref, "call")?;
    if answer.turns.len() != shown.turns.len() {
        return Err(lie("turns"));
    }
    for (turn, reference) in answer.turns.iter().zip(&shown.turns) {
        hashes(turn, reference, "turn")?;
    }
    let statement: Option<Statement> = serde_json::from_str(answer.statement.get()).ok();
    let stated: Option<Shown> = statement
        .filter(|statement| statement.kind == "statement")
        .and_then(|statement| serde_json::from_str(&statement.text).ok());
    if stated.as_ref() != Some(shown) {
        return Err(lie("statement"));
    }
    if shown.decision != decision {
        return Err(lie("decision"));
    }
    // The turn that the call rests on is the first that is shown.
    if shown.intent_ref.is_some() && shown.intent_ref.as_ref() != shown.turns.first() {
        return Err(lie("turn"));
    }
    Ok(())
}

fn hashes(document: &RawJson, reference: &str, what: &str) -> Result<(), CliError> {
    match Sha256::of(document.get().as_bytes()).to_string() == reference {
        true => Ok(()),
        false => Err(lie(what)),
    }
}

fn lie(what: &str) -> CliError {
    CliError::usage(format!(
        "the {what} that the server shows is not the one that would be signed"
    ))
    .exiting(Exit::Inconsistent)
    .hint("do not answer; whoever runs the server, or stands between, shows you something else")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json, value::RawValue};

    fn raw(value: &Value) -> RawJson {
        RawValue::from_string(value.to_string()).unwrap()
    }

    fn reference(value: &Value) -> String {
        Sha256::of(value.to_string().as_bytes()).to_string()
    }

    fn honest() -> ReviewShown {
        let (call, turn) = (json!({"tool": "t"}), json!({"parts": []}));
        let shown: Shown = serde_json::from_value(json!({
            "decision": "01A", "reviewer": "01B", "timestamp": "", "deadline": "",
            "call_ref": reference(&call), "policy_ref": "", "bundle_name": "",
            "intent_ref": reference(&turn), "facts_ref": "", "action": "", "actor": "",
            "surface": "", "tool": "t", "rules": [], "requester_may_answer": false,
            "turns": [reference(&turn)], "targets": [], "values": [],
        }))
        .unwrap();
        let text = serde_json::to_string(&shown).unwrap();
        let statement = json!({"kind": "statement", "text": text});
        ReviewShown {
            shown_ref: reference(&statement),
            statement: raw(&statement),
            shown,
            call: raw(&call),
            turns: vec![raw(&turn)],
            entry: raw(&json!({})),
        }
    }

    #[test]
    fn whatever_a_server_changes_of_what_it_shows_is_noticed() {
        assert!(check(&honest(), "01A").is_ok());
        assert!(check(&honest(), "01Z").is_err(), "another decision");
        let lies: [fn(&mut ReviewShown); 8] = [
            |it| it.call = raw(&json!({"tool": "u"})),
            |it| it.turns[0] = raw(&json!({"parts": [1]})),
            |it| it.turns.clear(),
            |it| it.shown.tool = "u".to_owned(),
            |it| it.shown.requester_may_answer = true,
            |it| it.shown_ref = reference(&json!({})),
            |it| it.statement = raw(&json!({"kind": "purpose", "text": ""})),
            |it| it.shown.intent_ref = Some(reference(&json!(1))),
        ];
        for (n, lie) in lies.into_iter().enumerate() {
            let mut answer = honest();
            lie(&mut answer);
            let error = check(&answer, "01A").unwrap_err();
            assert_eq!(error.exit(), Exit::Inconsistent, "{n}");
        }
    }
}
