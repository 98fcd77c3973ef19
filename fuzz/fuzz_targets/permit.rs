#![no_main]
#![allow(dead_code)]

#[path = "../checks/permit.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::permit(data));
