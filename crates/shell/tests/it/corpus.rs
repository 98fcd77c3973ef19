//! The corpus of the fuzz target, as an ordinary test.

#[path = "../../../../fuzz/checks/shell.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn shell() {
    replay::each("shell", checks::shell);
}
