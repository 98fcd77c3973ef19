//! One method per route.

use std::time::Duration;

use countersign_wire::{
    BundleCurrent, BundleStored, CloseSession, CredentialCreated, CredentialList, DecisionAnswer,
    DecisionRequest, DelegationAnswer, DelegationRequest, DirectoryChanged, EntryAnswer, EntryPage,
    ExecutionAnswer, ExecutionRequest, Explanation, Head, HealthView, NewCredential, OpenSession,
    ProofAnswer, ReplayPage, ReplayRequest, Revoked, SessionClosed, SessionOpened,
    SetCurrentBundle, ShadowEnded, StopRequest, TurnAnswer, TurnRequest,
};
use serde_json::{Map, Value};
use ureq::http::Method;

use crate::body::{encode, limit};
use crate::error::ClientError;
use crate::log::LogPath;
use crate::query::EntriesQuery;
use crate::transport::{Client, Request};

/// How much longer than another request a page of a replay may take.
const REPLAY_WAIT: Duration = Duration::from_secs(60);

/// Turns and calls.
impl Client {
    /// Registers a turn. Role `ingress`.
    pub fn register_turn(&self, turn: &TurnRequest) -> Result<TurnAnswer, ClientError> {
        self.post("/v1/turns", turn)
    }

    /// Ends a turn. Role `ingress`, `admin` or `reviewer`.
    pub fn revoke_turn(&self, intent_ref: &str) -> Result<Revoked, ClientError> {
        self.post_nothing(&format!("/v1/turns/{}/revoke", encode(intent_ref)))
    }

    /// Opens a session before its first turn; one that the same credential has open stays as it is.
    /// Role `ingress`.
    pub fn open_session(&self, request: &OpenSession) -> Result<SessionOpened, ClientError> {
        self.post("/v1/sessions/open", request)
    }

    /// Gives part of an agent's mandate to another agent. Role `agent`, for both actors.
    pub fn delegate(&self, request: &DelegationRequest) -> Result<DelegationAnswer, ClientError> {
        self.post("/v1/delegations", request)
    }

    /// Closes a session. Role `ingress` for one that it opened, or `admin`.
    pub fn close_session(&self, request: &CloseSession) -> Result<SessionClosed, ClientError> {
        self.post("/v1/sessions/close", request)
    }

    /// Stops an actor or everything, or lifts a stop. Role `admin` or `reviewer`.
    pub fn stop(&self, request: &StopRequest) -> Result<Revoked, ClientError> {
        self.post("/v1/stop", request)
    }

    /// Asks for a decision. Role `agent`. With the same idempotency key and body the same entry and
    /// permit are answered again.
    pub fn decide(
        &self,
        request: &DecisionRequest,
        idempotency_key: Option<&str>,
    ) -> Result<DecisionAnswer, ClientError> {
        let body =
            serde_json::to_vec(request).map_err(|error| ClientError::Request(error.to_string()))?;
        self.decide_bytes(body, idempotency_key)
    }

    /// The same with a body that was written elsewhere and is sent as it is.
    pub fn decide_bytes(
        &self,
        body: Vec<u8>,
        idempotency_key: Option<&str>,
    ) -> Result<DecisionAnswer, ClientError> {
        let mut request =
            Request::with_bytes(Method::POST, "/v1/decisions", "application/json", body);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.json(request)
    }

    /// A decision that was made before; with `wait`, not before an open escalation is closed or the
    /// time has passed. Role `agent` for its own, `auditor`, `tool` or `reviewer` for any.
    pub fn decision(
        &self,
        entry_id: &str,
        wait: Option<Duration>,
    ) -> Result<DecisionAnswer, ClientError> {
        let mut path = format!("/v1/decisions/{}", encode(entry_id));
        if let Some(wait) = wait {
            path.push_str(&format!("?wait_s={}", wait.as_secs()));
        }
        self.json(Request {
            extra: wait.unwrap_or_default(),
            ..Request::get(&path)
        })
    }

