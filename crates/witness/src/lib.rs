//! A witness of transparency logs (C2SP tlog-witness v1.0.0): for each log it remembers the newest
//! checkpoint that it cosigned, and cosigns only what that one is the beginning of.
//!
//! The rules are here, the texts that log and witness exchange, and a store of one small file per
//! log. It speaks no HTTP: [`Witness::add_checkpoint`] takes a body and gives a [`Reply`], which
//! `countersign-api` carries. It holds no key: signing goes through `countersign_note::NoteSigner`.
//! The log's side, which submits checkpoints, is `countersign-publish`.
//!
//! | specification | here |
//! | --- | --- |
//! | tlog-witness, `add-checkpoint` request | [`AddCheckpoint`] |
//! | tlog-witness, the witness's rules | [`Witness`] |
//! | tlog-witness, the answers as a log reads them | [`Answer`] |
//! | checking and persisting as one step | [`WitnessStore`], [`FileStore`] |

mod answer;
mod file_store;
mod request;
mod store;
mod witness;

pub use answer::{Answer, MAX_ANSWER_LEN, SIZE_MEDIA_TYPE};
pub use file_store::{FileStore, FileStoreError};
pub use request::{AddCheckpoint, MAX_PROOF_LINES, MAX_REQUEST_LEN, RequestError};
pub use store::{Advance, Held, MemoryStore, StoreError, WitnessStore};
pub use witness::{
    Cosigner, LogName, MAX_LOGS, MlDsaCosigner, Refusal, Reply, Witness, WitnessError,
};
