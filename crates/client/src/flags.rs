//! Reading flags and taking note of them.

use countersign_wire::{FlagChanged, FlagDetail, FlagList};

use crate::body::encode;
use crate::error::ClientError;
use crate::transport::Client;

impl Client {
    /// The flags, newest first. Role `auditor`, `reviewer` or `admin`.
    pub fn flags(&self) -> Result<FlagList, ClientError> {
        self.get("/v1/flags")
    }

    /// One flag with its reports and the entries that it rests on, each with its proof. Role
    /// `auditor`, `reviewer` or `admin`.
    pub fn flag(&self, flag: &str) -> Result<FlagDetail, ClientError> {
        self.get(&format!("/v1/flags/{}", encode(flag)))
    }

    /// Takes note of a flag; that is an entry. Role `reviewer` or `admin`.
    pub fn acknowledge_flag(&self, flag: &str) -> Result<FlagChanged, ClientError> {
        self.post_nothing(&format!("/v1/flags/{}/acknowledge", encode(flag)))
    }

    /// Closes a flag; that is an entry. Role `reviewer` or `admin`.
    pub fn close_flag(&self, flag: &str) -> Result<FlagChanged, ClientError> {
        self.post_nothing(&format!("/v1/flags/{}/close", encode(flag)))
    }
}
