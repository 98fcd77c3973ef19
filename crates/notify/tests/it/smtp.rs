//! A mail server of tests: speaks SMTP, with TLS if it has to, and keeps what it is given.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::wait;

/// A certificate for `localhost`, which only these tests trust.
pub(crate) const CERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/it/tls/cert.pem");
pub(crate) const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/it/tls/key.pem");

/// How it speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Plain,
    Starttls,
    Implicit,
    /// Offers STARTTLS, and sends a reply of its own choice before encryption.
    Injecting,
    /// Refuses the recipient for good.
    Refusing,
}

/// A mail that came.
#[derive(Clone, Default)]
pub(crate) struct Mailed {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// As it came, dots undone.
    pub(crate) lines: Vec<String>,
    pub(crate) is_encrypted: bool,
    pub(crate) login: Option<String>,
}

pub(crate) struct MailServer {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Mailed>>>,
}

pub(crate) trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

impl MailServer {
    pub(crate) fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<Mailed>>> = Arc::default();
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, kept) = (stream.unwrap(), Arc::clone(&kept));
                // A client that goes away ends its own dialogue and nothing else.
                std::thread::spawn(move || drop(dialogue(stream, speaks, &kept)));
            }
        });
        Self { port, got }
    }

    pub(crate) fn got(&self) -> Vec<Mailed> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn wait(&self, count: usize) -> Vec<Mailed> {
        wait(|| Some(self.got()).filter(|got| got.len() >= count))
    }
}

impl Mailed {
    /// The header's lines of this name.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let header = self.lines.iter().take_while(|line| !line.is_empty());
        header
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// The server's side of TLS.
pub(crate) fn encrypted(stream: TcpStream) -> Box<dyn Duplex> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(CERT)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    Box::new(StreamOwned::new(connection, stream))
}

fn dialogue(stream: TcpStream, speaks: Speaks, got: &Mutex<Vec<Mailed>>) -> std::io::Result<()> {
    let raw = stream.try_clone()?;
    let mut mailed = Mailed::default();
    let mut wire: BufReader<Box<dyn Duplex>> = BufReader::new(match speaks {
        Speaks::Implicit => encrypted(stream),
        _ => Box::new(stream),
    });
    mailed.is_encrypted = speaks == Speaks::Implicit;
    wire.get_mut()
        .write_all(b"220-mail.example\r\n220 ready\r\n")?;
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        let answer: &[u8] = match line.split([' ', ':']).next().unwrap() {
            "EHLO" if mailed.is_encrypted => {
                b"250-mail.example\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000000\r\n"
            }
            "EHLO" if speaks == Speaks::Plain => b"250 mail.example\r\n",
            "EHLO" => b"250-mail.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n",
            "STARTTLS" if speaks == Speaks::Injecting => b"220 go\r\n250 AUTH PLAIN\r\n",
            "STARTTLS" => {
                wire.get_mut().write_all(b"220 go\r\n")?;
                wire = BufReader::new(encrypted(raw.try_clone()?));
                mailed.is_encrypted = true;
                continue;
            }
            "AUTH" => {
                mailed.login = Some(line.clone());
                b"235 welcome\r\n"
            }
            "MAIL" => {
                mailed.from = line.strip_prefix("MAIL FROM:").unwrap().to_owned();
                b"250 ok\r\n"
            }
            "RCPT" if speaks == Speaks::Refusing => b"550 nobody\x1b[2J here\r\n",
            "RCPT" => {
                mailed
                    .to
                    .push(line.strip_prefix("RCPT TO:").unwrap().to_owned());
                b"250 ok\r\n"
            }
            "DATA" => {
                wire.get_mut().write_all(b"354 go on\r\n")?;
                loop {
                    let mut text = String::new();
                    wire.read_line(&mut text)?;
                    let text = text.strip_suffix("\r\n").expect("lines end in CR LF");
                    assert!(!text.contains(['\r', '\n']));
                    if text == "." {
                        break;
                    }
                    mailed
                        .lines
                        .push(text.strip_prefix('.').unwrap_or(text).to_owned());
                }
                got.lock().unwrap().push(mailed.clone());
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            other => panic!("`{other}` is no command"),
        };
        wire.get_mut().write_all(answer)?;
        wire.get_mut().flush()?;
    }
}
