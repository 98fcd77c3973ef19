//! A server on a thread with a runtime of its own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

/// Resolves when the server is to stop.
pub type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server that runs; dropping it stops it and waits until it has ended.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Runs a server that sends its address once it listens. When it has returned, its blocking work
    /// may take `linger` to end.
    pub fn start<F: Future<Output = ()>>(
        linger: Duration,
        run: impl FnOnce(mpsc::Sender<SocketAddr>, Stopped) -> F + Send + 'static,
    ) -> (SocketAddr, Self) {
        let (sender, receiver) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let stopped = Box::pin(async move {
                let _ = stopped.await;
            });
            runtime.block_on(run(sender, stopped));
            runtime.shutdown_timeout(linger);
        });
        let running = Self {
            stop: Some(stop),
            thread: Some(thread),
        };
        (receiver.recv().expect("the server listens"), running)
    }

    /// Tells the server to stop, and does not wait.
    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Tells the server to stop, and waits until it has.
    pub fn stop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            // A test that fails already says why.
            assert!(ended.is_ok() || std::thread::panicking(), "it panicked");
        }
    }

    /// Whether it has ended.
    pub fn is_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
