#![no_main]
#![allow(dead_code)]

#[path = "../checks/merkle.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::tile_path(data));
