//! The corpus of the fuzz target, as an ordinary test.

#[path = "../../../fuzz/checks/gate.rs"]
mod checks;
#[path = "../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn gate() {
    replay::each("gate", checks::gate);
}
