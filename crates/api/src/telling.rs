//! How telling people of flags fares, for `/healthz` and `/metrics`. What tells them is not here:
//! whoever runs the server hands it over.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// For how long a sink may fail before the server says that it is degraded.
const BORNE: Duration = Duration::from_secs(600);
/// For how long it says so of messages that were given up.
const LATELY: Duration = Duration::from_secs(24 * 3_600);

/// Whoever tells people of flags.
pub trait Telling: Send + Sync {
    /// How each sink fares. Cheap.
    fn sinks(&self) -> Vec<SinkHealth>;
}

/// How one sink fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkHealth {
    /// Its name.
    pub name: String,
    /// How many messages arrived.
    pub told: u64,
    /// How many dead letters there are.
    pub dead: u64,
    /// How long ago the last message was given up.
    pub given_up: Option<Duration>,
    /// For how long the present message has failed.
    pub failing: Option<Duration>,
    /// Whether nothing is sent any more.
    pub is_off: bool,
}

/// Why the server is degraded, if sinks are not told. Their names are nobody's business here.
pub(crate) fn untold(sinks: &[SinkHealth]) -> Option<String> {
    let is_silent = |sink: &&SinkHealth| {
        let fails = sink.failing.is_some_and(|failing| failing >= BORNE);
        let gave_up = sink.given_up.is_some_and(|ago| ago <= LATELY);
        sink.is_off || fails || gave_up
    };
    match sinks.iter().filter(is_silent).count() {
        0 => None,
        count => Some(format!(
            "not all flags are told to {count} of {} sinks; see `countersign notify list` and `dead`",
            sinks.len()
        )),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabels {
    sink: String,
}

/// The sinks' metrics.
#[derive(Default)]
pub(crate) struct SinkMetrics {
    told: Family<SinkLabels, Gauge<u64, AtomicU64>>,
    dead: Family<SinkLabels, Gauge<u64, AtomicU64>>,
    failing: Family<SinkLabels, Gauge<f64, AtomicU64>>,
    off: Family<SinkLabels, Gauge>,
}

impl SinkMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "sink_messages_told",
            "Messages of flags that a sink took",
            self.told.clone(),
        );
        registry.register(
            "sink_dead_letters",
            "Messages of flags that were given up for a sink",
            self.dead.clone(),
        );
        registry.register(
            "sink_failing_seconds",
            "For how long a sink has not taken its present message",
            self.failing.clone(),
        );
        registry.register(
            "sink_off",
            "Whether nothing is sent to a sink any more",
            self.off.clone(),
        );
    }

    pub(crate) fn set(&self, sinks: &[SinkHealth]) {
        // A sink that was removed is not shown as it was last.
        self.told.clear();
        self.dead.clear();
        self.failing.clear();
        self.off.clear();
        for sink in sinks {
            let labels = SinkLabels {
                sink: sink.name.clone(),
            };
            self.told.get_or_create(&labels).set(sink.told);
            self.dead.get_or_create(&labels).set(sink.dead);
            let failing = sink.failing.unwrap_or_default().as_secs_f64();
            self.failing.get_or_create(&labels).set(failing);
            self.off.get_or_create(&labels).set(i64::from(sink.is_off));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink() -> SinkHealth {
        SinkHealth {
            name: "oncall".to_owned(),
            told: 3,
            dead: 0,
            given_up: None,
            failing: None,
            is_off: false,
        }
    }

    #[test]
    fn a_sink_that_is_not_told_degrades_and_is_not_named() {
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(untold(&[]), None);
        assert_eq!(untold(&[sink()]), None);
        let brief = SinkHealth {
            failing: Some(Duration::from_secs(30)),
            ..sink()
        };
        assert_eq!(untold(&[brief]), None);
        let long = SinkHealth {
            failing: hour,
            ..sink()
        };
        let off = SinkHealth {
            is_off: true,
            ..sink()
        };
        let lost = SinkHealth {
            given_up: hour,
            dead: 1,
            ..sink()
        };
        let old = SinkHealth {
            given_up: Some(LATELY + BORNE),
            dead: 1,
            ..sink()
        };
        for bad in [long, off, lost] {
            let said = untold(&[sink(), bad]).unwrap();
            assert!(
                said.contains("1 of 2") && !said.contains("oncall"),
                "{said}"
            );
        }
        assert_eq!(untold(&[old]), None);
    }
}
