//! `countersign policy library`

use clap::Args;
use serde::Serialize;

use crate::bundles::{LIBRARY, STARTERS};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::wrapped;
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Args)]
pub(crate) struct LibraryArgs {
    /// The policy's name; without it, all are listed
    name: Option<String>,
}

/// A policy of the library.
#[derive(Serialize)]
struct Kept {
    name: &'static str,
    /// What the comment at its beginning says.
    about: String,
    /// The text of its file in `policies/`.
    policy: &'static str,
    /// The text of its file in `cases/`.
    cases: &'static str,
}

pub(super) fn run(args: &LibraryArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let kept = kept();
    let Some(name) = &args.name else {
        terminal.answer(&serde_json::json!({ "library": kept }), || {
            let all = kept.iter().map(|one| {
                let name = terminal.paint(Tone::Strong, one.name);
                format!("{name}\n{}", wrapped(&one.about, "  "))
            });
            all.collect::<Vec<_>>().join("\n")
        })?;
        if !terminal.is_json() {
            terminal.hint("countersign policy library NAME prints a policy with its cases");
        }
        return Ok(Exit::Yes);
    };
    let Some(one) = kept.iter().find(|one| one.name == name) else {
        let names: Vec<&str> = kept.iter().map(|one| one.name).collect();
        return Err(CliError::usage(format!(
            "there is no policy `{name}` in the library: there are {}",
            names.join(", ")
        )));
    };
    terminal.answer(one, || {
        format!(
            "// policies/{}.cedar\n{}\n\n# cases/{}.toml\n{}",
            one.name,
            one.policy.trim_end(),
            one.name,
            one.cases.trim_end()
        )
    })?;
    Ok(Exit::Yes)
}

fn kept() -> Vec<Kept> {
    let starters = STARTERS.iter().filter(|starter| starter.name == LIBRARY);
    let files = || starters.clone().flat_map(|starter| starter.files);
    let text_of = |wanted: String| {
        let found = files().find(|(path, _)| *path == wanted);
        found.map_or("", |(_, text)| text)
    };
    files()
        .filter_map(|(path, text)| {
            let name = path.strip_prefix("policies/")?.strip_suffix(".cedar")?;
            Some(Kept {
                name,
                about: about(text),
                policy: text,
                cases: text_of(format!("cases/{name}.toml")),
            })
        })
        .collect()
}

/// The comment with which a text begins.
fn about(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//"));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    lines.join(" ")
}
