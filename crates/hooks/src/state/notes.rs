//! What the files of the state hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::PROMPTS;

/// The newest session that works in a directory: what a relay that was started there acts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestSession {
    /// The session's id at the ingress.
    pub session: String,
    /// The directory.
    pub directory: String,
    /// Who acts in it.
    pub actor: String,
    /// When it was noted, in milliseconds since 1970.
    pub at_ms: u64,
}

/// When an event was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenEvent {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The session that it was of.
    pub session: String,
}

/// What is known of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionNote {
    pub(crate) session: String,
    /// The directory of the project, without symbolic links.
    #[serde(default)]
    pub(crate) root: Option<String>,
    /// The directory that the session began in, without symbolic links.
    #[serde(default)]
    pub(crate) start: Option<String>,
    /// The newest prompts, oldest first.
    #[serde(default)]
    pub(crate) prompts: Vec<PromptNote>,
    /// The newest turn of a person.
    #[serde(default)]
    pub(crate) person: Option<String>,
    /// The turn that a subagent acts on, by the subagent's id.
    #[serde(default)]
    pub(crate) subagents: BTreeMap<String, String>,
}

/// A prompt, and the turn that it was registered as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PromptNote {
    pub(crate) prompt_id: Option<String>,
    /// `None` while it is being registered, and if that failed.
    pub(crate) intent_ref: Option<String>,
}

/// The decision of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CallNote {
    pub(crate) decision: String,
    pub(crate) tool: String,
    /// The digest of the arguments that were decided on.
    #[serde(default)]
    pub(crate) args: Option<String>,
    /// What the person was shown, if the assistant was told to ask.
    #[serde(default)]
    pub(crate) asked: Option<String>,
    /// Whether the call's end was reported.
    #[serde(default)]
    pub(crate) reported: bool,
}

impl SessionNote {
    /// The directories that it may be the newest session of.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &String> {
        self.root.iter().chain(&self.start)
    }

    /// Notes that a prompt has come in and no call rests on it yet.
    pub(crate) fn begin_prompt(&mut self, prompt_id: Option<&str>) {
        self.prompts.push(PromptNote {
            prompt_id: prompt_id.map(str::to_owned),
            intent_ref: None,
        });
        let over = self.prompts.len().saturating_sub(PROMPTS);
        self.prompts.drain(..over);
    }

    /// Notes the turn that the newest such prompt was registered as.
    pub(crate) fn end_prompt(&mut self, prompt_id: Option<&str>, intent_ref: &str, person: bool) {
        let newest = self.prompts.iter_mut().rev();
        let mut same = newest.filter(|prompt| prompt.prompt_id.as_deref() == prompt_id);
        if let Some(prompt) = same.next() {
            prompt.intent_ref = Some(intent_ref.to_owned());
        }
        if person {
            self.person = Some(intent_ref.to_owned());
        }
    }

    /// The turn that a call rests on: the one of the call's own prompt or, where the client names
    /// none, the newest. A prompt that nobody registered has none, and no older one stands in for it.
    pub(crate) fn turn(&self, prompt_id: Option<&str>) -> Option<&str> {
        let newest = self.prompts.last()?;
        let found = match prompt_id {
            // The prompt of a client that does not name prompts yet.
            Some(_) if newest.prompt_id.is_none() => Some(newest),
            Some(id) => {
                let mut newest_first = self.prompts.iter().rev();
                newest_first.find(|prompt| prompt.prompt_id.as_deref() == Some(id))
            }
            None => Some(newest),
        };
        found?.intent_ref.as_deref()
    }

    /// Notes the turn that a subagent acts on.
    pub(crate) fn put_subagent(&mut self, agent_id: &str, intent_ref: &str) {
        while self.subagents.len() >= PROMPTS && self.subagents.pop_first().is_some() {}
        self.subagents
            .insert(agent_id.to_owned(), intent_ref.to_owned());
    }
}

impl CallNote {
    pub(crate) fn new(decision: &str, tool: &str, args: Option<String>) -> Self {
        Self {
            decision: decision.to_owned(),
            tool: tool.to_owned(),
            args,
            asked: None,
            reported: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_older_turn_stands_in_for_a_prompt_that_was_not_registered() {
        let mut note = SessionNote::default();
        note.begin_prompt(Some("p1"));
        assert_eq!(note.turn(Some("p1")), None);
        note.end_prompt(Some("p1"), "sha256:1", true);
        note.begin_prompt(Some("p2"));
        assert_eq!(note.turn(Some("p1")), Some("sha256:1"));
        assert_eq!((note.turn(Some("p2")), note.turn(None)), (None, None));
        assert_eq!(note.turn(Some("p3")), None);
        note.end_prompt(Some("p2"), "sha256:2", false);
        assert_eq!(note.turn(None), Some("sha256:2"));
        assert_eq!(note.person.as_deref(), Some("sha256:1"));
    }

    #[test]
    fn a_client_that_names_no_prompts_has_its_newest_one() {
        let mut note = SessionNote::default();
        note.begin_prompt(None);
        note.end_prompt(None, "sha256:1", true);
        assert_eq!(note.turn(Some("later")), Some("sha256:1"));
        note.begin_prompt(None);
        assert_eq!(note.turn(Some("later")), None);
    }

    #[test]
    fn prompts_are_bounded() {
        let mut note = SessionNote::default();
        for number in 0..PROMPTS * 2 {
            note.begin_prompt(Some(&number.to_string()));
            note.put_subagent(&number.to_string(), "sha256:1");
        }
        assert_eq!(
            (note.prompts.len(), note.subagents.len()),
            (PROMPTS, PROMPTS)
        );
    }
}
