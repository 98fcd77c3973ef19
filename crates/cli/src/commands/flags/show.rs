//! `countersign flags show`

use countersign_wire::FlagDetail;

use super::READERS;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

pub(super) fn run(
    flag: &str,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(READERS)?;
    let answer = client.flag(flag)?;
    terminal.answer(&answer, || text(terminal, &answer))?;
    if !terminal.is_json() {
        terminal.hint(format!("countersign explain {}", answer.flag.onset));
    }
    Ok(Exit::Yes)
}

fn text(terminal: &Terminal, answer: &FlagDetail) -> String {
    let flag = render::flags(terminal, std::slice::from_ref(&answer.flag));
    let entries = render::entries(terminal, &answer.entries);
    let reports = render::entries(terminal, &answer.reports);
    format!("{flag}\n\nwhat it rests on\n{entries}\n\nthe flag itself\n{reports}")
}
