//! What Prometheus may know: counts, times and sizes, never a text of a request.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use countersign_service::ServiceHealth;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

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
    pub(crate) fn text(&self, health: &ServiceHealth) -> Result<String, std::fmt::Error> {
        self.queue
            .set(i64::try_from(health.waiting).unwrap_or(i64::MAX));
        self.size.set(health.size);
        self.short_of_room.set(i64::from(health.is_short_of_room));
        self.halted.set(i64::from(health.halted.is_some()));
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
