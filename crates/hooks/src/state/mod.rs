//! What one handler process leaves for the next, as small files below one directory.
//!
//! Every file is written in one step, so processes of the same moment see whole ones; what is read
//! and written back is read under a lock. Nothing here gives authority: a turn that is named from
//! here still has to be alive, of this session and for this actor in the server's own log.
//!
//! ```text
//! DIR/sessions/DIGEST.json                          the newest session of a directory
//! DIR/hooks/SURFACE/events/EVENT.json               when an event was last seen
//! DIR/hooks/SURFACE/sessions/DIGEST/session.json    its project and its turns
//! DIR/hooks/SURFACE/sessions/DIGEST/call-DIGEST.json  the decision of a call
//! ```

mod notes;
mod prune;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use notes::{CallNote, SessionNote};
pub use notes::{NewestSession, SeenEvent};

use crate::error::HookError;
use crate::files;
use crate::limits::{CALLS, DIRECTORIES, SESSIONS, STATE_FILE_BYTES};
use crate::names::digest;

/// Sessions whose id begins so are somebody's who tries the hook: their events are not noted as real.
pub const PROBE: &str = "countersign-doctor-";

/// The state of one surface: of Claude Code's hooks, or of the agent-hooks handler.
#[derive(Debug, Clone)]
pub struct State {
    dir: PathBuf,
    surface: String,
}

