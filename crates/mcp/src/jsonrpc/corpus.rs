//! The corpus of the fuzz target, as an ordinary test.

#[path = "../../../../fuzz/checks/mcp_message.rs"]
mod checks;

use crate::replay;

#[test]
fn mcp_message() {
    replay::each("mcp_message", checks::mcp_message);
}
