//! The threads that judge, apart from those that serve connections: a call that takes long, or a
//! disk that does not answer, leaves the server able to say so. While a decision is committed it
//! holds none of them.

use std::future::Future;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// How many threads judge at least: one call that takes long must not hold up all others.
const AT_LEAST: usize = 2;

/// The stack of each, in bytes: what the main thread of a process usually has. The engine refuses a
/// policy that nests deeper than its stack holds, so one that passed its check must not meet less here.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// One thread per CPU. What they were given goes on when nobody waits for it any more.
pub(crate) struct Judges(Option<Runtime>);

impl Judges {
    pub(crate) fn new() -> std::io::Result<Self> {
        let cpus = available_parallelism().map_or(AT_LEAST, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cpus.max(AT_LEAST))
            .thread_name("judge")
            .thread_stack_size(STACK_BYTES)
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Has work done; `None` once they are being ended.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        Some(self.0.as_ref()?.spawn(work))
    }
}

impl Drop for Judges {
    fn drop(&mut self) {
        // Waiting for them is forbidden where this may happen.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
