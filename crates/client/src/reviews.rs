//! Answering escalations.

use countersign_wire::{ReviewAnswered, ReviewList, ReviewRequest, ReviewShown};

use crate::body::encode;
use crate::error::ClientError;
use crate::transport::Client;

impl Client {
    /// The escalations that wait for an answer, those that end soonest first. Role `reviewer`,
    /// `auditor`, or `ingress` for those of turns that it registered.
    pub fn reviews(&self) -> Result<ReviewList, ClientError> {
        self.get("/v1/reviews")
    }

    /// What a reviewer needs to answer an escalation; that it was opened is an entry. Role `reviewer`.
    pub fn show_review(&self, decision: &str) -> Result<ReviewShown, ClientError> {
        self.post_nothing(&format!("/v1/reviews/{}/show", encode(decision)))
    }

    /// Answers an escalation. Role `reviewer`, with its key's signature; or the `ingress` that
    /// registered the turn, for the person whose turn it is.
    pub fn review(&self, request: &ReviewRequest) -> Result<ReviewAnswered, ClientError> {
        self.post("/v1/reviews", request)
    }
}
