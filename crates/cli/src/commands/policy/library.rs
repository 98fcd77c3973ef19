//! `countersign policy library`

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

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
    /// Write the policy and its cases into this bundle's directory; files that are there stay
    #[arg(long, value_name = "DIR", requires = "name")]
    into: Option<PathBuf>,
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
    if let Some(bundle) = &args.into {
        return take(one, bundle, terminal);
    }
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

/// Writes both files, or none if one is there already.
fn take(one: &Kept, bundle: &Path, terminal: &Terminal) -> Result<Exit, CliError> {
    if !bundle.join("bundle.toml").is_file() {
        return Err(CliError::io(bundle, "no bundle: it has no bundle.toml"));
    }
    let files = [
        (bundle.join("policies"), "cedar", one.policy),
        (bundle.join("cases"), "toml", one.cases),
    ];
    let path =
        |directory: &Path, extension: &str| directory.join(format!("{}.{extension}", one.name));
    for (directory, extension, _) in &files {
        let path = path(directory, extension);
        if path.exists() {
            return Err(CliError::io(&path, "the file is there already"));
        }
    }
    let mut written = Vec::new();
    for (directory, extension, text) in files {
        std::fs::create_dir_all(&directory).map_err(|error| CliError::io(&directory, error))?;
        let path = path(&directory, extension);
        let mut file = File::create_new(&path).map_err(|error| CliError::io(&path, error))?;
        file.write_all(text.as_bytes())
            .map_err(|error| CliError::io(&path, error))?;
        written.push(path.to_string_lossy().into_owned());
    }
    terminal.answer(&serde_json::json!({ "written": written }), || {
        crate::render::plain(&written.join("\n"))
    })?;
    if !terminal.is_json() {
        terminal.hint("put your own actions into both, then: countersign policy check, countersign policy test");
    }
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
