//! Sessions and subagents.

use std::path::{Path, PathBuf};

use countersign_wire::{CloseSession, DelegationRequest, OpenSession};

use super::Handler;
use crate::error::HookError;
use crate::names::actor_of_subagent;
use crate::places;
use crate::state::{NewestSession, now_ms};
use crate::workspace::{project_of, really};

impl Handler {
    /// Opens a session. `cwd`: the directory that it begins in.
    pub fn open_session(&self, session: &str, cwd: Option<&Path>) -> Result<(), HookError> {
        if let Some(cwd) = cwd {
            self.note_place(session, cwd)?;
        }
        self.state.tidy(session)?;
        let request = OpenSession {
            session: session.to_owned(),
        };
        self.ingress().open_session(&request)?;
        Ok(())
    }

    /// Closes a session and forgets it. One that was never opened, or is closed, is none to close.
    pub fn close_session(&self, session: &str) -> Result<(), HookError> {
        let request = CloseSession {
            session: session.to_owned(),
        };
        let closed = self.ingress().close_session(&request);
        self.state.forget_session(session)?;
        match closed {
            Err(error) if matches!(error.code(), Some("not-found" | "conflict")) => Ok(()),
            closed => closed.map(|_| ()).map_err(HookError::from),
        }
    }

    /// Gives a subagent what its parent may do on the present turn. Without a turn there is nothing
    /// to give, and the subagent's calls name none.
    pub fn delegate(
        &self,
        session: &str,
        agent_id: &str,
        agent_type: &str,
        prompt_id: Option<&str>,
    ) -> Result<(), HookError> {
        let note = self.state.session(session)?;
        let turn = note.as_ref().and_then(|note| note.turn(prompt_id));
        let Some(turn) = turn.map(str::to_owned) else {
            return Ok(());
        };
        let request = DelegationRequest {
            intent_ref: Some(turn.clone()),
            session: None,
            from: self.config.actor.clone(),
            to: actor_of_subagent(&self.config.actor, agent_type),
            actions: Vec::new(),
            expires_in_s: None,
        };
        self.agent().delegate(&request)?;
        self.state
            .change_session(session, |note| note.put_subagent(agent_id, &turn))?;
        Ok(())
    }

    /// The project of a session, noted when its first event came in.
    pub(super) fn root_of(&self, session: &str, cwd: &Path) -> Result<PathBuf, HookError> {
        let known = self.state.session(session)?.and_then(|note| note.root);
        match known {
            Some(root) => Ok(PathBuf::from(root)),
            None => self.note_place(session, cwd),
        }
    }

    /// Notes where a session works, and that it is the newest there. The project is that of the
    /// directory that it began in, and stays so wherever the assistant goes.
    pub(super) fn note_place(&self, session: &str, cwd: &Path) -> Result<PathBuf, HookError> {
        let named = places::absolute("CLAUDE_PROJECT_DIR");
        let start = really(named.as_deref().unwrap_or(cwd))?;
        let root = project_of(&start)?;
        let text = |path: &Path| path.to_str().map(str::to_owned);
        let note = self.state.change_session(session, |note| {
            note.root = note.root.take().or_else(|| text(&root));
            note.start = note.start.take().or_else(|| text(&start));
        })?;
        for directory in note.directories() {
            self.state.put_newest(&NewestSession {
                session: session.to_owned(),
                directory: directory.clone(),
                actor: self.config.actor.clone(),
                at_ms: now_ms(),
            })?;
        }
        Ok(note.root.map_or(root, PathBuf::from))
    }
}
