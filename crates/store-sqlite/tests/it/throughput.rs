//! How fast it is, roughly: `cargo test -p countersign-store-sqlite -- --ignored --nocapture throughput`.

use crate::support::{Fixture, append};
use std::time::{Duration, Instant};

#[test]
#[ignore = "a measurement, not a test"]
fn throughput() {
    for clients in [1_usize, 16, 64] {
        let fixture = Fixture::new();
        let begun = Instant::now();
        let (ledger, end) = (&fixture.ledger, begun + Duration::from_secs(3));
        let mut times: Vec<Duration> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..clients)
                .map(|_| {
                    scope.spawn(move || {
                        let mut times = Vec::new();
                        while Instant::now() < end {
                            let before = Instant::now();
                            append(ledger, 1);
                            times.push(before.elapsed());
                        }
                        times
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort();
        let at = |part: f64| times[(times.len() as f64 * part) as usize];
        println!(
            "{clients} clients: {rate:.0}/s, p50 {:?}, p99 {:?}",
            at(0.5),
            at(0.99)
        );
    }
}
