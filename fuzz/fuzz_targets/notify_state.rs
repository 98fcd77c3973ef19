#![no_main]
#![allow(dead_code)]

#[path = "../checks/notify.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::notify_state(data));
