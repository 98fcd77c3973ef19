//! The bundles of this repository.

use std::path::{Path, PathBuf};

use countersign_core::document::BundleContent;

/// A starter bundle.
pub fn starter(name: &str) -> BundleContent {
    starter_with(name, &[])
}

/// A starter bundle with these files, each a path in it and a text, beside its own.
pub fn starter_with(name: &str, more: &[(&str, &str)]) -> BundleContent {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../bundles")
        .join(name);
    let mut files: Vec<(String, String)> = more
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    gather(&root, &root, &mut files);
    files.sort();
    countersign_judge::source::read(&files).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn gather(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            gather(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.push((name.to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}
