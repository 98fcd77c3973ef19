//! How fast it is, roughly: `cargo test -p countersign-store-sqlite -- --ignored --nocapture throughput`.
//! For numbers there is `cargo xtask bench ledger`.

use crate::support::{Fixture, append, fresh_id, numbered};
use countersign_ledger::{Ledger, ReadSet};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
#[ignore = "a measurement, not a test"]
fn throughput() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
    let time = Duration::from_millis(number("MILLIS").unwrap_or(3_000) as u64);
    let all = [1, 16, 64, 256];
    let one = number("CLIENTS").map(|clients| vec![clients]);
    for clients in one.unwrap_or_else(|| all.to_vec()) {
        for (name, run) in [
            (
                "threads",
                threads as fn(&Ledger, usize, Instant) -> Vec<Duration>,
            ),
            ("callbacks", callbacks),
        ] {
            // On the disk that is measured, which the system's directory for such may not be on.
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let fixture = Fixture::with_dir(dir, |store| store, None);
            let begun = Instant::now();
            let mut times = run(&fixture.ledger, clients, begun + time);
            let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
            times.sort();
            let at = |part: f64| times[(times.len() as f64 * part) as usize];
            println!(
                "{clients} clients, {name}: {rate:.0}/s, p50 {:?}, p99 {:?}",
                at(0.5),
                at(0.99)
            );
        }
    }
}

/// Each client is a thread that waits.
fn threads(ledger: &Ledger, clients: usize, end: Instant) -> Vec<Duration> {
    std::thread::scope(|scope| {
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
        let threads = threads.into_iter();
        threads.flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// All clients are one thread's, which is told when one of them was answered.
fn callbacks(ledger: &Ledger, clients: usize, end: Instant) -> Vec<Duration> {
    let (sender, answers) = mpsc::channel();
    let ask = || {
        let (id, sender, asked) = (fresh_id(), sender.clone(), Instant::now());
        let work = Box::new(move |step: &mut countersign_ledger::Step<'_>| {
            step.push(id, numbered(1)).map(|_| ())
        });
        ledger.submit(
            ReadSet::none(),
            work,
            Box::new(move |answer| sender.send((asked, answer)).unwrap()),
        );
    };
    (0..clients).for_each(|_| ask());
    let (mut times, mut waiting) = (Vec::new(), clients);
    while waiting > 0 {
        let (asked, answer) = answers.recv().unwrap();
        answer.unwrap();
        times.push(asked.elapsed());
        if Instant::now() < end {
            ask();
        } else {
            waiting -= 1;
        }
    }
    times
}
