#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../checks/mcp_message.rs"]
mod checks;
#[path = "../../crates/mcp/src/jsonrpc/mod.rs"]
mod jsonrpc;
#[path = "../../crates/mcp/src/limits.rs"]
mod limits;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::mcp_message(data));
