//! Connections to the upstream: TCP, and TLS where the address says `https`.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Makes connections to the one upstream.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: Option<TlsConnector>,
    within: Duration,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One connection.
pub(crate) struct Link(TokioIo<Box<dyn Duplex>>);

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamTlsError {
    /// The file of certificates cannot be read.
    #[error("`{path}`: {error}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// What is wrong.
        error: rustls::pki_types::pem::Error,
    },
    /// The certificates do not serve, or the system has none.
    #[error("the certificates that may have signed the upstream's: {0}")]
    Unfit(#[from] rustls::Error),
}

impl Connector {
    /// Connections to an address; certificates are read now, so that a wrong file is a start that
    /// fails.
    pub(crate) fn new(
        uri: &Uri,
        ca: Option<&Path>,
        within: Duration,
    ) -> Result<Self, UpstreamTlsError> {
        let tls = match uri.scheme_str() == Some("https") {
            true => Some(TlsConnector::from(Arc::new(client_config(ca)?))),
            false => None,
        };
        Ok(Self { tls, within })
    }

    async fn connect(self, uri: Uri) -> io::Result<Link> {
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let own = if self.tls.is_some() { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(own);
        let connected = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let Some(tls) = self.tls else {
                return Ok(Link(TokioIo::new(Box::new(stream) as Box<dyn Duplex>)));
            };
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let stream = tls.connect(name, stream).await?;
            Ok(Link(TokioIo::new(Box::new(stream) as Box<dyn Duplex>)))
        };
        match timeout(self.within, connected).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "connecting took too long",
            )),
        }
    }
}

fn client_config(ca: Option<&Path>) -> Result<ClientConfig, UpstreamTlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let Some(path) = ca else {
        return Ok(builder.with_platform_verifier()?.with_no_client_auth());
    };
    let failed = |error| UpstreamTlsError::File {
        path: path.to_owned(),
        error,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
        roots.add(certificate.map_err(failed)?)?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl tower::Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}
