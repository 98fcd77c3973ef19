#![no_main]
#![allow(dead_code)]

#[path = "../checks/witness.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::add_checkpoint(data));