    /// Reports what became of an approved call. Role `tool`.
    pub fn report_execution(
        &self,
        execution: &ExecutionRequest,
    ) -> Result<ExecutionAnswer, ClientError> {
        self.post("/v1/executions", execution)
    }
}

/// Reading the ledger.
impl Client {
    /// A page of entries. Role `auditor`.
    pub fn entries(&self, query: &EntriesQuery) -> Result<EntryPage, ClientError> {
        let path = format!("/v1/entries{}", query.to_url());
        self.json(Request {
            limit: limit::PAGE,
            ..Request::get(&path)
        })
    }

    /// One entry with its proof. Role `auditor`.
    pub fn entry(&self, entry_id: &str) -> Result<EntryAnswer, ClientError> {
        self.get(&format!("/v1/entries/{}", encode(entry_id)))
    }

    /// A proof of an entry against the newest published checkpoint, or that of `size`. Role `auditor`.
    pub fn entry_proof(
        &self,
        entry_id: &str,
        size: Option<u64>,
    ) -> Result<ProofAnswer, ClientError> {
        let mut path = format!("/v1/entries/{}/proof", encode(entry_id));
        if let Some(size) = size {
            path.push_str(&format!("?size={size}"));
        }
        self.get(&path)
    }

    /// Why a decision came out as it did. Role `auditor`; with `vault-reader` too and a purpose, the
    /// sealed parts are opened, and that is an entry.
    pub fn explain(
        &self,
        entry_id: &str,
        purpose: Option<&str>,
    ) -> Result<Explanation, ClientError> {
        let mut path = format!("/v1/entries/{}/explain", encode(entry_id));
        if let Some(purpose) = purpose {
            path.push_str(&format!("?purpose={}", encode(purpose)));
        }
        self.get(&path)
    }

    /// The head of the log and the public keys. No token.
    pub fn head(&self) -> Result<Head, ClientError> {
        self.get("/v1/head")
    }

    /// The log's newest checkpoint, a signed note. No token.
    pub fn checkpoint(&self, log: &LogPath) -> Result<Vec<u8>, ClientError> {
        let path = format!("{}/checkpoint", log.as_str());
        self.send(Request {
            limit: limit::PROBLEM,
            ..Request::get(&path)
        })
    }

    /// A tile of the log by its path in tlog-tiles layout, such as `tile/0/000` or
    /// `tile/entries/000.p/7`; `None` if there is none. Tiles of entries may need the role `auditor`.
    pub fn tile(&self, log: &LogPath, tile: &str) -> Result<Option<Vec<u8>>, ClientError> {
        let path = format!("{}/{tile}", log.as_str());
        match self.send(Request {
            limit: limit::TILE,
            ..Request::get(&path)
        }) {
            Err(error) if error.code() == Some("not-found") => Ok(None),
            answered => answered.map(Some),
        }
    }

    /// The public keys that check permits, a JWK set (RFC 7517). No token.
    pub fn jwks(&self) -> Result<String, ClientError> {
        let bytes = self.send(Request::get("/.well-known/jwks.json"))?;
        String::from_utf8(bytes)
            .map_err(|_| ClientError::Request("the key set is not utf-8".to_owned()))
    }

    /// How the server fares, also if it fares badly. No token.
    pub fn health(&self) -> Result<HealthView, ClientError> {
        self.json(Request {
            is_telling_unavailable: true,
            ..Request::get("/healthz")
        })
    }
}

/// Bundles, directory, credentials.
impl Client {
    /// Checks a bundle's content (JSON) and stores it in the log; it does not come into force by that.
    /// Role `author`.
    pub fn store_bundle(&self, content: Vec<u8>) -> Result<BundleStored, ClientError> {
        self.json(Request::with_bytes(
            Method::POST,
            "/v1/bundles",
            "application/json",
            content,
        ))
    }

