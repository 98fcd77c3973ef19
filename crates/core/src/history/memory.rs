//! Rows in memory, for who follows a log from its first entry.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Rows, RowsMut};

/// Rows in memory, each with the entry that changed it last.
#[derive(Debug, Default)]
pub struct MemoryRows {
    rows: BTreeMap<String, (u64, Value)>,
    at: u64,
}

impl MemoryRows {
    /// Rows that change from now on are changed by the entry at this index.
    pub fn at(&mut self, index: u64) {
        self.at = index;
    }

    /// All rows, each with the entry that changed it last.
    pub fn into_rows(self) -> BTreeMap<String, (u64, Value)> {
        self.rows
    }
}

impl Rows for MemoryRows {
    type Error = Infallible;

    fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Infallible> {
        let row = self.rows.get(key);
        Ok(row.and_then(|(_, row)| T::deserialize(row).ok()))
    }
}

impl RowsMut for MemoryRows {
    fn write<T: Serialize>(&mut self, key: String, row: &T) -> Result<(), Infallible> {
        // What is written here is made of numbers and always has a JSON.
        if let Ok(row) = serde_json::to_value(row) {
            self.rows.insert(key, (self.at, row));
        }
        Ok(())
    }
}
