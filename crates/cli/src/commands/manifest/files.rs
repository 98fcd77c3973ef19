//! The files of a bundle's manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::document::ToolManifest;
use serde_json::Value;

use super::fresh::{file_of, pretty, save_new, save_over};
use crate::error::CliError;

/// The files of manifests, and which of them have changed.
pub(super) struct Files {
    directory: PathBuf,
    all: BTreeMap<PathBuf, File>,
}

struct File {
    manifests: Vec<ToolManifest>,
    /// Whether it holds one manifest and not a list.
    is_one: bool,
    is_new: bool,
    is_changed: bool,
}

pub(super) fn files(directory: &Path) -> Result<Files, CliError> {
    let mut all = BTreeMap::new();
    let tools = directory.join("tools");
    let entries = match std::fs::read_dir(&tools) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Files {
                directory: directory.to_owned(),
                all,
            });
        }
        Err(error) => return Err(CliError::io(&tools, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| CliError::io(&tools, error))?.path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let value: Value = serde_json::from_str(&crate::input::file(&path)?)
            .map_err(|error| CliError::io(&path, error))?;
        let is_one = value.is_object();
        let manifests = if is_one {
            serde_json::from_value(value).map(|one| vec![one])
        } else {
            serde_json::from_value(value)
        };
        let file = File {
            manifests: manifests.map_err(|error| CliError::io(&path, error))?,
            is_one,
            is_new: false,
            is_changed: false,
        };
        all.insert(path, file);
    }
    Ok(Files {
        directory: directory.to_owned(),
        all,
    })
}

impl Files {
    pub(super) fn put(&mut self, manifest: ToolManifest) -> Result<(), CliError> {
        for file in self.all.values_mut() {
            let known = file
                .manifests
                .iter_mut()
                .find(|known| known.tool == manifest.tool);
            if let Some(known) = known {
                *known = manifest;
                file.is_changed = true;
                return Ok(());
            }
        }
        let path = self.directory.join(file_of(&manifest.tool));
        if self.all.contains_key(&path) {
            return Err(CliError::io(&path, "it holds the manifest of another tool"));
        }
        let file = File {
            manifests: vec![manifest],
            is_one: true,
            is_new: true,
            is_changed: true,
        };
        self.all.insert(path, file);
        Ok(())
    }

    pub(super) fn save(&self) -> Result<(), CliError> {
        for (path, file) in self.all.iter().filter(|(_, file)| file.is_changed) {
            let text = match file.manifests.as_slice() {
                [one] if file.is_one => pretty(one)?,
                all => pretty(&all)?,
            };
            match file.is_new {
                true => {
                    let name = path.strip_prefix(&self.directory).unwrap_or(path);
                    save_new(&self.directory, &name.to_string_lossy(), &text)?;
                }
                false => save_over(path, &text)?,
            }
        }
        Ok(())
    }
}
