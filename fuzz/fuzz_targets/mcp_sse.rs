#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../crates/mcp/src/jsonrpc/mod.rs"]
mod jsonrpc;
#[path = "../../crates/mcp/src/limits.rs"]
mod limits;
#[path = "../../crates/mcp/src/http"]
mod http {
    mod bridge;
    mod limits;
    mod mirror;
    mod params;
    mod sse;

    #[path = "../../../../fuzz/checks/mcp_http.rs"]
    pub mod checks;
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| http::checks::mcp_sse(data));
