//! Room on the disk that only urgent units get: revocations, keys, stops.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Something that holds room on the disk and can give it back.
pub trait Reserve: Send {
    /// Gives the room back. Called when an urgent unit meets a full disk.
    fn release(&mut self) -> io::Result<()>;

    /// Takes the room again; fails while the disk is full. Only afterwards are units committed that
    /// are not urgent.
    fn restore(&mut self) -> io::Result<()>;
}

/// A file of zeroes that is deleted when its room is needed.
#[derive(Debug)]
pub struct FileReserve {
    path: PathBuf,
    bytes: u64,
}

impl FileReserve {
    /// A reserve of so many bytes at `path`, made now if it is not there yet.
    pub fn new(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut reserve = Self {
            path: path.to_owned(),
            bytes,
        };
        reserve.restore()?;
        Ok(reserve)
    }

    fn fill(&self) -> io::Result<()> {
        static BLOCK: [u8; 1 << 16] = [0; 1 << 16];
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file: File = options.open(&self.path)?;
        let mut rest = self.bytes;
        while rest > 0 {
            let length = rest.min(BLOCK.len() as u64);
            // Written out, because a hole holds no room.
            let block = usize::try_from(length).ok().and_then(|n| BLOCK.get(..n));
            file.write_all(block.unwrap_or(&BLOCK))?;
            rest = rest.saturating_sub(length);
        }
        file.sync_all()
    }
}

impl Reserve for FileReserve {
    fn release(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn restore(&mut self) -> io::Result<()> {
        if fs::metadata(&self.path).is_ok_and(|found| found.len() == self.bytes) {
            return Ok(());
        }
        let filled = self.fill();
        if filled.is_err() {
            // A half-filled reserve must not look like a full one, nor take the last of the room.
            let _ = fs::remove_file(&self.path);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_given_back_and_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        let mut reserve = FileReserve::new(&path, 100_000).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 100_000);
        reserve.release().unwrap();
        reserve.release().unwrap();
        assert!(!path.exists());
        reserve.restore().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 100_000);
    }
}
