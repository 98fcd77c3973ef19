//! An answer: read, held against the escalation and whoever gives it, and committed with what comes
//! of it.

use countersign_core::document::{
    Document as _, ReviewBy, ReviewFact, Salt, SealedRecord, Statement,
};
use countersign_core::entry::{Links, Review, ReviewAnswer, Role};
use countersign_core::ids::EntryId;
use countersign_core::json;
use countersign_core::names::{KeyText, Origin};
use countersign_core::random::bytes32;
use countersign_core::refs::StatementRef;
use countersign_core::signed;
use countersign_core::time::Timestamp;
use countersign_ledger::CommitError;
use countersign_wire::{DecisionAnswer, ReviewAnswered, ReviewRequest, Shown};
use ed25519_dalek::{Signature, VerifyingKey};

use super::{Escalated, REVIEW_BODY_BYTES, ReviewUnit};
use crate::Service;
use crate::caller::Caller;
use crate::decide::{Answered, JUDGED_AGAIN, Recorded, Settled, reasons, requester_may_answer};
use crate::error::{ErrorCode, ServiceError};
use crate::promise::wait;
use crate::render;
use crate::turns::{name, word};

/// How far ahead an answer may end, in milliseconds: a day.
const ANSWER_TTL_MS: i64 = 24 * 60 * 60 * 1_000;
/// Longest text that an ingress says it showed, in bytes.
const SHOWN_BYTES: usize = 64 * 1024;
/// How long a nonce is, in characters of base64url.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;

/// An answer whose members are known to be well-formed.
struct Answer {
    decision: EntryId,
    answer: ReviewAnswer,
    expires_at: Option<Timestamp>,
    nonce: Option<KeyText>,
    by: By,
}

/// Who vouches for an answer.
enum By {
    /// A reviewer, who signs what was shown.
    Reviewer {
        shown_ref: StatementRef,
        signature: KeyText,
    },
    /// The ingress that registered the turn, which says what it showed.
    Ingress { shown: String },
}

