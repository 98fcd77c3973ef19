//! Recorded runs, where they are at hand, under a guessed bundle.

use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use ruzstd::decoding::StreamingDecoder;

use crate::support::guessed;

/// One run of so many is observed, so that an unoptimised build is done in good time.
const EVERY: usize = 7;

#[test]
fn recorded_runs_give_a_report() {
    let name = "agentdojo-groundtruth-dev.jsonl.zst";
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let Ok(packed) = std::fs::read(data.join(name)) else {
        eprintln!("SKIPPED: `../shared/data/{name}` is missing, so no recorded run was observed");
        return;
    };
    let mut text = String::new();
    StreamingDecoder::new(packed.as_slice())
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let some: Vec<&str> = text.lines().step_by(EVERY).collect();
    let report = guessed(&some.join("\n"));
    assert_eq!(report.sessions, some.len());
    let injected = &report.tally.origins["injection"];
    let own = &report.tally.origins["user"];
    // Guessed rules are no defence, and still hold most of what was injected and little else.
    assert!(injected.held() * 2 > injected.calls, "{injected:?}");
    assert!(own.approved * 2 > own.calls, "{own:?}");
}

#[test]
#[ignore = "a measurement: cargo test --release -p countersign-observe -- --ignored --nocapture"]
fn a_whole_recording_takes_seconds() {
    let name = "agentdojo-runs-dev.jsonl.zst";
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let Ok(packed) = std::fs::read(data.join(name)) else {
        eprintln!("SKIPPED: `../shared/data/{name}` is missing, so nothing was measured");
        return;
    };
    let mut text = String::new();
    StreamingDecoder::new(packed.as_slice())
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let begun = Instant::now();
    let report = guessed(&text);
    eprintln!(
        "{} runs, {} calls in {:?}",
        report.sessions,
        report.tally.all.calls,
        begun.elapsed()
    );
}
