//! Accepting connections, a bounded number at a time, until told to stop.
//!
//! Witness, gate and relay listen so. It knows nothing of what is spoken on a connection, nor of
//! how one ends: whoever calls it gets those that are left, and lets them finish in its own way.
//! The API's server, which also turns clients away in words and sweeps its rates, has a loop of its
//! own (`countersign-api`).

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long accepting rests after it failed, as when there are no file descriptors left.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Accepts until `shutdown`, and serves each connection on a task of its own; then the listener is
/// closed, and the connections that are left are given back.
///
/// At most `most` connections are served at a time: one more is closed unheard, since there is no
/// request yet to answer. `failed` is told why a connection could not be accepted; then accepting
/// rests for [`ACCEPT_REST`].
pub async fn accept<S: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    most: usize,
    shutdown: impl Future<Output = ()>,
    failed: impl Fn(&std::io::Error),
    serve: impl Fn(TcpStream, SocketAddr) -> S,
) -> JoinSet<()> {
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = shutdown.as_mut() => return connections,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                        let served = serve(stream, peer);
                        connections.spawn(async move {
                            served.await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    failed(&error);
                    sleep(ACCEPT_REST).await;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpStream as Client;

    use tokio::runtime::Builder;
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[test]
    fn one_connection_too_many_is_closed_and_those_left_are_given_back() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (begun, mut at_begin) = mpsc::unbounded_channel();
            let (stop, stopped) = oneshot::channel::<()>();
            let serve = move |stream: TcpStream, _| {
                let begun = begun.clone();
                async move {
                    begun.send(()).unwrap();
                    let _open = stream;
                    std::future::pending::<()>().await;
                }
            };
            let stopped = async { drop(stopped.await) };
            let accepting = tokio::spawn(accept(listener, 1, stopped, |_| {}, serve));
            let _first = Client::connect(address).unwrap();
            at_begin.recv().await.unwrap();
            let mut second = Client::connect(address).unwrap();
            let read = tokio::task::spawn_blocking(move || second.read(&mut [0]));
            assert_eq!(read.await.unwrap().unwrap(), 0, "closed unheard");
            drop(stop);
            let mut left = accepting.await.unwrap();
            assert_eq!(left.len(), 1);
            assert!(Client::connect(address).is_err(), "nobody listens any more");
            left.shutdown().await;
        });
    }
}
