//! Work on many threads whose results are taken in order on one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

/// How many pieces of work a thread may be ahead of the one that takes the results.
const AHEAD: u64 = 4;

/// Does `work` for `0..total` on so many threads and gives the results to `each` in order, until it
/// breaks off. At most [`AHEAD`] results for each thread wait.
///
/// Where no thread can be started, the work is done here.
pub(crate) fn ordered<T: Send, E>(
    threads: usize,
    total: u64,
    work: impl Fn(u64) -> T + Sync,
    mut each: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let threads = u64::try_from(threads).unwrap_or(1).min(total);
    if threads > 1 {
        let line = Line::new(total, threads.saturating_mul(AHEAD));
        let taken = std::thread::scope(|scope| {
            let (give, take) = mpsc::channel();
            for _ in 0..threads {
                let (line, work, give) = (&line, &work, give.clone());
                let worker = std::thread::Builder::new().name("verify".to_owned());
                // With fewer threads it only takes longer.
                let _ = worker.spawn_scoped(scope, move || {
                    let _ended = End(line);
                    while let Some(index) = line.next() {
                        if give.send((index, work(index))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(give);
            let _ended = End(&line);
            in_order(&line, &take, &mut each)
        });
        match taken {
            Taken::All => return Ok(()),
            Taken::Failed(error) => return Err(error),
            Taken::Nothing => {}
        }
    }
    for index in 0..total {
        if each(work(index))?.is_break() {
            break;
        }
    }
    Ok(())
}

enum Taken<E> {
    All,
    Failed(E),
    /// No thread has begun.
    Nothing,
}

fn in_order<T, E>(
    line: &Line,
    results: &mpsc::Receiver<(u64, T)>,
    each: &mut impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Taken<E> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    while next < line.total {
        let Ok((index, result)) = results.recv() else {
            return if next == 0 && early.is_empty() {
                Taken::Nothing
            } else {
                // Only a worker that panicked leaves a gap, and the scope passes that on.
                Taken::All
            };
        };
        early.insert(index, result);
        while let Some(result) = early.remove(&next) {
            match each(result) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Taken::All,
                Err(error) => return Taken::Failed(error),
            }
            next += 1;
            line.taken(next);
        }
    }
    Taken::All
}

/// Who works on what, and how far ahead.
struct Line {
    total: u64,
    ahead: u64,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    taken: u64,
    is_over: bool,
}

impl Line {
    fn new(total: u64, ahead: u64) -> Self {
        Self {
            total,
            ahead,
            state: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// The next piece of work, once it is not too far ahead.
    fn next(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.is_over || state.next >= self.total {
                return None;
            }
            if state.next < state.taken.saturating_add(self.ahead) {
                let index = state.next;
                state.next += 1;
                return Some(index);
            }
            state = self
                .moved
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn taken(&self, count: u64) {
        self.lock().taken = count;
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can be half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends all work when one side leaves, also by a panic: nobody must wait for it for ever.
struct End<'l>(&'l Line);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let is_done = {
            let state = self.0.lock();
            state.next >= self.0.total
        };
        if !is_done {
            self.0.lock().is_over = true;
        }
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn run(threads: usize, total: u64, stop_at: u64) -> (Vec<u64>, u64) {
        let (mut seen, done) = (Vec::new(), AtomicU64::new(0));
        let work = |index| {
            done.fetch_add(1, Ordering::Relaxed);
            index * 3
        };
        let result: Result<(), ()> = ordered(threads, total, work, |value| {
            seen.push(value);
            Ok(match value / 3 == stop_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        });
        assert_eq!(result, Ok(()));
        (seen, done.into_inner())
    }

    #[test]
    fn results_come_in_order_and_once() {
        for threads in [0, 1, 2, 3, 16] {
            for total in [0, 1, 2, 5, 300] {
                let (seen, done) = run(threads, total, u64::MAX);
                assert_eq!(seen, (0..total).map(|i| i * 3).collect::<Vec<_>>());
                assert_eq!(done, total, "{threads} threads");
            }
        }
    }

    #[test]
    fn little_is_done_for_nothing_once_it_breaks_off() {
        let (seen, done) = run(3, 1 << 40, 10);
        assert_eq!(seen.len(), 11);
        assert!(done <= 11 + 3 * AHEAD, "{done}");
    }

    #[test]
    fn an_error_ends_it() {
        let result = ordered(
            2,
            100,
            |index| index,
            |index| match index {
                7 => Err("seven"),
                _ => Ok(ControlFlow::Continue(())),
            },
        );
        assert_eq!(result, Err("seven"));
    }

    #[test]
    fn a_slow_first_one_holds_up_only_as_much_as_is_allowed() {
        let (begun, moved) = (Mutex::new(0_u64), Condvar::new());
        let most = 2 * AHEAD;
        let work = |index| {
            let mut count = begun.lock().unwrap();
            *count += 1;
            moved.notify_all();
            // The first one ends when all others that may be ahead have begun.
            while index == 0 && *count < most {
                count = moved.wait(count).unwrap();
            }
            assert!(index > 0 || *count <= most);
            index
        };
        let mut seen = Vec::new();
        let result: Result<(), ()> = ordered(2, 50, work, |index| {
            seen.push(index);
            Ok(ControlFlow::Continue(()))
        });
        assert_eq!(result, Ok(()));
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_worker_is_passed_on() {
        let work = |index| assert!(index != 3, "the worker's own");
        let _: Result<(), ()> = ordered(2, 1000, work, |()| Ok(ControlFlow::Continue(())));
    }
}
