//! Programs that run other programs, and what of them is the shell's own.

use crate::steps::Word;
use crate::unparsed::Unparsed;

/// What a program makes of its words.
pub(crate) enum Within {
    /// It does something itself, with these arguments.
    Itself(Vec<Word>),
    /// It runs these words.
    Runs(Vec<Word>),
    /// It sets a variable.
    Sets(String),
    /// It runs code that does not stand in the line.
    Code,
    /// It runs this text in a shell of its own.
    Script { text: String, posix: bool },
    /// The shell itself runs this text.
    Here(String),
    /// It may change the directory of what follows.
    Moves,
}

/// Options of a program that runs another.
struct Options {
    /// Those by themselves.
    flags: &'static [&'static str],
    /// Those with a value, as the next word or (of a letter, or behind `=`) in the same.
    values: &'static [&'static str],
}

const fn options(flags: &'static [&'static str], values: &'static [&'static str]) -> Options {
    Options { flags, values }
}

/// Where `cd` goes, if that stands there.
pub(crate) fn destination(args: &[Word]) -> Option<&Word> {
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        match first.known() {
            Some("-L" | "-P" | "--") => rest = after,
            _ => break,
        }
    }
    match rest {
        [to] => {
            let is_plain = |to: &str| !to.is_empty() && !to.starts_with(['-', '+']);
            (to.known().is_some_and(is_plain) && !to.splits).then_some(to)
        }
        _ => None,
    }
}

/// What a program runs in its turn. What is not understood of it is its own doing.
pub(crate) fn within(program: &Word, args: &[Word]) -> Result<Vec<Within>, Unparsed> {
    let itself = || vec![Within::Itself(args.to_vec())];
    let name = program.known().unwrap_or_default();
    let runs = |known: Option<&[Word]>| match known {
        Some([]) | None => itself(),
        Some(words) => vec![Within::Runs(words.to_vec())],
    };
    Ok(match name {
        "sudo" | "doas" => {
            let known = options(&["-n", "-E", "-H", "-S", "-k", "-b"], &["-u", "-g"]);
            let mut all = vec![Within::Itself(Vec::new())];
            match after_options(args, &known) {
                Some([]) | None => return Ok(itself()),
                Some(words) => all.push(Within::Runs(words.to_vec())),
            }
            all
        }
        "nohup" | "setsid" | "builtin" | "noglob" | "nocorrect" | "exec" => {
            match args.first().and_then(Word::known) {
                None if args.is_empty() => Vec::new(),
                _ => runs(after_options(args, &options(&[], &[]))),
            }
        }
        "command" => match args.first().and_then(Word::known) {
            Some("-v" | "-V") => itself(),
            _ => runs(after_options(args, &options(&["-p"], &[]))),
        },
        "nice" => runs(after_options(args, &options(&[], &["-n", "--adjustment"]))),
        "ionice" => runs(after_options(args, &options(&["-t"], &["-c", "-n"]))),
        "stdbuf" => runs(after_options(args, &options(&[], &["-i", "-o", "-e"]))),
        "time" => runs(after_options(args, &options(&["-p", "-v", "-l"], &["-f"]))),
        "timeout" | "gtimeout" => {
            let known = options(
                &["--foreground", "--preserve-status", "-v", "--verbose"],
                &["-k", "--kill-after", "-s", "--signal"],
            );
            match after_options(args, &known) {
                Some([limit, words @ ..]) if !limit.splits && !words.is_empty() => {
                    vec![Within::Runs(words.to_vec())]
                }
                _ => itself(),
            }
        }
        "env" => env(args).unwrap_or_else(itself),
        "xargs" => xargs(args).unwrap_or_else(itself),
        "find" | "fd" => find(name, args).unwrap_or_else(itself),
        "watch" => watch(args)?.unwrap_or_else(itself),
        "sh" | "dash" | "ash" | "bash" | "zsh" | "ksh" => shell(name, args)?,
        "eval" => match args.iter().map(Word::known).collect::<Option<Vec<_>>>() {
            Some(words) => vec![Within::Here(words.join(" "))],
            None => return Err(unknown("text that becomes code is not known beforehand")),
        },
        "trap" => trap(args)?,
        "test" | "[" | "wait" | "exit" | "return" | "break" | "continue" | "shift" => test(args)?,
        "alias" | "unalias" => return Err(unknown("an alias gives a command another meaning")),
        "export" | "declare" | "typeset" | "local" | "readonly" | "unset" | "read" => {
            variables(name, args)?.unwrap_or_else(itself)
        }
        // What a script that is sourced does, it could do as a script: it is judged as one.
        "pushd" | "popd" => {
            let mut all = itself();
            all.push(Within::Moves);
            all
        }
        _ => itself(),
    })
}

