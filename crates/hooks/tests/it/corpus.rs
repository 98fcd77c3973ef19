//! The corpora of the fuzz targets, as ordinary tests.

#[path = "../../../../fuzz/checks/hooks.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn hook_event() {
    replay::each("hook_event", checks::hook_event);
}

#[test]
fn hook_settings() {
    replay::each("hook_settings", checks::hook_settings);
}

#[test]
fn agent_context() {
    replay::each("agent_context", checks::agent_context);
}
