//! What was published of the log, and waiting for it: the wait level `witnessed`, and proofs against
//! published checkpoints.

use std::sync::Arc;
use std::time::Instant;

use countersign_core::entry::Role;
use countersign_core::ids::EntryId;
use countersign_merkle::{LeafIndex, TreeSize};
use countersign_note::Note;
use countersign_publish::limits::WITNESSED_WAIT;
use countersign_publish::{Board, Published, Status};
use countersign_wire::{DecisionAnswer, ProofAnswer};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::promise::promise;
use crate::render;

/// When a decision is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum WaitLevel {
    /// Once it is durable.
    #[default]
    Durable,
    /// Once the quorum of witnesses has cosigned a checkpoint that covers it, too.
    Witnessed,
}

/// An answer that is durable and may still have to wait for witnesses: [`Service::deliver`] gives it.
#[must_use = "nobody is answered by this"]
pub struct Undelivered {
    answer: DecisionAnswer,
    wait: Option<WaitLevel>,
}

/// Against which checkpoint an entry is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofAgainst {
    /// The newest published one; the newest of all where nothing is published.
    Newest,
    /// The published one of this size.
    Size(TreeSize),
}

/// What publishes the log, and how long answers wait for it at least.
pub(crate) struct Publication {
    board: Arc<Board>,
    has_witnesses: bool,
    least: WaitLevel,
}

impl std::str::FromStr for WaitLevel {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        match text {
            "durable" => Ok(Self::Durable),
            "witnessed" => Ok(Self::Witnessed),
            _ => Err(ServiceError::malformed(
                "`wait` is `durable` or `witnessed`",
            )),
        }
    }
}

impl Undelivered {
    pub(crate) fn new(answer: DecisionAnswer, wait: Option<WaitLevel>) -> Self {
        Self { answer, wait }
    }
}

impl Service {
    /// Gives an answer once it has the level that its request asked for.
    pub async fn deliver(&self, undelivered: Undelivered) -> Result<DecisionAnswer, ServiceError> {
        self.anchored(undelivered.answer, undelivered.wait).await
    }

    /// Says what publishes the log, once. No decision is answered at a lower level than `least`,
    /// whatever its request says.
    pub fn set_publication(&self, board: Arc<Board>, least: WaitLevel) {
        let has_witnesses = !board.status().witnesses.is_empty();
        let publication = Publication {
            board,
            has_witnesses,
            least,
        };
        if self.publication.set(publication).is_err() {
            tracing::error!("what publishes the log was said twice; the first stands");
        }
    }

    /// How publishing fares, if something is published.
    pub fn publication_status(&self) -> Option<Status> {
        self.publication.get().map(|it| it.board.status())
    }

    /// The newest published checkpoint where there are witnesses, with their cosignatures; else the
    /// newest released one.
    pub fn published_checkpoint(&self) -> Result<Arc<str>, ServiceError> {
        let witnessed = self.publication.get().filter(|it| it.has_witnesses);
        let Some(publication) = witnessed else {
            return Ok(self.ledger.checkpoint());
        };
        match publication.board.published() {
            Some(published) => Ok(Arc::clone(&published.note)),
            None if !publication.board.is_required() => Ok(self.ledger.checkpoint()),
            None => Err(ServiceError::new(
                ErrorCode::NotWitnessed,
                "no checkpoint of this log was cosigned by the quorum of witnesses yet",
            )),
        }
    }

    /// A proof of an entry against a published checkpoint: an older receipt anchored anew.
    pub fn entry_proof(
        &self,
        caller: &Caller,
        entry_id: EntryId,
        against: ProofAgainst,
    ) -> Result<ProofAnswer, ServiceError> {
        caller.require(Role::Auditor)?;
        let missing = || ServiceError::not_found(format!("entry `{entry_id}`"));
        let index = self.ledger.entry(entry_id)?.ok_or_else(missing)?.index;
        let published = self.anchor(against)?;
        if !published.size.contains(index) {
            return Err(ServiceError::not_found(format!(
                "entry `{entry_id}` among the first {} entries: its index is {index}",
                published.size
            )));
        }
        Ok(ProofAnswer {
            entry_id: entry_id.to_string(),
            index: index.get(),
            size: published.size.get(),
            witnessed: published.is_witnessed,
            proof: self.proof_against(index, &published)?,
        })
    }

