//! Whether only root can change a file, or put another in its place.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Permission bits by which group and others write.
const OTHERS_WRITE: u32 = 0o022;
/// In a directory with this bit, nobody takes away what is another's.
const STICKY: u32 = 0o1000;

/// Whether only root can change this file or what stands at its path: it and every directory above
/// it are root's, and nobody else writes them. The text says which is not.
pub fn is_of_root(path: &Path) -> Result<(), String> {
    let real = path
        .canonicalize()
        .map_err(|error| format!("`{}`: {error}", path.display()))?;
    // The link that leads there is as good as the file; `canonicalize` went through it.
    let named = std::path::absolute(path).map_err(|error| error.to_string())?;
    for start in [real.as_path(), named.as_path()] {
        for (above, part) in start.ancestors().enumerate() {
            let found = part.symlink_metadata();
            let found = found.map_err(|error| format!("`{}`: {error}", part.display()))?;
            if found.uid() != 0 {
                return Err(format!(
                    "`{}` is the user {}'s, not root's",
                    part.display(),
                    found.uid()
                ));
            }
            let is_sticky_directory = above > 0 && found.mode() & STICKY != 0;
            if !found.is_symlink() && found.mode() & OTHERS_WRITE != 0 && !is_sticky_directory {
                return Err(format!(
                    "`{}` has mode {:04o}, so others than root can write it",
                    part.display(),
                    found.mode() & 0o7777
                ));
            }
        }
    }
    Ok(())
}