/// Whether a command may give a variable, or a parameter, a value that runs commands where it is
/// evaluated as arithmetic: `a[$(…)]`.
pub(crate) fn is_unsure(name: &str, args: &[Word]) -> bool {
    let is_harmless = |word: &Word| word.is_literal && !word.text.contains('[');
    let mut args = args.iter();
    match name {
        "read" => true,
        "export" | "declare" | "typeset" | "local" | "readonly" | "set" => !args.all(is_harmless),
        // Behind the text stand its parameters.
        "sh" | "dash" | "ash" | "bash" | "zsh" | "ksh" => {
            let behind = args.skip_while(|arg| arg.text.starts_with(['-', '+']));
            !behind.skip(1).all(is_harmless)
        }
        // Of any command, `$_` is the last word.
        _ => args.any(runs_as_index),
    }
}

/// Whether a word would run something if it were evaluated as arithmetic.
fn runs_as_index(word: &Word) -> bool {
    word.text.contains('[') && (word.text.contains("$(") || word.text.contains('`'))
}

/// A test of a variable by its name evaluates the index that stands in it; zsh evaluates numbers.
fn test(args: &[Word]) -> Result<Vec<Within>, Unparsed> {
    let mut after = args.iter().skip(1);
    let by_name = |(arg, next): (&Word, Option<&Word>)| {
        let is_name = next.and_then(Word::known).is_some_and(is_identifier);
        matches!(arg.known(), Some("-v" | "-R")) && !is_name
    };
    let is_evaluated = args.iter().map(|arg| (arg, after.next())).any(by_name);
    match is_evaluated || args.iter().any(|arg| arg.is_literal && runs_as_index(arg)) {
        true => Err(unknown("an index of a variable")),
        false => Ok(vec![Within::Itself(args.to_vec())]),
    }
}

fn unknown(why: &'static str) -> Unparsed {
    Unparsed::new(0, why)
}

/// The words behind the options; `None` if one of them is not known.
fn after_options<'w>(args: &'w [Word], known: &Options) -> Option<&'w [Word]> {
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        let Some(option) = first.known() else {
            return (!first.splits).then_some(rest);
        };
        if option == "--" {
            return Some(after);
        }
        if !option.starts_with('-') || option == "-" {
            return Some(rest);
        }
        let has_value = |name: &str| {
            let value = option.strip_prefix(name);
            match name.starts_with("--") {
                true => value.is_some_and(|value| value.starts_with('=')),
                false => value.is_some_and(|value| !value.is_empty()),
            }
        };
        if known.flags.contains(&option) || known.values.iter().any(|name| has_value(name)) {
            rest = after;
        } else if known.values.contains(&option) {
            rest = after.split_first().filter(|(value, _)| !value.splits)?.1;
        } else {
            return None;
        }
    }
    Some(rest)
}

/// The name that a word gives a value to.
fn assigned(word: &Word) -> Option<&str> {
    let (name, _) = word.text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    is_identifier(name).then_some(name)
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn env(args: &[Word]) -> Option<Vec<Within>> {
    let known = options(
        &["-i", "-", "--ignore-environment", "-0", "--null"],
        &["-u", "--unset"],
    );
    let mut rest = after_options(args, &known)?;
    let mut all = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let Some(name) = assigned(first) else { break };
        all.push(Within::Sets(name.to_owned()));
        rest = after;
    }
    match rest {
        [] => all.push(Within::Itself(Vec::new())),
        words => all.push(Within::Runs(words.to_vec())),
    }
    Some(all)
}

fn xargs(args: &[Word]) -> Option<Vec<Within>> {
    let known = options(
        &[
            "-0",
            "--null",
            "-r",
            "--no-run-if-empty",
            "-t",
            "--verbose",
            "-x",
            "-o",
        ],
        &[
            "-n",
            "--max-args",
            "-L",
            "--max-lines",
            "-P",
            "--max-procs",
            "-I",
            "-d",
            "--delimiter",
            "-s",
        ],
    );
    let mut words = after_options(args, &known)?.to_vec();
    if words.is_empty() {
        return None;
    }
    // With `-I` its text stands anywhere in what runs.
    let replaced = replaced(args);
    if let Some(replaced) = &replaced {
        for word in &mut words {
            word.is_literal &= !word.text.contains(replaced.as_str());
        }
    }
    words.push(Word::unknown("{}"));
    Some(vec![Within::Runs(words)])
}

fn replaced(args: &[Word]) -> Option<String> {
    let at = args.iter().position(|arg| arg.text.starts_with("-I"))?;
    let own = args.get(at)?.text.strip_prefix("-I")?.to_owned();
    match own.is_empty() {
        true => Some(args.get(at + 1)?.text.clone()),
        false => Some(own),
    }
}

