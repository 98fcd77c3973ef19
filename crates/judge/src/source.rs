//! A bundle as a directory of files.
use countersign_core::document::BundleContent;

use crate::finding::Finding;

/// Reads a bundle from its files, given by relative path and text.
pub fn read(files: &[(String, String)]) -> Result<BundleContent, Vec<Finding>> {
    Err(vec![Finding::error(
        "bundle.toml",
        format!("none of {} files is it", files.len()),
    )])
}
