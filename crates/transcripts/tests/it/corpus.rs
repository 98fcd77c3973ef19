//! The corpus of the fuzz target, as an ordinary test.

#[path = "../../../../fuzz/checks/transcript.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn transcript() {
    replay::each("transcript", checks::transcript);
}
