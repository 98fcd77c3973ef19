//! Tasks: calls whose result comes later. Only what began here can be asked for here.

use std::collections::HashMap;

use crate::limits::{KNOWN_TASKS, TASK_BYTES};

/// The tasks that the relay saw begin.
#[derive(Default)]
pub(super) struct Tasks {
    known: HashMap<String, Task>,
}

/// One task.
#[derive(Clone)]
pub(super) struct Task {
    /// The decision whose call began it.
    pub(super) decision: String,
    /// Whether what it returned is recorded.
    pub(super) is_recorded: bool,
}

impl Tasks {
    /// Remembers a task; false if there are too many, if its name is too long, or if it is known
    /// already: an answer under its name would be taken for the other's.
    pub(super) fn begin(&mut self, task: &str, decision: &str) -> bool {
        if task.len() > TASK_BYTES {
            return false;
        }
        if self.known.len() >= KNOWN_TASKS {
            self.known.retain(|_, task| !task.is_recorded);
        }
        if self.known.len() >= KNOWN_TASKS || self.known.contains_key(task) {
            return false;
        }
        let begun = Task {
            decision: decision.to_owned(),
            is_recorded: false,
        };
        self.known.insert(task.to_owned(), begun);
        true
    }

    pub(super) fn of(&self, task: &str) -> Option<Task> {
        self.known.get(task).cloned()
    }

    pub(super) fn recorded(&mut self, task: &str) {
        if let Some(known) = self.known.get_mut(task) {
            known.is_recorded = true;
        }
    }

    /// The decisions of tasks whose end was not seen.
    pub(super) fn unfinished(&mut self) -> Vec<String> {
        let open = self.known.drain().filter(|(_, task)| !task.is_recorded);
        open.map(|(_, task)| task.decision).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_or_too_long_begins_no_task() {
        let mut tasks = Tasks::default();
        assert!(tasks.begin(&"t".repeat(TASK_BYTES), "d"));
        assert!(!tasks.begin(&"t".repeat(TASK_BYTES), "e"));
        assert!(!tasks.begin(&"t".repeat(TASK_BYTES + 1), "e"));
    }
}
