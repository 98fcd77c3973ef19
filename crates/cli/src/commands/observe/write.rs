//! Writes a guessed bundle as the directory that `policy check` reads.

use std::path::Path;

use countersign_core::document::BundleContent;

use crate::error::CliError;
use crate::terminal::Terminal;

/// Writes a bundle as the directory that `policy check` reads.
pub(super) fn bundle(
    directory: &Path,
    content: &BundleContent,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let save = |path: &str, text: &str| {
        let path = directory.join(path);
        let parent = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(parent).map_err(|error| CliError::io(parent, error))?;
        std::fs::write(&path, text).map_err(|error| CliError::io(&path, error))
    };
    let name = &content.name;
    let description = toml::Value::String(content.description.clone());
    save(
        "bundle.toml",
        &format!("name = \"{name}\"\ndescription = {description}\n"),
    )?;
    for file in &content.policies {
        save(&file.name, &file.text)?;
    }
    let tools = serde_json::to_string_pretty(&content.tools)
        .map_err(|error| CliError::usage(error.to_string()))?;
    save("tools/guessed.json", &format!("{tools}\n"))?;
    let shown = directory.display();
    terminal.note(format!(
        "the guessed bundle stands in `{shown}`: read every manifest before you use it"
    ));
    Ok(())
}
