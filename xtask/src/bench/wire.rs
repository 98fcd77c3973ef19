//! Load over HTTP from one thread: many kept connections, each asking again as soon as it was
//! answered. It does as little as a client can (it looks at the status, the length and the
//! outcome), so that the machine's CPUs are the server's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use super::cpu;
use super::load::Measured;
use crate::error::Error;

/// Room for an answer.
const ANSWER_BYTES: usize = 16 * 1024;
/// What every good answer's body begins with.
const APPROVED: &[u8] = br#"{"outcome":"approved","#;

/// Connections, each with the request that it sends.
pub(super) struct Wire {
    runtime: Runtime,
    server: SocketAddr,
    requests: Vec<Arc<[u8]>>,
}

impl Wire {
    /// One connection for each of these bodies.
    pub(super) fn new(url: &str, token: &str, bodies: &[Vec<u8>]) -> Result<Self, Error> {
        let failed = "the load";
        let address = url.strip_prefix("http://").unwrap_or(url);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(Error::server(failed))?;
        let requests = bodies.iter().map(|body| {
            let mut request = format!(
                "POST /v1/decisions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )
            .into_bytes();
            request.extend_from_slice(body);
            request.into()
        });
        Ok(Self {
            runtime,
            server: address.parse().map_err(Error::server(failed))?,
            requests: requests.collect(),
        })
    }

    /// How many connections there are.
    pub(super) fn clients(&self) -> usize {
        self.requests.len()
    }

    /// One round with all connections. Each asks once before the clock starts.
    pub(super) fn round(&mut self, measured: &mut Measured, round: Duration) -> Result<(), Error> {
        let server = self.server;
        let ready = Arc::new(Barrier::new(self.requests.len() + 1));
        let requests = self.requests.clone();
        self.runtime.block_on(async {
            let clients: Vec<_> = requests
                .into_iter()
                .map(|request| tokio::spawn(client(server, request, Arc::clone(&ready), round)))
                .collect();
            ready.wait().await;
            let (begun, process, own) = (Instant::now(), cpu::of_process(), cpu::of_thread());
            for client in clients {
                let times = client.await.map_err(Error::server("a client"))?;
                measured.times.extend(times?);
            }
            measured.elapsed += begun.elapsed();
            measured.cpu += cpu::of_process().saturating_sub(process);
            measured.cpu_of_load += cpu::of_thread().saturating_sub(own);
            Ok(())
        })
    }
}

async fn client(
    server: SocketAddr,
    request: Arc<[u8]>,
    ready: Arc<Barrier>,
    round: Duration,
) -> Result<Vec<Duration>, Error> {
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    let first = async {
        let mut stream = TcpStream::connect(server)
            .await
            .map_err(Error::server("a connection"))?;
        stream
            .set_nodelay(true)
            .map_err(Error::server("a connection"))?;
        ask(&mut stream, &request, &mut answer).await?;
        Ok(stream)
    }
    .await;
    ready.wait().await;
    let mut stream = first?;
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < round {
        let asked = Instant::now();
        ask(&mut stream, &request, &mut answer).await?;
        times.push(asked.elapsed());
    }
    Ok(times)
}

/// Asks once and reads the whole answer.
async fn ask(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) -> Result<(), Error> {
    let failed = Error::server::<std::io::Error>("a request");
    stream.write_all(request).await.map_err(&failed)?;
    answer.clear();
    loop {
        answer.reserve(ANSWER_BYTES / 4);
        if stream.read_buf(answer).await.map_err(&failed)? == 0 {
            return Err(Error::server("a request")("the connection was closed"));
        }
        if let Some((head, body)) = parts(answer)
            && body.len() >= length(head)?
        {
            let is_good = head.starts_with(b"HTTP/1.1 200") && body.starts_with(APPROVED);
            return match is_good {
                true => Ok(()),
                false => Err(Error::server("a decision")(String::from_utf8_lossy(answer))),
            };
        }
    }
}

/// Head and body, once the head is whole.
fn parts(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at(at);
    Some((head, rest.get(4..)?))
}

fn length(head: &[u8]) -> Result<usize, Error> {
    let lines = head.split(|byte| *byte == b'\n');
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        let is_it = name.eq_ignore_ascii_case(b"content-length:");
        is_it.then(|| std::str::from_utf8(value).ok()?.trim().parse().ok())?
    });
    let missing = || Error::server("an answer")("it does not say how long it is");
    values.next().ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart_once_its_head_is_whole() {
        assert!(parts(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n").is_none());
        let (head, body) = parts(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        assert_eq!((length(head).unwrap(), body), (2, &b"{}"[..]));
        assert!(length(b"HTTP/1.1 200 OK\r\nx-content-length: 2").is_err());
    }
}
