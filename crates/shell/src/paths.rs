//! The words of a command line that may be paths.

use std::collections::BTreeSet;

use crate::limits::LETTERS;
use crate::steps::{Place, Run, Step, Word, steps};

/// All paths that a command line may act on, as far as they stand in it: absolute, or relative to
/// the directory in which it runs. Whoever knows the disk resolves them; a path with `..` is preceded
/// by what it leads through, since a link may stand there. A line that names more than
/// [`PATH_WORDS`](crate::limits::PATH_WORDS) is not parsed, and of such a line there are none.
///
/// Words with `~` for a home begin with it. What is no path names a file that is not there.
pub fn path_words(command: &str) -> Vec<String> {
    let steps = steps(command).unwrap_or_default();
    of(&steps).into_iter().collect()
}

/// The same of what a line does.
pub(crate) fn of(steps: &[Step]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for step in steps {
        match step {
            Step::Run(run) => {
                take(&run.program, &run.place, &mut found);
                for directory in run.place.directories().unwrap_or_default() {
                    add(directory, &mut found);
                }
                for made in within_last(run) {
                    take(&made, &run.place, &mut found);
                }
                for arg in &run.args {
                    take(arg, &run.place, &mut found);
                    for value in values(arg) {
                        take(&value, &run.place, &mut found);
                    }
                }
            }
            Step::Reads(word, place) | Step::Writes(word, place) => take(word, place, &mut found),
            Step::Sets(_) | Step::Code(_) | Step::Connects(_) => {}
        }
    }
    found
}

/// What a program that copies, moves or links makes in a directory that it is given last.
fn within_last(run: &Run) -> Vec<Word> {
    let makes = match run.program.text.as_str() {
        "cp" | "mv" | "ln" => true,
        "git" => run.args.iter().any(|arg| arg.text == "mv"),
        _ => false,
    };
    let Some((last, others)) = run.args.split_last().filter(|_| makes) else {
        return Vec::new();
    };
    others
        .iter()
        .filter_map(|of| last.with_name_of(of))
        .collect()
}

/// What stands behind the `=` of an option, or behind any of its letters.
fn values(arg: &Word) -> Vec<Word> {
    let Some(text) = arg.known().filter(|text| text.len() > 1) else {
        return Vec::new();
    };
    let behind = text.split_once('=').map(|(_, value)| value);
    let letter = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    let letters = letter.into_iter().flat_map(|rest| {
        let is_letter = |(_, c): &(usize, char)| c.is_ascii_alphanumeric();
        let letters = rest.char_indices().take_while(is_letter);
        letters.filter_map(|(at, c)| rest.get(at + c.len_utf8()..))
    });
    behind
        .into_iter()
        .chain(letters.take(LETTERS))
        .filter(|value| !value.is_empty())
        .map(Word::literal)
        .collect()
}

fn take(word: &Word, place: &Place, found: &mut BTreeSet<String>) {
    for path in place.paths(word).unwrap_or_default() {
        add(path, found);
    }
}

fn add(path: String, found: &mut BTreeSet<String>) {
    if path.is_empty() {
        return;
    }
    for (at, _) in path.match_indices("/..") {
        if let Some(before) = path.get(..at).filter(|before| !before.is_empty()) {
            found.insert(before.to_owned());
        }
    }
    found.insert(path);
}
