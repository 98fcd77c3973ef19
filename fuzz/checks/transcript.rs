//! What holds for any bytes that are read as a transcript.

use countersign_transcripts::{Transcript, read};

/// It is read or refused, the same each time, whatever mark or blank lines stand around it, and with
/// another end of lines; what is broken is counted.
pub(crate) fn transcript(data: &[u8]) {
    let found = shown(data);
    assert_eq!(shown(data), found);
    if !data.starts_with(b"\xef\xbb\xbf") {
        assert_eq!(shown(&[b"\xef\xbb\xbf", data].concat()), found);
    }
    let Ok(transcript) = read(data) else { return };
    assert!(transcript.broken_shown.len() <= transcript.broken);
    assert!(!transcript.sessions.is_empty());
    let lines = data.split(|byte| *byte == b'\n').count();
    for broken in &transcript.broken_shown {
        assert!((1..=lines).contains(&broken.line));
    }
    assert_eq!(shown(&[data, b"\n \r\n"].concat()), found);
}

/// All that was read.
fn shown(data: &[u8]) -> Result<String, String> {
    let all = |it: Transcript| format!("{it:?}");
    read(data).map(all).map_err(|error| error.to_string())
}
