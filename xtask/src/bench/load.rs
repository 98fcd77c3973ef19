//! Many clients at once, each asking again as soon as it was answered.

use std::time::{Duration, Instant};

use super::cpu;
use crate::error::Error;

/// One client: asks once.
pub(super) type Ask<'a> = Box<dyn FnMut() -> Result<(), Error> + Send + 'a>;

/// What came of some rounds of a load.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) times: Vec<Duration>,
    /// How long the rounds took together.
    pub(super) elapsed: Duration,
    /// What the process used of its CPUs meanwhile.
    pub(super) cpu: Duration,
    /// What of that the load itself used, if that can be told.
    pub(super) cpu_of_load: Duration,
}

impl Measured {
    /// One round with all clients. Each asks once before the clock starts, so that connections are
    /// there and caches filled.
    pub(super) fn round(&mut self, clients: &mut [Ask<'_>], round: Duration) -> Result<(), Error> {
        let ready = std::sync::Barrier::new(clients.len() + 1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = clients
                .iter_mut()
                .map(|ask| {
                    let ready = &ready;
                    scope.spawn(move || {
                        let first = ask();
                        ready.wait();
                        first.and_then(|()| repeat(ask, round))
                    })
                })
                .collect();
            ready.wait();
            let (begun, before) = (Instant::now(), cpu::of_process());
            for worker in workers {
                let panicked = |_| Err(Error::server("a client")("it panicked"));
                self.times.extend(worker.join().unwrap_or_else(panicked)?);
            }
            self.elapsed += begun.elapsed();
            self.cpu += cpu::of_process().saturating_sub(before);
            Ok(())
        })
    }
}

fn repeat(ask: &mut Ask<'_>, round: Duration) -> Result<Vec<Duration>, Error> {
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < round {
        let asked = Instant::now();
        ask()?;
        times.push(asked.elapsed());
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_client_asks_and_its_first_time_is_not_counted() {
        let asked = AtomicUsize::new(0);
        let client = || -> Ask<'_> {
            Box::new(|| {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        };
        let mut measured = Measured::default();
        measured
            .round(&mut [client(), client()], Duration::from_millis(1))
            .unwrap();
        assert_eq!(measured.times.len() + 2, asked.into_inner());
    }

    #[test]
    fn a_failing_client_ends_the_measurement() {
        let mut measured = Measured::default();
        let fails: Ask<'_> = Box::new(|| Err(Error::server("it")("no")));
        assert!(
            measured
                .round(&mut [fails], Duration::from_millis(1))
                .is_err()
        );
    }
}