impl Service {
    /// Answers an escalation and judges its call again with the answer, in one commit.
    ///
    /// Role `reviewer`, with the reviewer's signature; or the `ingress` that registered the turn, for
    /// the person whose turn it is, where every rule that asks lets that person answer. What comes of
    /// it closes the escalation: each is answered once, and a second answer is refused.
    pub fn review(&self, caller: &Caller, body: &[u8]) -> Result<ReviewAnswered, ServiceError> {
        caller.require_any(&[Role::Reviewer, Role::Ingress])?;
        let answer = Answer::read(json::parse_as(body, REVIEW_BODY_BYTES)?, caller)?;
        for _ in 0..=JUDGED_AGAIN {
            let gone = || {
                let detail = "the credential is no longer in force";
                ServiceError::new(ErrorCode::Unauthenticated, detail)
            };
            let caller = self.caller_of(caller.id())?.ok_or_else(gone)?;
            let escalated = self.open_escalation(answer.decision)?;
            let answered = self.answered(&caller, &escalated, &answer)?;
            let prepared = self.prepare_again(&escalated, answered)?;
            match wait(self.commit_decision(prepared)) {
                Err(CommitError::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(recorded) => return self.review_answer(recorded),
            }
        }
        Err(ServiceError::new(
            ErrorCode::Contended,
            "what the call rests on kept changing; nothing was recorded, and the same answer can be given again",
        ))
    }

    /// The answer as an entry and as a fact, if whoever gives it may.
    fn answered(
        &self,
        caller: &Caller,
        escalated: &Escalated,
        answer: &Answer,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let expires_at = answer.expires_at.unwrap_or(escalated.deadline);
        check_end(expires_at, now)?;
        let decision = &escalated.decision;
        let missing = || ServiceError::internal("an escalation without a call");
        let mut body = Review {
            links: Links {
                review: Some(escalated.id),
                ..Links::default()
            },
            call_ref: decision.call_ref.ok_or_else(missing)?,
            policy_ref: decision.policy_ref,
            intent_ref: decision.intent_ref,
            shown_ref: countersign_core::refs::Sha256::of(b"").into(),
            answer: answer.answer,
            credential: caller.id(),
            expires_at,
            nonce: match &answer.nonce {
                Some(nonce) => nonce.clone(),
                None => self.nonce()?,
            },
            signature: None,
        };
        let (by, shown) = match &answer.by {
            By::Reviewer {
                shown_ref,
                signature,
            } => {
                body.shown_ref = *shown_ref;
                body.signature = Some(signature.clone());
                let by = self.by_reviewer(caller, escalated, &body)?;
                (by, None)
            }
            By::Ingress { shown } => {
                self.check_requester(caller, escalated)?;
                // Wrapped: no words of an ingress pass for what was shown to a reviewer.
                let words = serde_json::json!({ "shown": shown }).to_string();
                let (shown_ref, record) = self.sealed_statement(&words)?;
                body.shown_ref = shown_ref;
                (ReviewBy::Requester, Some(record))
            }
        };
        let entry_id = self.entry_id();
        let mut reads = caller.reads();
        reads.limit(expires_at);
        Ok(Answered {
            fact: ReviewFact {
                entry: entry_id,
                escalation: escalated.id,
                answer: answer.answer,
                policy_ref: decision.policy_ref,
                reasons: decision.reasons.iter().cloned().collect(),
                by,
            },
            unit: ReviewUnit {
                entry_id,
                body,
                escalation: escalated.id,
                deadline: escalated.deadline,
                shown,
            },
            reads,
        })
    }

    /// As whom a reviewer answers, once the answer is known to be that of the reviewer's own key over
    /// what this service showed for this escalation.
    fn by_reviewer(
        &self,
        caller: &Caller,
        escalated: &Escalated,
        body: &Review,
    ) -> Result<ReviewBy, ServiceError> {
        let by = self.reviewer_of(caller, escalated)?;
        let signature = body.signature.as_ref();
        let is_signed = caller
            .public_key()
            .zip(signature)
            .is_some_and(|(key, signature)| is_signed(key, signature, &self.origin, body));
        if !is_signed {
            return Err(ServiceError::new(
                ErrorCode::BadSignature,
                "`signature` is not that of the reviewer's key over this answer to this escalation",
            ));
        }
        self.check_shown(caller, escalated, body.shown_ref)?;
        Ok(by)
    }

    /// As whom a reviewer would answer; an error for a reviewer who may not. Nobody reviews what is
    /// done in their own name, unless every rule that asks lets them.
    pub(super) fn reviewer_of(
        &self,
        caller: &Caller,
        escalated: &Escalated,
    ) -> Result<ReviewBy, ServiceError> {
        let refused = |detail: &str| Err(ServiceError::new(ErrorCode::OutOfBounds, detail));
        if caller.public_key().is_none() {
            return refused("the credential has no key to sign with: grant one with `public_key`");
        }
        let Some(principal) = caller.principal() else {
            return refused("the credential names no person: grant one with `principal`");
        };
        match escalated.decision.principal == Some(principal) {
            false => Ok(ReviewBy::Reviewer),
            true if escalated.requester_may_answer() => Ok(ReviewBy::Requester),
            true => refused(
                "the call is made in the reviewer's own name, and a rule that asks wants another person",
            ),
        }
    }

    /// An ingress answers for the person whose turn it registered, where every rule lets that person.
    fn check_requester(&self, caller: &Caller, escalated: &Escalated) -> Result<(), ServiceError> {
        if self.registrar(escalated.decision.intent_ref)? != Some(caller.id()) {
            // That of another ingress is not there for this one.
            let id = escalated.id;
            return Err(ServiceError::not_found(format!(
                "escalated decision `{id}`"
            )));
        }
        if escalated.requester_may_answer() {
            return Ok(());
        }
        Err(ServiceError::new(
            ErrorCode::OutOfBounds,
            "a rule that asks wants another person than the one whose turn it is: a reviewer answers",
        ))
    }

    /// What is signed must be what was shown here, to this reviewer, of this escalation.
    fn check_shown(
        &self,
        caller: &Caller,
        escalated: &Escalated,
        shown_ref: StatementRef,
    ) -> Result<(), ServiceError> {
        let other = || {
            ServiceError::malformed(
                "`shown_ref` is not what this reviewer was shown of this escalation; show it again",
            )
        };
        let record = self.ledger.sealed(shown_ref.digest())?;
        if record.is_none()
            && let Some(erased) = self.erasure_of(shown_ref.digest())?
        {
            return Err(erased);
        }
        let record = record.filter(|record| record.kind == Statement::KIND);
        let record = record.ok_or_else(other)?;
        let statement: Statement = self.vault.open(&record).map_err(|_| other())?;
        let shown: Shown = serde_json::from_str(&statement.text).map_err(|_| other())?;
        let is_same =
            shown.decision == escalated.id.to_string() && shown.reviewer == caller.id().to_string();
        if is_same { Ok(()) } else { Err(other()) }
    }

    pub(super) fn sealed_statement(
        &self,
        text: &str,
    ) -> Result<(StatementRef, SealedRecord), ServiceError> {
        let statement = Statement {
            tenant: self.tenant.clone(),
            text: text.to_owned(),
            salt: Salt::fresh(&*self.random),
        };
        Ok(self.vault.seal(&statement, &*self.random)?)
    }

    fn nonce(&self) -> Result<KeyText, ServiceError> {
        use base64::Engine as _;
        let bytes = bytes32(&*self.random);
        name(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }

    fn review_answer(&self, recorded: Recorded) -> Result<ReviewAnswered, ServiceError> {
        let missing = || ServiceError::internal("a review without its entries");
        let (Settled::Fresh(fresh), Some(entry), Some(review)) =
            (recorded.settled, recorded.entry, recorded.review)
        else {
            return Err(missing());
        };
        let bundle = self.compiled(&fresh.decision.policy_ref)?;
        let decision = DecisionAnswer {
            outcome: fresh.decision.outcome.name().to_owned(),
            entry_id: entry.entry_id.to_string(),
            reasons: reasons(&bundle, &fresh.decision.reasons),
            // It is the agent's alone.
            permit: None,
            resolution: None,
            requester_may_answer: requester_may_answer(&bundle, &fresh.decision),
            entry: render::with_proof(&entry.leaf, &entry.proof)?,
        };
        let review = render::with_proof(&review.leaf, &review.proof)?;
        self.watcher.decided(fresh.decision, Some(entry));
        Ok(ReviewAnswered { review, decision })
    }
}

impl Answer {
    fn read(request: ReviewRequest, caller: &Caller) -> Result<Self, ServiceError> {
        let by = match (request.signature, caller.has(Role::Ingress)) {
            (Some(signature), _) => {
                caller.require(Role::Reviewer)?;
                let missing = |member: &str| {
                    ServiceError::malformed(format!("`{member}` is missing: a reviewer signs it"))
                };
                if request.nonce.is_none() {
                    return Err(missing("nonce"));
                }
                if request.expires_at.is_none() {
                    return Err(missing("expires_at"));
                }
                if request.shown.is_some() {
                    let detail = "`shown` is for an ingress; a reviewer states `shown_ref`";
                    return Err(ServiceError::malformed(detail));
                }
                let shown_ref = request.shown_ref.ok_or_else(|| missing("shown_ref"))?;
                By::Reviewer {
                    shown_ref: name(&shown_ref)?,
                    signature: name(&signature)?,
                }
            }
            (None, true) => By::Ingress {
                shown: shown(request.shown, request.shown_ref.is_some())?,
            },
            (None, false) => {
                return Err(ServiceError::malformed(
                    "`signature` is missing: a reviewer's answer is signed",
                ));
            }
        };
        Ok(Self {
            decision: name(&request.decision)?,
            answer: word(&request.answer, "answer", "approve and reject")?,
            expires_at: request.expires_at.as_deref().map(name).transpose()?,
            nonce: request.nonce.as_deref().map(nonce).transpose()?,
            by,
        })
    }
}

/// What an ingress says that the person was shown.
fn shown(text: Option<String>, has_ref: bool) -> Result<String, ServiceError> {
    if has_ref {
        let detail = "`shown_ref` is for a reviewer; an ingress states `shown`";
        return Err(ServiceError::malformed(detail));
    }
    let text = text.unwrap_or_default();
    if text.trim().is_empty() || text.len() > SHOWN_BYTES {
        return Err(ServiceError::malformed(format!(
            "`shown` is what the person was shown, in 1 to {SHOWN_BYTES} bytes"
        )));
    }
    Ok(text)
}

fn nonce(text: &str) -> Result<KeyText, ServiceError> {
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !NONCE.contains(&text.len()) || !text.bytes().all(is_base64url) {
        return Err(ServiceError::malformed(format!(
            "`nonce` is {} to {} characters of base64url",
            NONCE.start(),
            NONCE.end()
        )));
    }
    name(text)
}

fn check_end(expires_at: Timestamp, now: Timestamp) -> Result<(), ServiceError> {
    let ahead = expires_at.millis_since(now);
    if ahead < 0 {
        let detail = format!("the answer ended at {expires_at}; answer again");
        return Err(ServiceError::new(ErrorCode::Conflict, detail));
    }
    if ahead > ANSWER_TTL_MS {
        return Err(ServiceError::malformed(
            "`expires_at` is more than a day ahead",
        ));
    }
    Ok(())
}

/// Whether the key has signed the answer for this log. Strict, as the verifier is: what it would not
/// take must not come into the log (RFC 8032 section 5.1.7).
fn is_signed(key: &KeyText, signature: &KeyText, origin: &Origin, body: &Review) -> bool {
    use base64::Engine as _;
    let decode = |text: &KeyText| {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        engine.decode(text.as_str()).ok()
    };
    let key = decode(key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let key = key.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    let signature = decode(signature).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
    let message = signed::entry_message(origin, body);
    match (key, signature, message) {
        (Some(key), Some(signature), Ok(message)) => key
            .verify_strict(&message, &Signature::from_bytes(&signature))
            .is_ok(),
        _ => false,
    }
}
