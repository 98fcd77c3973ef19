//! A connection that ends when its time is up, however slowly the other side speaks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::limits::CONNECT;

/// A connection, plain or encrypted.
pub(super) enum Wire {
    Plain(Timed),
    Encrypted(Box<StreamOwned<ClientConnection, Timed>>),
}

/// TCP with a deadline for all of it.
pub(super) struct Timed {
    stream: TcpStream,
    end: Instant,
}

impl Timed {
    /// Connects to the first address that answers.
    pub(super) fn connect(addresses: &[SocketAddr], end: Instant) -> io::Result<Self> {
        let mut last = too_long();
        for address in addresses {
            let left = left(end)?.min(CONNECT);
            match TcpStream::connect_timeout(address, left) {
                Ok(stream) => return Ok(Self { stream, end }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Wire {
    /// The same connection, encrypted from here on; the other side's certificate is checked now.
    pub(super) fn encrypt(self, config: Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let Self::Plain(mut timed) = self else {
            return Err(io::Error::other("it is encrypted already"));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut timed)?;
        }
        Ok(Self::Encrypted(Box::new(StreamOwned::new(tls, timed))))
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.end)?))?;
        self.stream.read(buffer).map_err(timely)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.end)?))?;
        self.stream.write(buffer).map_err(timely)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Encrypted(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

/// What is left until the deadline; never zero, which would be no limit.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    match left < Duration::from_millis(1) {
        true => Err(too_long()),
        false => Ok(left),
    }
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "it took too long")
}

/// A read that its time limit ended comes as `WouldBlock`.
fn timely(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => too_long(),
        _ => error,
    }
}
