//! The corpora of the fuzz targets, as ordinary tests.

#[path = "../../../../fuzz/checks/mcp_http.rs"]
mod checks;

use crate::replay;

#[test]
fn mcp_sse() {
    replay::each("mcp_sse", checks::mcp_sse);
}

#[test]
fn mcp_headers() {
    replay::each("mcp_headers", checks::mcp_headers);
}
