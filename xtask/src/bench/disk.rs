//! What the disk allows.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;

/// What is overwritten before each bare sync: one page.
const PAGE: usize = 4_096;

/// A page of a file that is there already, so that nothing but its content has to reach the disk.
pub(super) struct Page {
    file: File,
    path: std::path::PathBuf,
    // Removed with its directory at the end.
    _dir: tempfile::TempDir,
}

impl Page {
    pub(super) fn new(dir: &Path) -> Result<Self, Error> {
        let made = tempfile::Builder::new()
            .prefix("fdatasync-")
            .tempdir_in(dir);
        let made = made.map_err(Error::io(dir))?;
        let path = made.path().join("page");
        let file = File::create(&path).map_err(Error::io(&path))?;
        file.write_all_at(&[0; PAGE], 0).map_err(Error::io(&path))?;
        file.sync_all().map_err(Error::io(&path))?;
        Ok(Self {
            file,
            path,
            _dir: made,
        })
    }

    pub(super) fn sync_for(
        &mut self,
        time: Duration,
        times: &mut Vec<Duration>,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        let mut fill = 0_u8;
        while begun.elapsed() < time {
            fill = fill.wrapping_add(1);
            let start = Instant::now();
            self.file
                .write_all_at(&[fill; PAGE], 0)
                .map_err(Error::io(&self.path))?;
            self.file.sync_data().map_err(Error::io(&self.path))?;
            times.push(start.elapsed());
        }
        Ok(())
    }
}
