//! The shell blocks of the documentation run as they are printed.
//!
//! Blocks that begin with ```` ```sh ```` are run in order, in one shell, in a directory that holds
//! what a clone holds of the files that they name. A block ```` ```sh background ```` is one
//! command that goes on running, a server; the next block waits until it answers.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The address in the documentation, in place of which the tests use a free one.
const ADDRESS: &str = "127.0.0.1:8787";

/// A block of shell commands.
struct Block {
    line: usize,
    is_background: bool,
    text: String,
}

#[test]
fn getting_started_runs_as_it_is_printed() {
    let Some(said) = run_page("docs/getting-started.md") else {
        return;
    };
    // One of each kind of answer that the page promises.
    for word in [
        "The 2 a.m. story",
        "sha256:",
        "approved",
        "countersign.no-permit",
        "no-churned-contacts",
        "they differ",
    ] {
        assert!(
            said.contains(word),
            "`{word}` is not in what the page printed:\n{said}"
        );
    }
    for word in ["trusted", "unanchored", "failed", "countersign.stopped"] {
        assert!(
            said.contains(word),
            "`{word}` is not in what the page printed:\n{said}"
        );
    }
}

#[test]
fn the_readme_runs_as_it_is_printed() {
    let Some(said) = run_page("README.md") else {
        return;
    };
    for word in [
        "judged by a guessed bundle",
        "The 2 a.m. story",
        "\"approved\"",
        "\"rejected\"",
    ] {
        assert!(
            said.contains(word),
            "`{word}` is not in what the page printed:\n{said}"
        );
    }
}

#[test]
fn observing_runs_as_it_is_printed() {
    let Some(said) = run_page("docs/observe.md") else {
        return;
    };
    for words in [
        "1 session, 1 turn, 3 calls, judged by a guessed bundle",
        "found in the result of read_inbox (result 1) at /0/body",
        "it would have had to stand in the person's words",
        "the report stands in `report.html`",
        "the bundle passes its check",
        "judged by the bundle guessed",
    ] {
        assert!(
            said.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .contains(words),
            "`{words}` is not in what the page printed:\n{said}"
        );
    }
}

/// Runs the blocks of a page; all that they printed, or `None` where a tool is missing.
fn run_page(page: &str) -> Option<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    let text = std::fs::read_to_string(repository.join(page)).unwrap();
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "{page} has no shell blocks");
    if let Some(missing) = ["curl", "jq"]
        .iter()
        .find(|tool| text.contains(**tool) && !is_there(tool))
    {
        eprintln!("SKIPPED: {page} needs `{missing}`, which is not installed here");
        return None;
    }
    let clone = tempfile::tempdir().unwrap();
    for held in ["bundles", "crates/transcripts/tests/fixtures"] {
        copy_dir(&repository.join(held), &clone.path().join(held));
    }
    let address = free_address();
    let script = script(page, &blocks, &address);
    let ran = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .current_dir(clone.path())
        .env("PATH", path_with_binary())
        .env("HOME", clone.path())
        .env("COUNTERSIGN_LISTEN", &address)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("COUNTERSIGN_URL")
        .env_remove("COUNTERSIGN_TOKEN")
        .env_remove("COUNTERSIGN_PROFILE")
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(
        ran.status.success(),
        "{page} ended with {}; it printed:\n{said}",
        ran.status
    );
    Some(said)
}

/// One shell script of all blocks, each after a line that tells where it stands.
fn script(page: &str, blocks: &[Block], address: &str) -> String {
    let mut script =
        "set -euo pipefail\ntrap 'test -z \"${SERVER:-}\" || kill \"$SERVER\"' EXIT\n".to_owned();
    for Block {
        line,
        is_background,
        text,
    } in blocks
    {
        // What Cargo would build is built.
        let text = text
            .replace("cargo run -- ", "countersign ")
            .replace(ADDRESS, address);
        let _ = writeln!(script, "echo '== {page}:{line}' >&2");
        if !is_background {
            script.push_str(&text);
            continue;
        }
        assert_eq!(
            text.lines().count(),
            1,
            "{page}:{line}: a background block is one command"
        );
        let _ = write!(
            script,
            "{} >server.log 2>&1 &\nSERVER=$!\n\
             for _ in $(seq 200); do curl -s -o /dev/null http://{address}/healthz && break; sleep 0.05; done\n\
             kill -0 $SERVER || {{ cat server.log; exit 1; }}\n",
            text.trim()
        );
    }
    script
}

/// The shell blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, text) in (1..).zip(page.lines()) {
        match (&mut open, text.trim_end()) {
            (None, "```sh") => {
                open = Some(Block {
                    line,
                    is_background: false,
                    text: String::new(),
                })
            }
            (None, "```sh background") => {
                open = Some(Block {
                    line,
                    is_background: true,
                    text: String::new(),
                })
            }
            (None, other) => assert!(
                !other.starts_with("```sh"),
                "line {line}: `{other}` is no kind of block"
            ),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(text);
                block.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block does not end");
    blocks
}

fn path_with_binary() -> std::ffi::OsString {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_countersign"));
    let own = binary.parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).unwrap()
}

fn is_there(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|ran| ran.status.success())
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
