//! The corpus of the fuzz target, as an ordinary test.

#[path = "../../../../../fuzz/checks/reconcile.rs"]
mod checks;
#[path = "../../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn reconcile() {
    replay::each("reconcile", checks::reconcile);
}
