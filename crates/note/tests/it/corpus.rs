//! Inputs that fuzzing began with or found: `fuzz/` at the repository's root.

#[path = "../../../../fuzz/checks/note.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn note() {
    replay::each("note", checks::note);
}

#[test]
fn checkpoint() {
    replay::each("checkpoint", checks::checkpoint);
}

#[test]
fn proof() {
    replay::each("proof", checks::proof);
}

#[test]
fn policy() {
    replay::each("policy", checks::policy);
}
