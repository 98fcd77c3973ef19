//! The folder as one ZIP file: stored, not compressed, with one time and one mode, so that the same
//! files give the same bytes.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::format::Files;

/// Most files: what a ZIP file without extensions can hold.
const FILES: usize = 65_534;
/// Most bytes, for the same reason: a little less than 4 GiB.
const BYTES: usize = 4_000_000_000;
/// Only its owner may read a file: it may hold plaintext.
const MODE: u32 = 0o600;

/// The files below a directory of this name, in the order of their names; `None` if they are more
/// than a ZIP file without extensions can hold: 65,534 files, 4 GB.
pub fn zip(root: &str, files: &Files) -> Option<Vec<u8>> {
    let total: usize = files.values().map(Vec::len).sum();
    if files.len() > FILES || total > BYTES {
        return None;
    }
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(MODE);
    let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(total)));
    for (name, bytes) in files {
        archive.start_file(format!("{root}/{name}"), options).ok()?;
        archive.write_all(bytes).ok()?;
    }
    Some(archive.finish().ok()?.into_inner())
}
