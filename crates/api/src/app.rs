//! What all routes share: the service, the limits, and the way onto threads that may block.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Surface;
use countersign_service::{Caller, ErrorCode, Service, ServiceError};
use countersign_wire::DecisionAnswer;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::body::Read;
use crate::config::{
    BODY_MEMORY_BYTES, READS_AT_ONCE, SMALL_CALL_BYTES, ServerConfig, URGENT_AT_ONCE,
};
use crate::error::{ApiError, HttpCode};
use crate::judges::Judges;
use crate::metrics::Metrics;
use crate::rate::Rates;
use crate::reply;
use crate::telling::{SinkHealth, Telling};

/// What all routes share.
pub(crate) struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) config: ServerConfig,
    pub(crate) metrics: Metrics,
    pub(crate) rates: Rates,
    /// The OpenAPI document's text.
    pub(crate) openapi: String,
    /// In KiB.
    pub(crate) body_memory: Arc<Semaphore>,
    pub(crate) telling: OnceLock<Arc<dyn Telling>>,
    stopping: AtomicBool,
    lanes: Lanes,
    judges: Judges,
}

/// By which way a request gets its thread. None can take another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// May change the ledger.
    Commit,
    /// Only reads.
    Read,
    /// Stops and revokes: must get through when all else is full.
    Urgent,
}

struct Lanes {
    commit: Arc<Semaphore>,
    read: Arc<Semaphore>,
    urgent: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl App {
    /// Fails if the threads that judge cannot be started.
    pub(crate) fn new(
        service: Arc<Service>,
        config: ServerConfig,
        openapi: String,
    ) -> std::io::Result<Self> {
        let lanes = Lanes {
            commit: Arc::new(Semaphore::new(config.at_once)),
            read: Arc::new(Semaphore::new(READS_AT_ONCE)),
            urgent: Arc::new(Semaphore::new(URGENT_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(config.waiting)),
        };
        Ok(Self {
            service,
            metrics: Metrics::new(),
            rates: Rates::new(config.rate),
            config,
            openapi,
            body_memory: Arc::new(Semaphore::new(BODY_MEMORY_BYTES / 1024)),
            telling: OnceLock::new(),
            stopping: AtomicBool::new(false),
            lanes,
            judges: Judges::new()?,
        })
    }

    /// How the sinks fare that are told of flags.
    pub(crate) fn sinks(&self) -> Vec<SinkHealth> {
        let telling = self.telling.get();
        telling.map_or_else(Vec::new, |telling| telling.sinks())
    }

    /// Lets those who wait for an escalation go.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Runs work of the service on a thread that may block, and waits for it.
    ///
    /// Work that has begun is not broken off when the client goes away or the time is up: a
    /// commit is whole or not at all.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&Service) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = self.place(lane).await?;
        let service = Arc::clone(&self.service);
        let thread = tokio::task::spawn_blocking(move || {
            let result = work(&service);
            drop(place);
            result
        });
        self.wait_for(thread).await
    }

    /// Runs work of the service as [`App::run`] does, and answers with its outcome as JSON. Whether the
    /// caller may ask for it is for the route to say, before.
    pub(crate) async fn answer<T: Serialize + Send + 'static>(
        &self,
        lane: Lane,
        status: StatusCode,
        work: impl FnOnce(&Service) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        reply::json(status, &self.run(lane, work).await?)
    }

    /// Decides. What has begun is not broken off, as in [`App::run`].
    pub(crate) async fn decide(
        &self,
        caller: Caller,
        body: Read,
        idempotency_key: Option<String>,
    ) -> Result<DecisionAnswer, ApiError> {
        let place = self.place(Lane::Commit).await?;
        let service = Arc::clone(&self.service);
        let is_large = body.len() > SMALL_CALL_BYTES;
        let durable = async move {
            let key = idempotency_key.as_deref();
            let durable = service.decide_durably(&caller, &body, Surface::Api, key);
            let durable = durable.await;
            // Those who wait for witnesses must not take the places of those who decide.
            drop(place);
            durable
        };
        let durable = if is_large {
            let runtime = Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(durable))
        } else {
            let ended = || ApiError::internal("nobody judges any more".to_owned());
            self.judges.spawn(durable).ok_or_else(ended)?
        };
        Ok(self.service.deliver(self.wait_for(durable).await?).await?)
    }

    async fn wait_for<T>(
        &self,
        thread: tokio::task::JoinHandle<Result<T, ServiceError>>,
    ) -> Result<T, ApiError> {
        match timeout(self.config.work_timeout, thread).await {
            Ok(Ok(result)) => result.map_err(ApiError::from),
            // The panic itself is in the log by the panic hook.
            Ok(Err(join)) => Err(ApiError::internal(format!("a worker ended: {join}"))),
            Err(_) => Err(ApiError::http(
                HttpCode::TimedOut,
                format!(
                    "there was no answer within {} s, and whether it was done is unknown",
                    self.config.work_timeout.as_secs()
                ),
            )),
        }
    }

    /// Records a request for a decision that was refused unread, and names the entry in the error.
    pub(crate) async fn record_unread(&self, caller: Caller, error: ApiError) -> ApiError {
        let recorded = self
            .run(Lane::Commit, move |service| {
                let refusal = ServiceError::malformed("the request could not be read");
                Ok(service.reject_unreadable(&caller, Surface::Api, refusal))
            })
            .await;
        match recorded {
            Ok(ServiceError {
                entry_id: Some(id), ..
            }) => error.recorded(id.to_string()),
            // It is not in the ledger: that is the graver news.
            Ok(failure) => failure.into(),
            Err(failure) => failure,
        }
    }

    /// Waits until nothing is worked on any more.
    pub(crate) async fn at_rest(&self) {
        let places = [
            (&self.lanes.commit, self.config.at_once),
            (&self.lanes.read, READS_AT_ONCE),
            (&self.lanes.urgent, URGENT_AT_ONCE),
        ];
        for (lane, all) in places {
            // Closed never, so this ends with all places or not at all.
            let _ = lane
                .acquire_many(u32::try_from(all).unwrap_or(u32::MAX))
                .await;
        }
    }

    async fn place(&self, lane: Lane) -> Result<OwnedSemaphorePermit, ApiError> {
        let places = match lane {
            Lane::Commit => &self.lanes.commit,
            Lane::Read => &self.lanes.read,
            Lane::Urgent => &self.lanes.urgent,
        };
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(place);
        }
        let busy = || {
            ApiError::service(
                ErrorCode::Busy,
                "too many requests are worked on at this time; nothing was done",
            )
        };
        let _queued = match lane {
            Lane::Urgent => None,
            Lane::Commit | Lane::Read => {
                Some(self.lanes.waiting.try_acquire().map_err(|_| busy())?)
            }
        };
        match timeout(self.config.work_timeout, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}
