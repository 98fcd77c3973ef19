#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../crates/gate/src/args.rs"]
mod args;
#[path = "../checks/gate.rs"]
mod checks;
#[path = "../../crates/gate/src/headers.rs"]
mod headers;
#[path = "../../crates/gate/src/limits.rs"]
mod limits;
#[path = "../../crates/gate/src/problem.rs"]
mod problem;
#[path = "../../crates/gate/src/routes/mod.rs"]
mod routes;
#[path = "../../crates/gate/src/target.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::gate(data));
