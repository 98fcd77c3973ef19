//! What holds for any text that is read as a command line.

use countersign_shell::limits::{COMMAND_BYTES, PATH_WORDS, STEPS};
use countersign_shell::{Step, path_words, steps};

/// It is read or refused, the same each time, and what it does is bounded. What runs is always known.
pub(crate) fn shell(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else {
        return;
    };
    let read = steps(line);
    assert_eq!(read, steps(line));
    let words = path_words(line);
    let Ok(read) = read else {
        assert!(words.is_empty());
        return;
    };
    assert!(read.len() <= STEPS && words.len() <= PATH_WORDS);
    for step in &read {
        if let Step::Run(run) = step {
            assert!(run.program.known().is_some_and(|name| !name.is_empty()));
        }
    }
    // Blanks, empty lines and a comment around it change nothing.
    let around = format!("\n {line}\n# end");
    if around.len() <= COMMAND_BYTES {
        assert_eq!(steps(&around), Ok(read), "{line:?}");
    }
}
