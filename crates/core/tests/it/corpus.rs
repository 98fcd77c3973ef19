//! Inputs that fuzzing began with or found: `fuzz/` at the repository's root.

#[path = "../../../../fuzz/checks/core.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn strict_json() {
    replay::each("strict_json", checks::strict_json);
}

#[test]
fn entry() {
    replay::each("entry", checks::entry);
}
