//! Reads a corpus as an ordinary test does.

use std::fs;
use std::path::Path;

/// Hands every input of this target's corpus to the check.
pub(crate) fn each(target: &str, check: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for file in fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        eprintln!("{}", path.display());
        check(&fs::read(&path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "`{}` holds no input", dir.display());
}
