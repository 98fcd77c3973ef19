//! A value that comes once, from another thread: awaited by whoever must not block, or waited for
//! by a thread that may. It belongs to no runtime.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Awaits the value; `None` if whoever had promised it is gone.
pub(crate) struct Promise<T>(Arc<Mutex<State<T>>>);

/// Keeps a promise. Dropped without doing so, it breaks it.
pub(crate) struct Fulfil<T>(Arc<Mutex<State<T>>>);

enum State<T> {
    Open(Option<Waker>),
    Kept(T),
    Broken,
}

/// A promise, and what keeps it.
pub(crate) fn promise<T>() -> (Fulfil<T>, Promise<T>) {
    let state = Arc::new(Mutex::new(State::Open(None)));
    (Fulfil(Arc::clone(&state)), Promise(state))
}

impl<T> Fulfil<T> {
    /// Gives the value and wakes whoever waits for it.
    pub(crate) fn keep(self, value: T) {
        end(&self.0, State::Kept(value));
    }
}

impl<T> Drop for Fulfil<T> {
    fn drop(&mut self) {
        end(&self.0, State::Broken);
    }
}

impl<T> Future for Promise<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.0);
        if let State::Open(waker) = &mut *state {
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waker = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Broken) {
            State::Kept(value) => Poll::Ready(Some(value)),
            State::Open(_) | State::Broken => Poll::Ready(None),
        }
    }
}

/// Ends a promise, unless it has ended.
fn end<T>(shared: &Mutex<State<T>>, with: State<T>) {
    let mut state = lock(shared);
    let State::Open(waker) = &mut *state else {
        return;
    };
    let waker = waker.take();
    *state = with;
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a future on this thread, which rests while there is nothing to do.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_arrives_before_or_while_it_is_waited_for() {
        let (fulfil, promised) = promise();
        fulfil.keep(7);
        assert_eq!(wait(promised), Some(7));
        for n in 0..1_000 {
            let (fulfil, promised) = promise();
            let other = thread::spawn(move || fulfil.keep(n));
            assert_eq!(wait(promised), Some(n));
            other.join().unwrap();
        }
    }

    #[test]
    fn a_broken_promise_is_noticed() {
        let (fulfil, promised) = promise::<u8>();
        let other = thread::spawn(move || drop(fulfil));
        assert_eq!(wait(promised), None);
        other.join().unwrap();
    }

    #[test]
    fn a_promise_that_nobody_awaits_is_kept_in_silence() {
        let (fulfil, promised) = promise();
        drop(promised);
        fulfil.keep(1);
    }
}
