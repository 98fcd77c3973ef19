//! Recorded runs, where they are at hand.

use std::io::Read as _;
use std::path::Path;

use countersign_transcripts::{Event, Format, read};
use ruzstd::decoding::StreamingDecoder;

#[test]
fn every_recorded_run_is_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    for (name, runs) in [
        ("agentdojo-groundtruth-dev.jsonl.zst", 726),
        ("agentdojo-runs-dev.jsonl.zst", 724),
        ("agentdyn-shopping-dev.jsonl.zst", 600),
    ] {
        let Ok(packed) = std::fs::read(data.join(name)) else {
            eprintln!("SKIPPED: `../shared/data/{name}` is missing, so no recorded run was read");
            continue;
        };
        let mut text = Vec::new();
        StreamingDecoder::new(packed.as_slice())
            .unwrap()
            .read_to_end(&mut text)
            .unwrap();
        let transcript = read(&text).unwrap();
        assert_eq!(transcript.format, Format::RecordedRuns);
        assert_eq!((transcript.sessions.len(), transcript.broken), (runs, 0));
        let events = transcript.sessions.iter().flat_map(|run| &run.events);
        let calls = events
            .filter(|event| matches!(event, Event::Call(_)))
            .count();
        assert!(calls > runs, "{calls}");
    }
}
