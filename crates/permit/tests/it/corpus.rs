//! The corpus of the fuzz target, as an ordinary test.

#[path = "../../../../fuzz/checks/permit.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn permit() {
    replay::each("permit", checks::permit);
}