/// `find … -exec PROGRAM … ;`: the search itself, and what it runs for what it finds.
fn find(name: &str, args: &[Word]) -> Option<Vec<Within>> {
    let starts: &[&str] = match name {
        "find" => &["-exec", "-execdir", "-ok", "-okdir"],
        _ => &["-x", "--exec", "-X", "--exec-batch"],
    };
    let mut own = Vec::new();
    let mut all = Vec::new();
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if !first.known().is_some_and(|word| starts.contains(&word)) {
            own.push(first.clone());
            continue;
        }
        let is_end = |word: &Word| matches!(word.known(), Some(";" | "+"));
        let end = rest.iter().position(is_end).unwrap_or(rest.len());
        let (words, after) = rest.split_at_checked(end)?;
        let mut words = words.to_vec();
        for word in words.iter_mut().filter(|word| word.text.contains("{}")) {
            word.is_literal = false;
        }
        if words.is_empty() || (name == "find" && after.is_empty()) {
            return None;
        }
        if name != "find" {
            words.push(Word::unknown("{}"));
        }
        // What runs in the directory of what was found runs anywhere.
        if first.text.ends_with("dir") {
            return None;
        }
        all.push(Within::Runs(words));
        rest = after.split_first().map_or(&[][..], |(_, after)| after);
    }
    all.insert(0, Within::Itself(own));
    Some(all)
}

/// `watch` gives its words to a shell.
fn watch(args: &[Word]) -> Result<Option<Vec<Within>>, Unparsed> {
    let known = options(&["-t", "-d", "-e", "-g", "-c"], &["-n", "--interval"]);
    let Some(words) = after_options(args, &known).filter(|words| !words.is_empty()) else {
        return Ok(None);
    };
    let words: Option<Vec<&str>> = words.iter().map(Word::known).collect();
    match words {
        Some(words) => Ok(Some(vec![Within::Script {
            text: words.join(" "),
            posix: true,
        }])),
        None => Err(unknown("text that becomes code is not known beforehand")),
    }
}

/// A shell with `-c TEXT`, a script, or what comes to it.
fn shell(name: &str, args: &[Word]) -> Result<Vec<Within>, Unparsed> {
    let posix = !matches!(name, "bash" | "zsh");
    let mut rest = args;
    let mut runs_text = false;
    while let Some((first, after)) = rest.split_first() {
        let Some(option) = first.known() else {
            return Err(unknown("what a shell runs is not known beforehand"));
        };
        if matches!(option, "--norc" | "--noprofile" | "--login" | "--posix") {
            rest = after;
        } else if let Some(letters) = option.strip_prefix(['-', '+']).filter(|l| !l.is_empty()) {
            let (letters, named) = match letters.strip_suffix('o') {
                Some(letters) => (letters, 1),
                None => (letters, 0),
            };
            if !letters.chars().all(|c| "ceuxlvn".contains(c)) {
                return Ok(vec![Within::Code]);
            }
            runs_text |= letters.contains('c');
            rest = after.get(named..).unwrap_or(&[]);
        } else {
            break;
        }
    }
    Ok(match rest.split_first() {
        Some((text, _)) if runs_text => vec![Within::Script {
            text: text.known().unwrap_or_default().to_owned(),
            posix,
        }],
        Some(_) => vec![Within::Itself(rest.to_vec())],
        None => vec![Within::Code],
    })
}

/// Text that runs later. Where it runs then, nobody knows; so it says nothing of files.
fn trap(args: &[Word]) -> Result<Vec<Within>, Unparsed> {
    let words: Option<Vec<&str>> = args.iter().map(Word::known).collect();
    match words.as_deref() {
        Some([] | ["-p" | "-l" | "-" | "", ..]) => Ok(Vec::new()),
        Some([text, ..]) => Ok(vec![
            Within::Script {
                text: (*text).to_owned(),
                posix: false,
            },
            Within::Code,
        ]),
        None => Err(unknown("text that becomes code is not known beforehand")),
    }
}

/// The variables that a builtin sets; `None` if it does more than that.
fn variables(name: &str, args: &[Word]) -> Result<Option<Vec<Within>>, Unparsed> {
    let mut all = Vec::new();
    let mut skips = false;
    for arg in args {
        if std::mem::take(&mut skips) && arg.is_literal {
            continue;
        }
        // An index is evaluated, whatever it is.
        let named = arg.text.split('=').next().unwrap_or_default();
        if named.contains('[') {
            return Err(unknown("an index of a variable"));
        }
        match arg.known() {
            Some("-p" | "-d" | "-n" | "-t" | "-u") if name == "read" => skips = true,
            Some("-r" | "-s" | "-a" | "-rs" | "-ra" | "-x" | "-g" | "-p" | "-A" | "-v" | "--") => {}
            Some(option) if option.starts_with('-') => return Ok(None),
            Some(word) if is_identifier(word) => all.push(Within::Sets(word.to_owned())),
            _ => match assigned(arg) {
                Some(name) => all.push(Within::Sets(name.to_owned())),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(all))
}
