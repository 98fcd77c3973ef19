//! Transcripts to observe.

use countersign_core::document::BundleContent;
use countersign_judge::source;
use countersign_observe::{Choice, FileRead, Found, Report, compile, judge_all, propose};
use countersign_transcripts::read;

/// The sessions of a text.
pub(crate) fn found(text: &str) -> Vec<Found> {
    let transcript = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let sessions = transcript.sessions.into_iter();
    sessions.map(|session| Found { file: 0, session }).collect()
}

/// A transcript of the crate that reads them.
pub(crate) fn fixture(name: &str) -> String {
    let path = format!(
        "{}/../transcripts/tests/fixtures/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

/// The report under a guessed bundle.
pub(crate) fn guessed(text: &str) -> Report {
    let found = found(text);
    let proposal = propose(&found).unwrap();
    report(&found, proposal.content, Some(&proposal.guesses))
}

/// The report under this bundle.
pub(crate) fn under(text: &str, files: &[(&str, &str)]) -> Report {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    report(&found(text), source::read(&files).unwrap(), None)
}

fn report(
    found: &[Found],
    content: BundleContent,
    guesses: Option<&[countersign_observe::Guess]>,
) -> Report {
    let bundle = compile(content).unwrap();
    let judged = judge_all(&bundle, found, &|| {});
    let file = FileRead {
        path: "transcript.json".to_owned(),
        format: String::new(),
        sessions: found.len(),
        broken: 0,
        broken_lines: Vec::new(),
        notes: Vec::new(),
    };
    Report::new(
        &Choice::default(),
        vec![file],
        found,
        &bundle,
        guesses,
        judged,
    )
}

/// The outcome of each call: tool, arguments and outcome, in the order of the report.
pub(crate) fn outcomes(report: &Report) -> Vec<String> {
    let calls = report.calls.iter();
    calls
        .map(|call| format!("{} {} {}", call.outcome, call.tool, call.args))
        .collect()
}
