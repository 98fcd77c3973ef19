//! `countersign init --successor-of`: a new log in the place of one that has lost entries.

use std::path::Path;

use countersign_host::{DataDir, Host, Remains};
use countersign_service::FirstCredential;

use super::first;
use super::reviewer::FirstReviewer;
use super::settings::FirstStart;
use crate::bundles;
use crate::error::CliError;
use crate::terminal::Terminal;

/// Begins a log that continues the one of which `old` holds what remains.
pub(super) fn begin(
    data: &DataDir,
    old: &Path,
    is_confirmed: bool,
    (first, reviewer): (&FirstStart, &FirstReviewer),
    terminal: &Terminal,
) -> Result<(Host, Vec<FirstCredential>), CliError> {
    let old = DataDir::new(old);
    let remains = Remains::of(&old)?;
    confirm(&remains, &old, is_confirmed)?;
    let bundle = match (&first.bundle, &remains.bundle) {
        (None, Some(bundle)) => bundle.clone(),
        (None, None) => {
            let usual = first.bundle();
            terminal.warn(format!(
                "the bundle that was in force cannot be read: `{usual}` is in force, others come by `countersign policy publish --activate`"
            ));
            bundles::check(usual)?.0
        }
        (Some(named), _) => bundles::check(named)?.0,
    };
    let beginning = first::beginning(remains.tenant.clone(), None, bundle, reviewer);
    let begun = data.succeed(beginning, &old, &remains)?;
    terminal.note(format!(
        "the log `{}` continues `{}`",
        begun.0.service().origin(),
        remains.origin
    ));
    match remains.size() {
        Some(size) => terminal.note(format!(
            "its first entry names the old log's checkpoint of {size} entries, the newest that is known here"
        )),
        None => terminal.warn("no checkpoint of the old log is known here: its first entry names the old log only"),
    }
    terminal.note("hand the new keys to everybody who checks the log; whoever holds later checkpoints of the old one can show what was lost");
    Ok(begun)
}

/// A log is given up only by somebody who says so.
fn confirm(remains: &Remains, old: &DataDir, is_confirmed: bool) -> Result<(), CliError> {
    if is_confirmed {
        return Ok(());
    }
    let dir = old.path().display();
    Err(match &remains.trouble {
        None => CliError::usage(format!(
            "nothing is wrong with the log in `{dir}`: it needs no successor"
        ))
        .hint(format!("serve it with `countersign serve --data {dir}`"))
        .hint("to give it up all the same, say --i-have-lost-data"),
        Some(trouble) => CliError::usage(format!("the log in `{dir}` cannot go on: {trouble}"))
            .hint("put back what was lost, if it is anywhere")
            .hint("if it is lost for good, say so with --i-have-lost-data: the new log has another origin and other keys"),
    })
}