    /// Refuses what would wait for ever, before anything is done.
    pub(crate) fn check_wait(&self, asked: Option<WaitLevel>) -> Result<(), ServiceError> {
        let has_witnesses = self.publication.get().is_some_and(|it| it.has_witnesses);
        match asked {
            Some(WaitLevel::Witnessed) if !has_witnesses => Err(ServiceError::new(
                ErrorCode::NotWitnessed,
                "this server has no witnesses; nothing was done",
            )),
            _ => Ok(()),
        }
    }

    /// The answer once it has the level that was asked for, its proof against the cosigned
    /// checkpoint. Without the cosignatures there is no answer but an error that names the entry.
    pub async fn anchored(
        &self,
        answer: DecisionAnswer,
        asked: Option<WaitLevel>,
    ) -> Result<DecisionAnswer, ServiceError> {
        let least = self
            .publication
            .get()
            .map(|it| it.least)
            .unwrap_or_default();
        if asked.unwrap_or_default().max(least) == WaitLevel::Durable {
            return Ok(answer);
        }
        self.check_wait(Some(WaitLevel::Witnessed))?;
        let entry_id: EntryId = answer.entry_id.parse().map_err(ServiceError::internal)?;
        let missing = || ServiceError::internal(format!("the entry `{entry_id}` is gone"));
        let stored = self.ledger.entry(entry_id)?.ok_or_else(missing)?;
        let Some(published) = self.witnessed(stored.index).await else {
            let waited = WITNESSED_WAIT.as_secs();
            let error = ServiceError::new(
                ErrorCode::NotWitnessed,
                format!("the quorum of witnesses did not cosign the decision within {waited} s"),
            );
            return Err(error.recorded(entry_id));
        };
        let proof = self.proof_against(stored.index, &published)?;
        Ok(DecisionAnswer {
            entry: render::with_proof(&stored.bytes, &proof)?,
            ..answer
        })
    }

    /// The first checkpoint that the quorum has cosigned and that covers the entry; `None` when the
    /// time is up.
    async fn witnessed(&self, index: LeafIndex) -> Option<Arc<Published>> {
        let board = &self.publication.get()?.board;
        let (fulfil, published) = promise();
        board.when_witnessed(
            TreeSize::new(index.get().saturating_add(1)),
            Instant::now() + WITNESSED_WAIT,
            Box::new(move |published| fulfil.keep(published)),
        );
        published.await.flatten()
    }

    fn anchor(&self, against: ProofAgainst) -> Result<Arc<Published>, ServiceError> {
        let board = self.publication.get().map(|it| &it.board);
        let published = match against {
            ProofAgainst::Newest => board.and_then(|board| board.published()),
            ProofAgainst::Size(size) => board.and_then(|board| board.at(size)),
        };
        if let Some(published) = published {
            return Ok(published);
        }
        let newest = self.ledger.at_present();
        match against {
            ProofAgainst::Size(size) if size != newest.size() => Err(ServiceError::not_found(
                format!("published checkpoint of {size} entries here any more"),
            )),
            _ => Ok(Arc::new(Published {
                size: newest.size(),
                note: newest.checkpoint(),
                is_witnessed: false,
            })),
        }
    }

    fn proof_against(
        &self,
        index: LeafIndex,
        published: &Published,
    ) -> Result<String, ServiceError> {
        let note = Note::parse(published.note.as_bytes()).map_err(ServiceError::internal)?;
        Ok(self.ledger.proof_at(index, note)?)
    }
}
