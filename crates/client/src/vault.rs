//! Sealed records: opening them, and holds.

use countersign_wire::{
    HoldList, HoldPlaced, HoldReleased, HoldRequest, OpenRequest, Opened, OpeningConfirmed,
    OpeningRequested, OpeningView, ReleaseRequest,
};

use crate::body::encode;
use crate::error::ClientError;
use crate::transport::{Client, Request};

/// What became of the wish to open a record.
#[derive(Debug, Clone)]
pub enum OpenAnswer {
    /// It is open.
    Opened(Opened),
    /// Two people are needed, and the second one must say yes first.
    Requested(OpeningRequested),
}

impl Client {
    /// Opens a sealed record, or asks for it where two people are needed. Role `vault-reader`.
    pub fn open_record(
        &self,
        reference: &str,
        request: &OpenRequest,
    ) -> Result<OpenAnswer, ClientError> {
        let path = format!("/v1/vault/{}/open", encode(reference));
        let bytes = self.send(Request::with_json(
            ureq::http::Method::POST,
            &path,
            request,
        )?)?;
        if let Ok(opened) = serde_json::from_slice(&bytes) {
            return Ok(OpenAnswer::Opened(opened));
        }
        serde_json::from_slice(&bytes)
            .map(OpenAnswer::Requested)
            .map_err(|_| self.not_this_api(200))
    }

    /// Opens a sealed record by one person; that it was opened is an entry. Role `vault-reader`. Where
    /// two people are needed it is refused with the code `second-reader`.
    pub fn open(&self, reference: &str, purpose: &str) -> Result<Opened, ClientError> {
        let request = OpenRequest {
            purpose: Some(purpose.to_owned()),
            request: None,
            alone: true,
        };
        let path = format!("/v1/vault/{}/open", encode(reference));
        self.post(&path, &request)
    }

    /// A request for an opening, and what became of it. Role `vault-reader`.
    pub fn opening(&self, request: &str) -> Result<OpeningView, ClientError> {
        self.get(&format!("/v1/vault/openings/{}", encode(request)))
    }

    /// Says yes to an opening that another person asked for. Role `vault-reader`.
    pub fn confirm_opening(&self, request: &str) -> Result<OpeningConfirmed, ClientError> {
        self.post_nothing(&format!("/v1/vault/openings/{}/confirm", encode(request)))
    }

    /// Puts records under legal hold. Role `admin`.
    pub fn place_hold(&self, request: &HoldRequest) -> Result<HoldPlaced, ClientError> {
        self.post("/v1/vault/holds", request)
    }

    /// Lifts a hold. Role `admin`.
    pub fn release_hold(&self, request: &ReleaseRequest) -> Result<HoldReleased, ClientError> {
        self.post("/v1/vault/holds/release", request)
    }

    /// A page of the holds in force, the oldest first, after the one that is named. Role `admin` or
    /// `auditor`.
    pub fn holds(&self, after: Option<&str>) -> Result<HoldList, ClientError> {
        match after {
            None => self.get("/v1/vault/holds"),
            Some(after) => self.get(&format!("/v1/vault/holds?after={}", encode(after))),
        }
    }
}
