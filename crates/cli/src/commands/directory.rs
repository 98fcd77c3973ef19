//! `countersign directory`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_wire::DirectoryChanged;
use serde_json::{Map, Value};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::Terminal;

/// Most lines and bytes of one change; the server takes 2,000 lines and 8 MiB.
const LINES: usize = 2_000;
const BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// Set or remove many entities, from JSON Lines of {"type", "id", "attributes"}
    Load(LoadArgs),
    /// Set one entity's attributes, or remove it
    Put(PutArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The file; `attributes` of null removes an entity
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The Cedar entity type, such as Contact
    #[arg(value_name = "TYPE")]
    kind: String,
    /// The entity's id, such as an address
    id: String,
    /// Its attributes: a JSON object, @FILE, or - for stdin
    #[arg(
        value_name = "JSON",
        required_unless_present = "remove",
        conflicts_with = "remove"
    )]
    attributes: Option<String>,
    /// Remove the entity
    #[arg(long)]
    remove: bool,
}

pub(crate) fn run(
    command: &DirectoryCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        DirectoryCommand::Load(args) => load(args, connection, terminal),
        DirectoryCommand::Put(args) => put(args, connection, terminal),
    }
}

fn load(
    args: &LoadArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let text =
        std::fs::read_to_string(&args.file).map_err(|error| CliError::io(&args.file, error))?;
    let client = connection.open(terminal)?.with_role(&["author"])?;
    let groups = groups(&text);
    let total: usize = groups.iter().map(|group| group.lines).sum();
    let bar = terminal.progress("directory");
    bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
    let mut answers: Vec<DirectoryChanged> = Vec::with_capacity(groups.len());
    for group in groups {
        let answer = client
            .load_directory(group.text.into_bytes())
            .map_err(|error| {
                let loaded: u32 = answers.iter().map(|answer| answer.changes).sum();
                let place = format!(
                    "after line {}; {loaded} entities were loaded before it",
                    group.before
                );
                CliError::from(error).hint(place)
            })?;
        bar.inc(u64::from(answer.changes));
        answers.push(answer);
    }
    bar.finish_and_clear();
    if terminal.is_json() {
        answers
            .iter()
            .try_for_each(|answer| terminal.json(answer))?;
        return Ok(Exit::Yes);
    }
    let changes: u32 = answers.iter().map(|answer| answer.changes).sum();
    let entries = answers.len();
    terminal.line(format!(
        "{changes} entities changed, in {entries} entr{}",
        if entries == 1 { "y" } else { "ies" }
    ))?;
    Ok(Exit::Yes)
}

fn put(args: &PutArgs, connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let attributes: Option<Map<String, Value>> = match &args.attributes {
        Some(json) => {
            let raw = input::json(json)?;
            let members = serde_json::from_str(raw.get());
            Some(members.map_err(|_| CliError::usage("the attributes are not a json object"))?)
        }
        None => None,
    };
    let client = connection.open(terminal)?.with_role(&["author"])?;
    let answer = client.put_entity(&args.kind, &args.id, attributes.as_ref())?;
    terminal.answer(&answer, || {
        format!("changed with entry {}", super::entry_id(&answer.entry))
    })?;
    Ok(Exit::Yes)
}

/// Lines that are sent together.
struct Group {
    text: String,
    lines: usize,
    /// How many lines of the file stand before it.
    before: usize,
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (before, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let fits =
            |group: &&mut Group| group.lines < LINES && group.text.len() + line.len() < BYTES;
        match groups.last_mut().filter(fits) {
            Some(group) => {
                group.text.push_str(line);
                group.text.push('\n');
                group.lines += 1;
            }
            None => groups.push(Group {
                text: format!("{line}\n"),
                lines: 1,
                before,
            }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_exactly_one_group() {
        let text = "{\"a\":1}\n\n".repeat(LINES * 2 + 1);
        let groups = groups(&text);
        assert_eq!(
            groups.iter().map(|group| group.lines).collect::<Vec<_>>(),
            [LINES, LINES, 1]
        );
        assert_eq!(groups[1].before, LINES * 2);
        assert_eq!(groups[2].text, "{\"a\":1}\n");
    }
}
