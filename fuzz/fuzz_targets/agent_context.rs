#![no_main]
#![allow(dead_code)]

#[path = "../checks/hooks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::agent_context(data));
