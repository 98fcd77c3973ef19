//! TLS, and where plain HTTP is refused.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_api::{ConfigError, ServeError, Server, ServerConfig, TlsFiles};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::world::{World, exchange};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/tls")
        .join(name)
}

fn files() -> TlsFiles {
    TlsFiles {
        cert: file("test-only.cert.pem"),
        key: file("test-only.key.pem"),
    }
}

fn client() -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(files().cert).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn bind(config: ServerConfig) -> Result<(), ServeError> {
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(Server::bind(Arc::clone(world.service()), config))
        .map(drop)
}

#[test]
fn requests_are_answered_over_tls_and_plain_ones_are_not() {
    let world = World::with(ServerConfig {
        tls: Some(files()),
        ..ServerConfig::default()
    });
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(client(), name).unwrap();
    let mut stream = rustls::StreamOwned::new(session, world.connect());
    let request = world.request("GET", "/v1/flags", Some("auditor"), &[], None);
    exchange(&mut stream, &request).expect(200);
    let large = world.request(
        "POST",
        "/v1/turns",
        Some("ingress"),
        &[],
        Some(&vec![b' '; 9 * 1024 * 1024]),
    );
    exchange(&mut stream, &large).problem(413, "too-large");
    let mut plain: TcpStream = world.connect();
    let _ = std::io::Write::write_all(&mut plain, &request);
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut answer);
    assert!(
        !answer.starts_with(b"HTTP"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[test]
fn tokens_do_not_cross_a_network_in_the_clear_by_mistake() {
    let everywhere = ServerConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..ServerConfig::default()
    };
    let refused = bind(everywhere.clone()).unwrap_err();
    assert!(
        matches!(refused, ServeError::Config(ConfigError::InTheClear(_))),
        "{refused}"
    );
    bind(ServerConfig {
        behind_proxy: true,
        ..everywhere.clone()
    })
    .unwrap();
    bind(ServerConfig {
        tls: Some(files()),
        ..everywhere
    })
    .unwrap();
}

#[test]
fn keys_that_do_not_serve_are_named() {
    let with = |cert: PathBuf, key: PathBuf| {
        let tls = Some(TlsFiles { cert, key });
        bind(ServerConfig {
            tls,
            listen: "127.0.0.1:0".parse().unwrap(),
            ..ServerConfig::default()
        })
        .unwrap_err()
        .to_string()
    };
    let missing = with(file("missing.pem"), files().key);
    assert!(missing.contains("missing.pem"), "{missing}");
    let swapped = with(files().key, files().cert);
    assert!(swapped.contains("holds no certificate"), "{swapped}");
    let no_key = with(files().cert, files().cert);
    assert!(no_key.contains("test-only.cert.pem"), "{no_key}");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let refused = bind(ServerConfig {
        listen,
        ..ServerConfig::default()
    })
    .unwrap_err()
    .to_string();
    assert!(refused.contains(&listen.to_string()), "{refused}");
}
