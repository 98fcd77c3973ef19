//! The handlers, which run at every call of an assistant: they go before everything else, because
//! reading the command line of all commands takes longer than they do.
//!
//! Exit codes other than 0 and 2 let the call run, so there are none.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use countersign_hooks::claude::Output;
use countersign_hooks::{agent_hooks, claude};

use crate::exit::Exit;

/// Answers the event if the command line is that of a handler and of nothing else; `None` to read it
/// in the usual way.
pub(crate) fn direct() -> Option<ExitCode> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (command, rest) = match words.split_first_chunk::<2>()? {
        ([hook, command], rest) if hook == "hook" => (command.to_str()?, rest),
        _ => return None,
    };
    let is_help = |word: &OsString| word == "--help" || word == "-h";
    if !matches!(command, "claude-code" | "agent-hooks") || rest.iter().any(is_help) {
        return None;
    }
    if command == "agent-hooks" && rest.iter().any(|word| is_option(word, "--listen")) {
        return None;
    }
    let is_managed = |word: &OsString| word == "--managed";
    if command == "claude-code" && rest.iter().any(is_managed) {
        return Some(managed(rest).into());
    }
    let exit = match (command, config(rest)) {
        ("claude-code", Ok(config)) => claude_code(config.as_deref()),
        (_, Ok(config)) => agent_hooks(config.as_deref()),
        (_, Err(word)) => write(&Output::block(&format!(
            "countersign hook {command}: `{}` is no option that is known; allowed is --config FILE",
            word.to_string_lossy().escape_debug()
        ))),
    };
    Some(exit.into())
}

/// Answers one event of Claude Code.
pub(crate) fn claude_code(config: Option<&Path>) -> Exit {
    write(&claude::respond(std::io::stdin().lock(), config))
}

/// Answers one event by the machine's managed settings.
fn managed(words: &[OsString]) -> Exit {
    let texts: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
    match texts.as_deref() {
        Some(
            ["--managed", "--server", server] | ["--managed", "--server", server, "--log-key", _],
        ) => write(&claude::respond_managed(std::io::stdin().lock(), server)),
        _ => write(&Output::block(
            "countersign hook claude-code --managed: what follows has to be --server URL, and may be --log-key KEY",
        )),
    }
}

/// Answers one context of agent-hooks.
pub(crate) fn agent_hooks(config: Option<&Path>) -> Exit {
    let verdict = agent_hooks::respond(std::io::stdin().lock(), config);
    write(&Output {
        stdout: format!("{verdict}\n"),
        stderr: String::new(),
        code: 0,
    })
}

/// Writes the answer. One that cannot be written is a refusal.
fn write(output: &Output) -> Exit {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(output.stdout.as_bytes())
        .and_then(|()| out.flush());
    // Nothing can be done about a closed stderr.
    let _ = std::io::stderr().lock().write_all(output.stderr.as_bytes());
    match (output.code, written) {
        (0, Ok(())) => Exit::Yes,
        _ => Exit::Trouble,
    }
}

fn config(words: &[OsString]) -> Result<Option<PathBuf>, OsString> {
    match words {
        [] => Ok(None),
        [option, path] if option == "--config" => Ok(Some(PathBuf::from(path))),
        [first, ..] => match first
            .to_str()
            .and_then(|word| word.strip_prefix("--config="))
        {
            Some(path) if words.len() == 1 => Ok(Some(PathBuf::from(path))),
            _ => Err(words
                .iter()
                .find(|word| *word != "--config")
                .unwrap_or(first)
                .clone()),
        },
    }
}

fn is_option(word: &OsString, name: &str) -> bool {
    let word = word.to_string_lossy();
    word == name
        || word
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('='))
}