impl State {
    /// The state below a directory, which need not be there yet.
    pub fn at(dir: &Path, surface: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            surface: surface.to_owned(),
        }
    }

    /// Notes that an event has come in, unless somebody only tries the hook.
    pub(crate) fn saw(&self, event: &str, session: &str) -> Result<(), HookError> {
        if session.contains(PROBE) {
            return Ok(());
        }
        let seen = SeenEvent {
            at_ms: now_ms(),
            session: session.to_owned(),
        };
        self.write(
            &self
                .of_surface()
                .join("events")
                .join(format!("{event}.json")),
            &seen,
        )
    }

    /// When each event was last seen.
    pub fn last_events(&self) -> Result<BTreeMap<String, SeenEvent>, HookError> {
        let dir = self.of_surface().join("events");
        let mut events = BTreeMap::new();
        for path in prune::listed(&dir)? {
            let name = path.file_stem().and_then(|name| name.to_str());
            if let (Some(name), true) = (name, path.extension().is_some_and(|end| end == "json"))
                && let Some(seen) = read(&path)?
            {
                events.insert(name.to_owned(), seen);
            }
        }
        Ok(events)
    }

    /// The newest session that works in a directory, whichever surface it is of.
    pub fn newest_session(&self, directory: &Path) -> Result<Option<NewestSession>, HookError> {
        read(&self.of_directory(directory))
    }

    /// Notes the newest session of a directory.
    pub(crate) fn put_newest(&self, newest: &NewestSession) -> Result<(), HookError> {
        let path = self.of_directory(Path::new(&newest.directory));
        self.write(&path, newest)?;
        prune::keep_newest(&self.dir.join("sessions"), DIRECTORIES, "")
    }

    /// What is known of a session.
    pub(crate) fn session(&self, session: &str) -> Result<Option<SessionNote>, HookError> {
        read(&self.of_session(session).join("session.json"))
    }

    /// Changes what is known of a session, while no other process does.
    pub(crate) fn change_session(
        &self,
        session: &str,
        change: impl FnOnce(&mut SessionNote),
    ) -> Result<SessionNote, HookError> {
        let dir = self.of_session(session);
        let lock = dir.join("lock");
        files::make_dirs(&lock)?;
        let held = std::fs::File::create(&lock).map_err(|error| HookError::file(&lock, error))?;
        held.lock().map_err(|error| HookError::file(&lock, error))?;
        let path = dir.join("session.json");
        let known: Option<SessionNote> = read(&path)?;
        let mut note = known.unwrap_or_else(|| SessionNote {
            session: session.to_owned(),
            ..SessionNote::default()
        });
        change(&mut note);
        self.write(&path, &note)?;
        Ok(note)
    }

    /// Forgets a session and its calls.
    pub(crate) fn forget_session(&self, session: &str) -> Result<(), HookError> {
        let note = self.session(session)?;
        for directory in note.iter().flat_map(SessionNote::directories) {
            let path = self.of_directory(Path::new(directory));
            let newest: Option<NewestSession> = read(&path)?;
            if newest.is_some_and(|newest| newest.session == session) {
                prune::remove(&path)?;
            }
        }
        prune::remove(&self.of_session(session))
    }

    /// Notes the decision of a call.
    pub(crate) fn put_call(
        &self,
        session: &str,
        call: &str,
        note: &CallNote,
    ) -> Result<(), HookError> {
        self.write(&self.of_call(session, call), note)
    }

    /// The decision of a call.
    pub(crate) fn call(&self, session: &str, call: &str) -> Result<Option<CallNote>, HookError> {
        read(&self.of_call(session, call))
    }

    /// Takes away what is too much: old sessions, and old calls of this one.
    pub(crate) fn tidy(&self, session: &str) -> Result<(), HookError> {
        prune::keep_newest(&self.of_session(session), CALLS, "call-")?;
        prune::keep_newest(&self.of_surface().join("sessions"), SESSIONS, "")
    }

    fn write(&self, path: &Path, document: &impl Serialize) -> Result<(), HookError> {
        let text = serde_json::to_string(document).map_err(|error| HookError::file(path, error))?;
        files::write(path, &text, 0o600, false)
    }

    fn of_surface(&self) -> PathBuf {
        self.dir.join("hooks").join(&self.surface)
    }

    fn of_directory(&self, directory: &Path) -> PathBuf {
        let name = digest(&[directory.as_os_str().as_encoded_bytes()]);
        self.dir.join("sessions").join(format!("{name}.json"))
    }

    fn of_session(&self, session: &str) -> PathBuf {
        let name = digest(&[session.as_bytes()]);
        self.of_surface().join("sessions").join(name)
    }

    fn of_call(&self, session: &str, call: &str) -> PathBuf {
        let name = digest(&[call.as_bytes()]);
        self.of_session(session).join(format!("call-{name}.json"))
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HookError> {
    let Some(text) = files::read_private(path, STATE_FILE_BYTES)? else {
        return Ok(None);
    };
    let parsed = serde_json::from_str(&text);
    parsed
        .map(Some)
        .map_err(|error| HookError::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(dir: &Path) -> State {
        State::at(dir, "claude-code")
    }

    #[test]
    fn processes_of_the_same_moment_lose_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(dir.path());
        std::thread::scope(|scope| {
            for number in 0..16 {
                let state = &state;
                scope.spawn(move || {
                    state
                        .change_session("s", |note| note.begin_prompt(Some(&number.to_string())))
                        .unwrap();
                });
            }
        });
        assert_eq!(state.session("s").unwrap().unwrap().prompts.len(), 16);
    }

    #[test]
    fn calls_and_sessions_are_bounded_and_the_newest_stay() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(dir.path());
        let note = CallNote::new("01A", "Bash", None);
        for number in 0..CALLS + 5 {
            state.put_call("s", &number.to_string(), &note).unwrap();
        }
        for number in 0..SESSIONS + 3 {
            let other = format!("other-{number}");
            state.change_session(&other, |_| ()).unwrap();
        }
        let last = (CALLS + 4).to_string();
        state.put_call("s", &last, &note).unwrap();
        state.tidy("s").unwrap();
        assert!(state.call("s", &last).unwrap().is_some());
        let calls = |session| {
            std::fs::read_dir(state.of_session(session))
                .unwrap()
                .count()
        };
        assert!(calls("s") <= CALLS + 2);
        let sessions = std::fs::read_dir(state.of_surface().join("sessions")).unwrap();
        assert_eq!(sessions.count(), SESSIONS);
    }

    #[test]
    fn who_only_tries_the_hook_is_not_noted() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(dir.path());
        state.saw("PreToolUse", "claude-code:abc").unwrap();
        state
            .saw("SessionStart", &format!("claude-code:{PROBE}1"))
            .unwrap();
        let events = state.last_events().unwrap();
        assert_eq!(events.keys().collect::<Vec<_>>(), ["PreToolUse"]);
        assert!(events["PreToolUse"].at_ms > 1_700_000_000_000);
    }

    #[test]
    fn a_session_that_ends_is_no_directorys_newest_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(dir.path());
        let newest = |session: &str| NewestSession {
            session: session.to_owned(),
            directory: "/p".to_owned(),
            actor: "agent:claude-code".to_owned(),
            at_ms: 1,
        };
        for session in ["a", "b"] {
            state
                .change_session(session, |note| note.start = Some("/p".to_owned()))
                .unwrap();
            state.put_newest(&newest(session)).unwrap();
        }
        state.forget_session("a").unwrap();
        let found = state.newest_session(Path::new("/p")).unwrap().unwrap();
        assert_eq!(found.session, "b");
        state.forget_session("b").unwrap();
        assert!(state.newest_session(Path::new("/p")).unwrap().is_none());
    }
}
