//! How often a credential may ask, and how often an address may fail to authenticate.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use countersign_core::ids::CredentialId;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::config::{FAILURES, RateLimit};

type Keyed<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

/// Which of a credential's limits a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    /// All but what is urgent.
    Ordinary,
    /// Stops and revocations: whoever polls too much can still stop an agent.
    Urgent,
}

/// The limits of one server.
pub(crate) struct Rates {
    credentials: Option<Keyed<(CredentialId, Bucket)>>,
    failures: Keyed<IpAddr>,
}

impl Rates {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            credentials: limit.map(|limit| RateLimiter::keyed(quota(limit))),
            failures: RateLimiter::keyed(quota(FAILURES)),
        }
    }

    /// Counts a request of a credential; how long to wait if it is one too many.
    pub(crate) fn ask(&self, credential: CredentialId, bucket: Bucket) -> Result<(), Duration> {
        let Some(limiter) = &self.credentials else {
            return Ok(());
        };
        check(limiter, &(credential, bucket))
    }

    /// Counts a failed authentication of an address. The address that a proxy claims is not
    /// looked at: anybody could claim any.
    pub(crate) fn fail(&self, peer: IpAddr) -> Result<(), Duration> {
        check(&self.failures, &network(peer))
    }

    /// Forgets those who have been quiet; without this the tables only grow.
    pub(crate) fn sweep(&self) {
        if let Some(limiter) = &self.credentials {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        self.failures.retain_recent();
        self.failures.shrink_to_fit();
    }
}

/// An IPv6 host usually has a whole /64 to choose from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

fn check<K: Hash + Eq + Clone>(limiter: &Keyed<K>, key: &K) -> Result<(), Duration> {
    limiter
        .check_key(key)
        .map_err(|until| until.wait_time_from(DefaultClock::default().now()))
}

fn quota(limit: RateLimit) -> Quota {
    Quota::per_second(limit.per_second).allow_burst(limit.burst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn a_burst_passes_and_the_next_must_wait_and_urgent_ones_count_apart() {
        let one = NonZeroU32::MIN;
        let rates = Rates::new(Some(RateLimit {
            per_second: one,
            burst: NonZeroU32::new(2).unwrap(),
        }));
        let credential = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap();
        assert_eq!(rates.ask(credential, Bucket::Ordinary), Ok(()));
        assert_eq!(rates.ask(credential, Bucket::Ordinary), Ok(()));
        let wait = rates.ask(credential, Bucket::Ordinary).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(rates.ask(credential, Bucket::Urgent), Ok(()));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_together() {
        assert_eq!(
            network("2001:db8::1".parse().unwrap()),
            network("2001:db8::ffff:2".parse().unwrap())
        );
        assert_ne!(
            network("2001:db8::1".parse().unwrap()),
            network("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            "192.0.2.1".parse::<IpAddr>().unwrap()
        );
    }
}
