//! Held against a shell that others wrote: what is read as a command line is one.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_shell::steps;

/// Whether bash can parse it. `-n` runs nothing of it.
fn is_parsed(line: &str) -> Option<bool> {
    let mut bash = Command::new("bash");
    let done = bash.args(["--norc", "-n", "-c", line]).output().ok()?;
    Some(done.status.success())
}

#[test]
fn what_is_read_is_a_command_line_to_bash() {
    if is_parsed("true") != Some(true) {
        eprintln!("SKIPPED: there is no bash here to ask");
        return;
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/shell");
    let mut read = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let Ok(line) = fs::read_to_string(file.unwrap().path()) else {
            continue;
        };
        if steps(&line).is_ok() {
            read += 1;
            assert_eq!(is_parsed(&line), Some(true), "{line}");
        }
    }
    assert!(read > 20, "{read}");
}
