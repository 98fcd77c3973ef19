//! No text crashes the reader, and none keeps it long.

use std::time::{Duration, Instant};

use countersign_shell::limits::{COMMAND_BYTES, DEPTH};
use countersign_shell::{path_words, steps};
use proptest::prelude::*;

/// A stack that leaves a judging thread of 2 MiB most of its own.
const STACK: usize = 512 * 1024;

fn in_small_stack(check: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(check)
        .unwrap()
        .join()
        .unwrap();
}

/// Openings of everything that nests.
const OPEN: [&str; 21] = [
    "(",
    "( ",
    "{ ",
    "$(",
    "\"$(",
    "`",
    "${a:-",
    "\"${a:-",
    "<(",
    "$((",
    "$((a+(",
    "if ",
    "while ",
    "for x in $(",
    "case x in a) ",
    "[[ (",
    "f() { ",
    "bash -c '",
    "eval \"",
    "! ",
    "a=( $(",
];
const CLOSE: [&str; 21] = [
    ")",
    ")",
    "; }",
    ")",
    ")\"",
    "`",
    "}",
    "}\"",
    ")",
    "))",
    ")))",
    "; then a; fi",
    "; do a; done",
    "); do a; done",
    ";; esac",
    ") ]]",
    "; }",
    "'",
    "\"",
    "",
    "))",
];

#[test]
fn deep_nesting_is_refused_on_a_small_stack() {
    in_small_stack(|| {
        for (open, close) in OPEN.iter().zip(CLOSE) {
            for depth in [DEPTH - 1, DEPTH, DEPTH + 1, 100, COMMAND_BYTES / 16] {
                for line in [
                    format!("{}a{}", open.repeat(depth), close.repeat(depth)),
                    open.repeat(depth),
                    format!("echo {}", open.repeat(depth)),
                    format!("x={}a{}", open.repeat(depth), close.repeat(depth)),
                ] {
                    let _ = steps(&line);
                }
            }
            let mixed: String = OPEN.concat();
            let _ = steps(&mixed.repeat(3));
        }
        let deep = format!("{}a{}", "( ".repeat(DEPTH + 1), " )".repeat(DEPTH + 1));
        assert!(steps(&deep).is_err());
        let shallow = format!("{}a{}", "( ".repeat(DEPTH / 2), " )".repeat(DEPTH / 2));
        assert!(steps(&shallow).is_ok());
    });
}

#[test]
fn quoted_commands_in_quoted_commands_are_bounded() {
    in_small_stack(|| {
        let mut line = "a".to_owned();
        for _ in 0..40 {
            line = format!("bash -c '{}'", line.replace('\'', "'\\''"));
            if line.len() > 4 * COMMAND_BYTES {
                break;
            }
            let _ = steps(&line);
        }
        let mut line = "a".to_owned();
        for _ in 0..200 {
            line = format!("env -i nohup {line}");
            let _ = steps(&line);
        }
        assert!(steps(&line).is_err());
    });
}

#[test]
fn a_long_line_is_refused_and_the_longest_takes_no_time() {
    assert!(steps(&"a".repeat(COMMAND_BYTES + 1)).is_err());
    let start = Instant::now();
    for piece in [
        "a ", "a;", "a\n", "$x ", "\"$x\"", "{a,b}", "[a]", "`a`", "$(a)", "<<E ", "a=",
        "[[ a ]];", "${a:-", "((", "'", "\\",
    ] {
        let line = piece.repeat(COMMAND_BYTES / piece.len());
        let _ = (steps(&line), path_words(&line));
    }
    // Each is a millisecond or so in a build without optimisation.
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

/// Pieces that command lines are made of.
const PIECES: [&str; 44] = [
    "a",
    "rm",
    " ",
    " ",
    "\n",
    ";",
    "&",
    "|",
    "&&",
    "||",
    "(",
    ")",
    "{ ",
    "; }",
    "$(",
    "`",
    "'",
    "\"",
    "$",
    "${",
    "}",
    "<",
    ">",
    "<<E\n",
    "\nE\n",
    "if ",
    "; then ",
    "; fi",
    "for x in ",
    "; do ",
    "; done",
    "case ",
    " in ",
    "esac",
    ";;",
    "[[",
    "]]",
    "=",
    "\\",
    "#",
    "~",
    "*",
    "bash -c ",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_crashes(text in "\\PC{0,200}") {
        let _ = (steps(&text), path_words(&text));
    }

    #[test]
    fn no_mixture_of_pieces_crashes(picks in prop::collection::vec(0..PIECES.len(), 0..80)) {
        let text: String = picks.into_iter().map(|n| PIECES[n]).collect();
        let _ = (steps(&text), path_words(&text));
    }
}
