#![no_main]
#![allow(dead_code)]

#[path = "../checks/evidence.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::evidence_folder(data));
