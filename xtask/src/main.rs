//! Commands for those who work on Countersign.
fn main() {}
