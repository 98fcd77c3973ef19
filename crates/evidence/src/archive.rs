//! The folder as one ZIP file: stored, not compressed, so that the same files give the same bytes
//! whatever wrote them (PKWARE APPNOTE 6.3, without ZIP64).

use crate::crc::crc32;
use crate::format::Files;

/// MS-DOS date of 1 January 1980, the earliest; the time of day is 0.
const DATE: u16 = (1 << 5) | 1;
/// Version that is needed to extract: 1.0 for a stored file.
const NEEDS: u16 = 10;
/// Version that made it: 2.0, on Unix, so that modes count.
const MADE_BY: u16 = (3 << 8) | 20;
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
/// A regular file that only its owner may read: it may hold plaintext.
const MODE: u32 = 0o100_600 << 16;

/// The files below a directory of this name, in the order of their names; `None` if they are more
/// than a ZIP file without extensions can hold: 65,534 files, 4 GiB.
pub fn zip(root: &str, files: &Files) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in files {
        let name = format!("{root}/{name}");
        let offset = u32::try_from(out.len()).ok()?;
        let size = u32::try_from(bytes.len())
            .ok()
            .filter(|it| *it < u32::MAX)?;
        let mut common = Vec::new();
        for field in [NEEDS, UTF8, 0, 0, DATE] {
            common.extend(field.to_le_bytes());
        }
        for field in [crc32(bytes), size, size] {
            common.extend(field.to_le_bytes());
        }
        common.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        common.extend(0u16.to_le_bytes());

        out.extend(0x0403_4b50u32.to_le_bytes());
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(bytes);

        directory.extend(0x0201_4b50u32.to_le_bytes());
        directory.extend(MADE_BY.to_le_bytes());
        directory.extend(&common);
        // Comment, disk and internal attributes.
        directory.extend([0; 6]);
        directory.extend(MODE.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len())
        .ok()
        .filter(|it| *it < u16::MAX)?;
    let offset = u32::try_from(out.len()).ok().filter(|it| *it < u32::MAX)?;
    let length = u32::try_from(directory.len()).ok()?;
    out.extend(directory);
    out.extend(0x0605_4b50u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend([0; 2]);
    Some(out)
}
