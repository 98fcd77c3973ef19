//! A tool that keeps what it was sent, and answers as it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::world::{PATIENCE, length, split};

/// What the tool does with a request once it has read it.
type Answering = Box<dyn Fn(&Sent) -> Vec<u8> + Send>;

/// A request as its bytes came.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let fields = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        fields
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }
}

pub(crate) struct Tool {
    pub(crate) address: SocketAddr,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Tool {
    /// A tool that answers each request with these bytes and closes.
    pub(crate) fn saying(answer: &str) -> Self {
        let answer = answer.as_bytes().to_vec();
        Self::doing(Box::new(move |_| answer.clone()))
    }

    pub(crate) fn doing(answering: Answering) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let request = read(&mut stream);
                kept.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&answering(&request));
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Self { address, sent }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream) -> Sent {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some((head, rest)) = split(&bytes)
            && rest.len() >= length(&head)
        {
            return Sent {
                body: rest[..length(&head)].to_vec(),
                head,
            };
        }
        match stream.read(&mut buffer).unwrap() {
            0 => panic!(
                "a request was cut off: {:?}",
                String::from_utf8_lossy(&bytes)
            ),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
