//! Inputs that fuzzing began with or found: `fuzz/` at the repository's root.

#[path = "../../../../fuzz/checks/witness.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn add_checkpoint() {
    replay::each("add_checkpoint", checks::add_checkpoint);
}
