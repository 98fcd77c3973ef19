//! What Prometheus may know: counts, times and sizes, never a text of a request.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use countersign_service::{ServiceHealth, Status};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::telling::{SinkHealth, SinkMetrics};

/// The media type of what is served.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Upper ends of the latency buckets, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WitnessLabels {
    witness: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    witness: String,
    kind: &'static str,
}

/// How publishing fares.
#[derive(Default)]
struct Publication {
    published: Gauge<u64, AtomicU64>,
    witnessed: Gauge<u64, AtomicU64>,
    lag: Gauge<u64, AtomicU64>,
    lag_seconds: Gauge<f64, AtomicU64>,
    contradicted: Gauge,
    witness_size: Family<WitnessLabels, Gauge<u64, AtomicU64>>,
    witness_lag: Family<WitnessLabels, Gauge<u64, AtomicU64>>,
    witness_age: Family<WitnessLabels, Gauge<f64, AtomicU64>>,
    failures: Family<FailureLabels, Counter>,
}

impl Publication {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "published_entries",
            "Entries that the newest published checkpoint covers",
            self.published.clone(),
        );
        registry.register(
            "witnessed_entries",
            "Entries that the quorum of witnesses has cosigned",
            self.witnessed.clone(),
        );
        registry.register(
            "witness_lag_entries",
            "Entries that the quorum of witnesses has not cosigned",
            self.lag.clone(),
        );
        registry.register(
            "witness_lag_seconds",
            "For how long there have been such entries",
            self.lag_seconds.clone(),
        );
        registry.register(
            "witness_contradiction",
            "Whether a witness holds another history of the log",
            self.contradicted.clone(),
        );
        registry.register(
            "witness_cosigned_entries",
            "Entries that a witness cosigned last",
            self.witness_size.clone(),
        );
        registry.register(
            "witness_behind_entries",
            "Entries that a witness has not cosigned",
            self.witness_lag.clone(),
        );
        registry.register(
            "witness_cosigned_seconds_ago",
            "How long ago a witness cosigned last",
            self.witness_age.clone(),
        );
        registry.register(
            "witness_failures",
            "Submissions that a witness did not cosign, by kind",
            self.failures.clone(),
        );
    }

    fn set(&self, status: &Status, released: u64) {
        self.published
            .set(status.published.map_or(0, |size| size.get()));
        self.witnessed
            .set(status.witnessed.map_or(0, |size| size.get()));
        self.lag.set(status.lag);
        self.lag_seconds.set(status.lag_time.as_secs_f64());
        self.contradicted
            .set(i64::from(status.contradiction.is_some()));
        for witness in &status.witnesses {
            let labels = WitnessLabels {
                witness: witness.name.clone(),
            };
            let size = witness.size.map_or(0, |size| size.get());
            self.witness_size.get_or_create(&labels).set(size);
            let behind = released.saturating_sub(size);
            self.witness_lag.get_or_create(&labels).set(behind);
            if let Some(since) = witness.since {
                self.witness_age
                    .get_or_create(&labels)
                    .set(since.as_secs_f64());
            }
            for (kind, count) in &witness.failures {
                let labels = FailureLabels {
                    witness: witness.name.clone(),
                    kind,
                };
                let counter = self.failures.get_or_create(&labels);
                counter.inc_by(count.saturating_sub(counter.get()));
            }
        }
    }
}

/// The counts of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    decisions: Family<OutcomeLabels, Counter>,
    throttled: Counter,
    pub(crate) connections: Gauge,
    queue: Gauge,
    size: Gauge<u64, AtomicU64>,
    short_of_room: Gauge,
    halted: Gauge,
    publication: Publication,
    sinks: SinkMetrics,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let new_histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("countersign"),
            requests: Family::default(),
            latency: Family::new_with_constructor(new_histogram),
            decisions: Family::default(),
            throttled: Counter::default(),
            connections: Gauge::default(),
            queue: Gauge::default(),
            size: Gauge::default(),
            short_of_room: Gauge::default(),
            halted: Gauge::default(),
            publication: Publication::default(),
            sinks: SinkMetrics::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "http_requests",
            "Requests by route, method and status",
            self.requests.clone(),
        );
        registry.register(
            "http_request_seconds",
            "Time to answer, by route",
            self.latency.clone(),
        );
        registry.register(
            "decisions",
            "Decisions answered, by outcome",
            self.decisions.clone(),
        );
        registry.register(
            "throttled_requests",
            "Requests refused for being too many",
            self.throttled.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "ledger_waiting",
            "Units of work before the ledger",
            self.queue.clone(),
        );
        registry.register("ledger_entries", "Entries in the log", self.size.clone());
        registry.register(
            "ledger_short_of_room",
            "Whether only urgent entries are committed",
            self.short_of_room.clone(),
        );
        registry.register(
            "ledger_halted",
            "Whether the ledger has stopped",
            self.halted.clone(),
        );
        self.publication.register(registry);
        self.sinks.register(registry);
    }

    /// Counts an answered request. `route` is the route's pattern, so that there are only so many.
    pub(crate) fn answered(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let labels = RequestLabels {
            route: route.to_owned(),
            method: method_name(method),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        self.latency
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// Counts a decision.
    pub(crate) fn decided(&self, outcome: &str) {
        let outcome = match outcome {
            "approved" => "approved",
            "rejected" => "rejected",
            "escalated" => "escalated",
            _ => "other",
        };
        self.decisions
            .get_or_create(&OutcomeLabels { outcome })
            .inc();
    }

    /// Counts a request that was refused for being one too many.
    pub(crate) fn throttled(&self) {
        self.throttled.inc();
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(
        &self,
        health: &ServiceHealth,
        sinks: &[SinkHealth],
    ) -> Result<String, std::fmt::Error> {
        self.queue
            .set(i64::try_from(health.waiting).unwrap_or(i64::MAX));
        self.size.set(health.size);
        self.short_of_room.set(i64::from(health.is_short_of_room));
        self.halted.set(i64::from(health.halted.is_some()));
        if let Some(status) = &health.publication {
            self.publication.set(status, health.size);
        }
        self.sinks.set(sinks);
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

/// A client can make up methods, and must not make up label values or words in the log.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}
