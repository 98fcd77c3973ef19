//! The corpus of the fuzz targets, as ordinary tests.

#[path = "../../../../fuzz/checks/notify.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn notify_config() {
    replay::each("notify_config", checks::notify_config);
}

#[test]
fn notify_state() {
    replay::each("notify_state", checks::notify_state);
}
