//! Inputs that fuzzing began with or found: `fuzz/` at the repository's root.

#[path = "../../../../fuzz/checks/merkle.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn tile_path() {
    replay::each("tile_path", checks::tile_path);
}
