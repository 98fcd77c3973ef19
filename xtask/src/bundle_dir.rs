//! Reading a bundle directory from the disk.

use std::path::Path;

use countersign_core::document::BundleContent;
use countersign_judge::{Finding, source};

use crate::error::Error;

/// Deepest directory that is looked into; a bundle has one level.
const DEPTH: usize = 4;

/// The bundle in a directory.
pub(crate) fn read(root: &Path) -> Result<BundleContent, Error> {
    let mut files = Vec::new();
    collect(root, "", 0, &mut files)?;
    source::read(&files).map_err(|findings| Error::Bundle(lines(&findings)))
}

/// Findings, one after the other.
pub(crate) fn lines(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn collect(
    directory: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, String)>,
) -> Result<(), Error> {
    for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
        let path = entry.map_err(Error::io(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let relative = if prefix.is_empty() {
            name.into_owned()
        } else {
            format!("{prefix}/{name}")
        };
        if path.is_dir() && depth < DEPTH {
            collect(&path, &relative, depth + 1, files)?;
        } else {
            files.push((
                relative,
                std::fs::read_to_string(&path).map_err(Error::io(&path))?,
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use countersign_core::document::Bundle;
    use countersign_judge::CompiledBundle;

    use super::*;
    use crate::workspace;

    #[test]
    fn the_example_for_the_recordings_compiles() {
        let content = read(&workspace::root().join("examples/agentdojo/bundle")).unwrap();
        let tenant = "xtask".parse().unwrap();
        let bundle = CompiledBundle::compile(Bundle { tenant, content });
        let bundle = bundle.unwrap_or_else(|error| panic!("{}", lines(&error.findings)));
        for tool in [
            "send_email",
            "send_direct_message",
            "checkout_selected_cart",
        ] {
            assert!(bundle.tool(tool).is_some(), "{tool}");
        }
    }
}
