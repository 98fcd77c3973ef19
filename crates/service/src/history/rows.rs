//! Where the rows of history are kept: in the state of the ledger.

use countersign_core::history::{Rows, RowsMut};
use countersign_ledger::{LogReader, StateKey, Step, StepError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::rebuild::Rebuilt;
use crate::error::ServiceError;
use crate::state;

/// Rows as they were committed last.
pub(crate) struct LedgerRows<'a> {
    pub(crate) ledger: &'a LogReader,
    pub(crate) rebuilt: &'a Rebuilt,
}

impl Rows for LedgerRows<'_> {
    type Error = ServiceError;

    fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ServiceError> {
        match state::read(self.ledger, &StateKey::new(key))? {
            Some(row) => Ok(Some(row)),
            None => Ok(self.rebuilt.read(key)),
        }
    }
}

/// Rows as the plan sees them.
pub(crate) struct StepRows<'s, 'a> {
    pub(crate) step: &'s mut Step<'a>,
    pub(crate) rebuilt: &'s Rebuilt,
}

impl Rows for StepRows<'_, '_> {
    type Error = StepError;

    fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StepError> {
        match state::read_in(self.step, &StateKey::new(key))? {
            Some(row) => Ok(Some(row)),
            None => Ok(self.rebuilt.read(key)),
        }
    }
}

impl RowsMut for StepRows<'_, '_> {
    fn write<T: Serialize>(&mut self, key: String, row: &T) -> Result<(), StepError> {
        state::put(self.step, StateKey::new(key), row)
    }
}
