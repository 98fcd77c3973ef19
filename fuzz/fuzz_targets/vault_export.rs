#![no_main]
#![allow(dead_code)]

#[path = "../checks/seal.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::vault_export(data));
