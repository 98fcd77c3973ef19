#![no_main]
#![allow(dead_code)]

#[path = "../checks/transcript.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::transcript(data));
