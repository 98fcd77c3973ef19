//! Prompts: turns of the person, and what the assistant's host says in between.

use countersign_wire::{TurnPartRequest, TurnRequest};

use super::{Handler, Registered, Turn, Words};
use crate::error::HookError;

impl Handler {
    /// Registers a prompt.
    ///
    /// From its first step on no call rests on an older turn: what comes of a prompt whose
    /// registration fails names no turn.
    pub fn turn(&self, turn: &Turn<'_>) -> Result<Registered, HookError> {
        if let Some(cwd) = turn.cwd {
            self.note_place(turn.session, cwd)?;
        }
        let note = self
            .state
            .change_session(turn.session, |note| note.begin_prompt(turn.prompt_id))?;
        let is_persons = self.is_persons(turn.words);
        if !is_persons && note.person.is_none() {
            return Ok(Registered::WithoutMandate);
        }
        let request = self.request(turn, is_persons, note.person);
        let answer = match self.ingress().register_turn(&request) {
            // The person's instruction has ended: nothing stands that this could rest on.
            Err(error) if !is_persons && error.code() == Some("malformed-request") => {
                return Ok(Registered::WithoutMandate);
            }
            answer => answer?,
        };
        self.state.change_session(turn.session, |note| {
            note.end_prompt(turn.prompt_id, &answer.intent_ref, is_persons);
        })?;
        Ok(Registered::As(answer.intent_ref))
    }

    fn request(&self, turn: &Turn<'_>, is_persons: bool, person: Option<String>) -> TurnRequest {
        let (author, by) = match turn.words {
            _ if is_persons => ("human", "principal"),
            Words::Schedule => ("schedule", "system"),
            Words::Correspondent => ("system", "correspondent"),
            Words::Person | Words::Program | Words::System => ("system", "system"),
        };
        let mut actors = vec![self.config.actor.clone()];
        actors.extend(self.config.more_actors.iter().cloned());
        actors.extend(turn.actor.map(str::to_owned));
        TurnRequest {
            principal: self.config.principal.clone(),
            author: Some(author.to_owned()),
            channel: self.config.channel.clone(),
            session: turn.session.to_owned(),
            actors,
            parts: vec![TurnPartRequest {
                by: by.to_owned(),
                media_type: None,
                text: turn.text.to_owned(),
                raw_sha256: None,
            }],
            expires_in_s: Some(self.config.turn_ttl_s),
            mandate: person.filter(|_| !is_persons),
        }
    }
}