    /// Puts a stored bundle in force in place of the one that the caller takes to be in force.
    /// Role `author`.
    pub fn set_bundle(
        &self,
        policy_ref: &str,
        in_force: &str,
    ) -> Result<BundleCurrent, ClientError> {
        let body = SetCurrentBundle {
            policy_ref: policy_ref.to_owned(),
        };
        let request = Request::with_json(Method::PUT, "/v1/bundles/current", &body)?;
        self.json(request.header("if-match", format!("\"{in_force}\"")))
    }

    /// The bundle in force, by its ref. Role `author`, `auditor`, `admin` or `reviewer`.
    pub fn current_bundle(&self) -> Result<BundleCurrent, ClientError> {
        self.get("/v1/bundles/current")
    }

    /// Puts a stored bundle in shadow. Role `author`.
    pub fn set_shadow(&self, policy_ref: &str) -> Result<BundleCurrent, ClientError> {
        let body = SetCurrentBundle {
            policy_ref: policy_ref.to_owned(),
        };
        self.json(Request::with_json(
            Method::PUT,
            "/v1/bundles/shadow",
            &body,
        )?)
    }

    /// Ends the time in shadow of the bundle that is. Role `author`.
    pub fn end_shadow(&self) -> Result<ShadowEnded, ClientError> {
        self.json(Request::with_bytes(
            Method::DELETE,
            "/v1/bundles/shadow",
            "application/json",
            Vec::new(),
        ))
    }

    /// The bundle in shadow, by its ref; `None` if none is. Role `author`, `auditor`, `admin` or
    /// `reviewer`.
    pub fn shadow(&self) -> Result<Option<BundleCurrent>, ClientError> {
        match self.get("/v1/bundles/shadow") {
            Err(error) if error.code() == Some("not-found") => Ok(None),
            answered => answered.map(Some),
        }
    }

    /// Judges a page of recorded decisions again under another bundle. Role `vault-reader`.
    pub fn replay(&self, request: &ReplayRequest) -> Result<ReplayPage, ClientError> {
        let request = Request::with_json(Method::POST, "/v1/bundles/replay", request)?;
        self.json(Request {
            limit: limit::PAGE,
            extra: REPLAY_WAIT,
            ..request
        })
    }

    /// A stored bundle's canonical JSON. Role `author`, `auditor`, `admin` or `reviewer`.
    pub fn bundle(&self, policy_ref: &str) -> Result<Vec<u8>, ClientError> {
        self.send(Request::get(&format!("/v1/bundles/{}", encode(policy_ref))))
    }

    /// Sets an entity's attributes in the directory; `None` removes it. Role `author`.
    pub fn put_entity(
        &self,
        kind: &str,
        id: &str,
        attributes: Option<&Map<String, Value>>,
    ) -> Result<DirectoryChanged, ClientError> {
        let path = format!("/v1/directory/{}/{}", encode(kind), encode(id));
        self.json(Request::with_json(Method::PUT, &path, &attributes)?)
    }

    /// Changes many entities together, given as JSON Lines; all or none. Role `author`.
    pub fn load_directory(&self, lines: Vec<u8>) -> Result<DirectoryChanged, ClientError> {
        self.json(Request::with_bytes(
            Method::POST,
            "/v1/directory",
            "application/jsonl",
            lines,
        ))
    }

    /// Grants a credential; its token is in the answer and nowhere else. Role `admin`.
    pub fn add_credential(
        &self,
        credential: &NewCredential,
    ) -> Result<CredentialCreated, ClientError> {
        self.post("/v1/credentials", credential)
    }

    /// The credentials, without their tokens. Role `admin` or `auditor`.
    pub fn credentials(&self) -> Result<CredentialList, ClientError> {
        self.get("/v1/credentials")
    }

    /// Revokes a credential. Role `admin`.
    pub fn revoke_credential(&self, credential: &str) -> Result<Revoked, ClientError> {
        self.post_nothing(&format!("/v1/credentials/{}/revoke", encode(credential)))
    }
}
