//! A receiver of webhooks: answers as it is told to, and keeps what came.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::wait;

/// A request that came.
#[derive(Clone)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What it does with a connection instead of answering well.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Writes this after the request came.
    Text(String),
    /// Hands the connection to this.
    Do(fn(TcpStream)),
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) address: String,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    usual: Arc<Mutex<Option<Answer>>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let receiver = Self {
            url: format!("http://{address}/hook?x=1"),
            address,
            got: Arc::default(),
            answers: Arc::default(),
            usual: Arc::default(),
        };
        let (got, answers, usual) = (
            Arc::clone(&receiver.got),
            Arc::clone(&receiver.answers),
            Arc::clone(&receiver.usual),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let next = answers.lock().unwrap().pop_front();
                let answer = next.or_else(|| usual.lock().unwrap().clone());
                let answer = answer.unwrap_or_else(|| status(204));
                let got = Arc::clone(&got);
                std::thread::spawn(move || serve(stream, answer, &got));
            }
        });
        receiver
    }

    /// What it answers next.
    pub(crate) fn then(&self, answer: Answer) -> &Self {
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    /// What it answers from now on.
    pub(crate) fn always(&self, answer: Option<Answer>) {
        *self.usual.lock().unwrap() = answer;
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until this many requests came.
    pub(crate) fn wait(&self, count: usize) -> Vec<Got> {
        wait(|| Some(self.got()).filter(|got| got.len() >= count))
    }
}

/// An answer with a status.
pub(crate) fn status(status: u16) -> Answer {
    Answer::Text(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"))
}

/// An answer with a status and a header.
pub(crate) fn with_header(status: u16, header: &str) -> Answer {
    Answer::Text(format!(
        "HTTP/1.1 {status} x\r\n{header}\r\ncontent-length: 0\r\n\r\n"
    ))
}

impl Got {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn serve(stream: TcpStream, answer: Answer, got: &Mutex<Vec<Got>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // Somebody who only connects is no request.
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length: usize = headers["content-length"].parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    got.lock().unwrap().push(Got {
        line: line.trim_end().to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    });
    let mut stream = reader.into_inner();
    match answer {
        Answer::Text(text) => stream.write_all(text.as_bytes()).unwrap(),
        Answer::Do(act) => act(stream),
    }
}
