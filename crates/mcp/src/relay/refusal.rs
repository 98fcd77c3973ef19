//! Words of refusals: for a model that has to stop, and a person who has to know why.

use countersign_client::ClientError;
use countersign_wire::{DecisionAnswer, ReasonView};
use serde_json::{Map, Value, json};

use super::Revision;
use super::methods::JudgedMethod;
use crate::jsonrpc::{self, Id, code};

/// Most reasons that are told.
const REASONS: usize = 8;

/// How a refusal has to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) method: JudgedMethod,
    /// Whether the client waits for a task and not for a result.
    pub(super) is_task: bool,
    pub(super) revision: Revision,
    /// Whether no other relay or surface acts in the session of the call.
    pub(super) is_own_session: bool,
}

/// A refusal: what it says, and the entry that says it, too.
pub(super) struct Refusal {
    text: String,
    entry: Option<String>,
    reasons: Vec<String>,
    outcome: &'static str,
}

impl Refusal {
    /// A rule said no.
    pub(super) fn rejected(answer: &DecisionAnswer) -> Self {
        let text = format!(
            "Countersign rejected this call, and it was not made.\n{}\nThis is a decision by rule, not a fault: the same call, \
             made again or in other words, is judged by the same rules, and each attempt is recorded. Do not retry it and do not look \
             for another way to the same end. Say to the person what you wanted to do and that it was refused.\nLedger entry: {}",
            why(&answer.reasons),
            answer.entry_id
        );
        Self {
            text,
            entry: Some(answer.entry_id.clone()),
            reasons: ids(&answer.reasons),
            outcome: "rejected",
        }
    }

    /// A person has to be asked, and did not answer.
    pub(super) fn unanswered(answer: &DecisionAnswer) -> Self {
        let text = format!(
            "Countersign holds this call back until a person approves it, and it was not made.\n{}\nNobody has answered yet. A person \
             can look at it with `countersign reviews show {id}` and answer with `countersign reviews approve {id}` or `countersign \
             reviews reject {id}`. Say so to the person and go on with something else, or stop. The same call, with exactly the same \
             arguments, may be made again once the person says that it is being approved; other arguments are another call.\nLedger \
             entry: {id}",
            why(&answer.reasons),
            id = answer.entry_id
        );
        Self {
            text,
            entry: Some(answer.entry_id.clone()),
            reasons: ids(&answer.reasons),
            outcome: "escalated",
        }
    }

    /// A person was asked in time, and nothing came of it.
    pub(super) fn expired(entry: &str) -> Self {
        Self {
            text: format!(
                "Countersign asked a person to approve this call, nobody answered in time, and it was not made. Do not make it again \
                 unless the person asks for it.\nLedger entry: {entry}"
            ),
            entry: Some(entry.to_owned()),
            reasons: Vec::new(),
            outcome: "expired",
        }
    }

    /// Countersign could not be asked, or could not answer.
    pub(super) fn undecided(error: &ClientError) -> Self {
        let (entry, recorded) = recorded(error);
        Self {
            text: format!(
                "Countersign could not decide on this call, and without its decision no call is made: {error}. Trying again at once will \
                 not help; say to the person that the call could not be checked.{recorded}"
            ),
            entry,
            reasons: Vec::new(),
            outcome: "undecided",
        }
    }

    /// It was approved, and its permit is refused.
    pub(super) fn not_any_more(error: &ClientError) -> Self {
        let (entry, recorded) = recorded(error);
        Self {
            text: format!(
                "Countersign did not let this call through although it was approved: {error}. Do not make it again unless the person \
                 asks for it.{recorded}"
            ),
            entry,
            reasons: Vec::new(),
            outcome: "refused",
        }
    }

    /// What the call is cannot be told, or cannot be relayed.
    pub(super) fn unfit(reason: &str) -> Self {
        Self {
            text: format!("Countersign did not let this call through: {reason}."),
            entry: None,
            reasons: Vec::new(),
            outcome: "refused",
        }
    }

    /// The server has not answered as it should have, after a call was let through.
    pub(super) fn broken(reason: &str) -> Self {
        Self {
            text: format!(
                "The call was let through, and what became of it is not known: {reason}. It may have been carried out. Do not simply \
                 make it again; find out first, or ask the person."
            ),
            entry: None,
            reasons: Vec::new(),
            outcome: "unknown",
        }
    }

    /// The answer to a request.
    pub(super) fn answer(&self, id: &Id, form: Form) -> Vec<u8> {
        let mut own = Map::new();
        own.insert("outcome".to_owned(), json!(self.outcome));
        if let Some(entry) = &self.entry {
            own.insert("entry_id".to_owned(), json!(entry));
        }
        if !self.reasons.is_empty() {
            own.insert("reasons".to_owned(), json!(self.reasons));
        }
        let own = Value::Object(own);
        if form.method != JudgedMethod::Call || form.is_task {
            let data = json!({ "dev.countersign/refusal": own });
            return jsonrpc::error(Some(id), code::REFUSED, &self.text, Some(&data));
        }
        let mut result = Map::new();
        if form.revision == Revision::Stateless {
            result.insert("resultType".to_owned(), json!("complete"));
        }
        result.insert(
            "content".to_owned(),
            json!([{ "type": "text", "text": self.text }]),
        );
        result.insert("isError".to_owned(), json!(true));
        result.insert(
            "_meta".to_owned(),
            json!({ "dev.countersign/refusal": own }),
        );
        jsonrpc::result(id, &Value::Object(result))
    }
}

fn why(reasons: &[ReasonView]) -> String {
    if reasons.is_empty() {
        return "No reason was given.".to_owned();
    }
    let told = reasons.iter().take(REASONS);
    let mut lines: Vec<String> = told
        .map(|reason| format!("Rule `{}`: {}", reason.id, reason.text))
        .collect();
    if reasons.len() > REASONS {
        lines.push(format!("and {} more", reasons.len() - REASONS));
    }
    lines.join("\n")
}

/// The entry that a problem names, and the line that says so.
fn recorded(error: &ClientError) -> (Option<String>, String) {
    let entry = error.problem().and_then(|problem| problem.entry_id.clone());
    let line = match &entry {
        Some(entry) => format!("\nLedger entry: {entry}"),
        None => String::new(),
    };
    (entry, line)
}

fn ids(reasons: &[ReasonView]) -> Vec<String> {
    reasons
        .iter()
        .take(REASONS)
        .map(|reason| reason.id.clone())
        .collect()
}
