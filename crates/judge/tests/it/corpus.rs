//! Inputs that fuzzing began with or found: `fuzz/` at the repository's root.

#[path = "../../../../fuzz/checks/judge.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn bundle() {
    replay::each("bundle", checks::bundle);
}

#[test]
fn facts() {
    replay::each("facts", checks::facts);
}
