//! A transcript as a few lines that a test can compare.

use countersign_transcripts::{Args, Event, Session, Transcript, read};

pub(crate) fn fixture(name: &str) -> Transcript {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    read(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One line per event: whose words, which call, which answer to which call.
pub(crate) fn told(session: &Session) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Turn(turn) => {
            let parts = turn.parts.iter();
            let parts: Vec<String> = parts
                .map(|part| format!("{:?}: {}", part.by, part.text))
                .collect();
            format!("turn {}", parts.join(" | "))
        }
        Event::Call(call) => match &call.args {
            Args::Json(args) => format!("call {} {args}", call.tool),
            Args::Malformed { text, .. } => format!("malformed {} {text}", call.tool),
        },
        Event::Output(output) => {
            let failed = if output.is_error { " failed" } else { "" };
            format!("result of {}{failed}: {}", output.call, output.value)
        }
    };
    session.events.iter().map(line).collect()
}
