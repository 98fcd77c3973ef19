//! Recorded runs, where they are at hand, under a guessed bundle.

use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use ruzstd::decoding::StreamingDecoder;

use crate::support::guessed;

#[test]
fn seven_hundred_recorded_runs_give_a_report() {
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
    let begun = Instant::now();
    let report = guessed(&text);
    eprintln!("{} calls in {:?}", report.tally.all.calls, begun.elapsed());
    for (origin, outcomes) in &report.tally.origins {
        eprintln!("{origin}: {outcomes:?}");
    }
    for rule in &report.tally.rules {
        eprintln!("{} {} {}", rule.id, rule.rejected, rule.escalated);
    }
    for tool in &report.tally.tools {
        eprintln!("{} {:?} {:?}", tool.tool, tool.effect, tool.outcomes);
    }
    assert_eq!(report.sessions, 726);
    let injected = &report.tally.origins["injection"];
    let own = &report.tally.origins["user"];
    // Guessed rules are no defence, and still hold most of what was injected and little else.
    assert!(injected.held() * 2 > injected.calls, "{injected:?}");
    assert!(own.approved * 2 > own.calls, "{own:?}");
}
