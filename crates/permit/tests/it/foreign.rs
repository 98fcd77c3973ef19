//! A JWT library that we did not write, on either side.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::json;

use crate::support::*;

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["mail-gateway"]);
    validation.set_issuer(&["https://countersign.acme.example"]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation
}

#[test]
fn a_foreign_library_accepts_our_permits_by_our_key_set() {
    let token = signer().sign(&claims()).unwrap();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("countersign-permit+jwt"));
    let set: JwkSet = serde_json::from_slice(&jwks()).unwrap();
    let jwk = set.find(&header.kid.unwrap()).unwrap();
    let key = DecodingKey::from_jwk(jwk).unwrap();
    let decoded = decode::<Claims>(&token, &key, &validation()).unwrap();
    assert_eq!(decoded.claims, claims());

    let mut other = validation();
    other.set_audience(&["elsewhere"]);
    assert!(decode::<Claims>(&token, &key, &other).is_err());
    let mut changed = token.clone();
    changed.replace_range(token.len() - 10..token.len() - 9, "!");
    assert!(decode::<Claims>(&changed, &key, &validation()).is_err());
}

#[test]
fn we_accept_a_permit_that_a_foreign_library_signed_with_the_key() {
    // RFC 8410 section 7: a PKCS#8 document around the seed.
    let prefix = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let document = [&prefix[..], &SEED].concat();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("countersign-permit+jwt".to_owned());
    header.kid = Some(signer().jwk().kid.clone());
    let token = encode(&header, &claims(), &EncodingKey::from_ed_der(&document)).unwrap();
    assert_eq!(verifier().verify(&token, &expect()).unwrap(), claims());

    let ours = countersign_permit::PermitSigner::from_pkcs8(&document).unwrap();
    assert_eq!(ours.public_key(), signer().public_key());
    assert!(countersign_permit::PermitSigner::from_pkcs8(&document[1..]).is_err());
}

/// `PYTHON` names an interpreter that has what `tools/requirements.txt` asks for.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let run = Command::new(&python)
        .args(["-c", "import jwt, rfc8785"])
        .output();
    match run {
        Ok(output) if output.status.success() => Some(python),
        _ => {
            eprintln!("SKIPPED: `{python}` has no jwt and rfc8785 (tools/requirements.txt)");
            None
        }
    }
}

/// What the check in Python says of a permit: its exit code, and what it printed.
fn told(python: &str, token: &str, changed: &[(&str, &str)]) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut options: Vec<(&str, String)> = vec![
        ("--jwks", write("jwks.json", &jwks())),
        ("--issuer", "https://countersign.acme.example".to_owned()),
        ("--audience", "mail-gateway".to_owned()),
        ("--tool", "email.send".to_owned()),
        ("--args", write("args.json", ARGS)),
    ];
    for (name, value) in changed {
        let value = match *name {
            "--args" | "--wire" => write("changed.json", value.as_bytes()),
            _ => (*value).to_owned(),
        };
        options.retain(|(known, _)| known != name);
        options.push((name, value));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/check_permit.py");
    let mut command = Command::new(python);
    command.arg(script);
    for (name, value) in options {
        command.args([name, &value]);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(token.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output.status.code().unwrap(), said)
}

/// Python, which looks at the machine's clock, agrees with us on what is a good permit.
#[test]
fn the_check_in_python_takes_what_we_take_and_refuses_what_we_refuse() {
    let Some(python) = python() else {
        return;
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let signed = |change: &dyn Fn(&mut Claims)| {
        let mut own = claims();
        (own.iat, own.exp) = (now.as_secs(), now.as_secs() + 60);
        change(&mut own);
        signer().sign(&own).unwrap()
    };
    let token = signed(&|_| ());
    let wire = serde_json::to_string(&claims().wire).unwrap();
    let spelt = r#" { "to": ["billing@customer.example"], "amount": 1.0e1 } "#;
    for changed in [&[][..], &[("--args", spelt)], &[("--wire", wire.as_str())]] {
        let (code, said) = told(&python, &token, changed);
        assert_eq!(
            (code, said.trim()),
            (0, claims().entry_id.to_string().as_str()),
            "{changed:?}"
        );
    }
    let other_wire = wire.replace("mail.acme", "evil");
    for changed in [
        ("--issuer", "https://countersign.acme.example/"),
        ("--audience", "mail"),
        ("--tool", "email.read"),
        ("--args", r#"{"amount":10,"to":["eve@evil.test"]}"#),
        (
            "--args",
            r#"{"amount":10,"to":[],"to":["billing@customer.example"]}"#,
        ),
        ("--wire", other_wire.as_str()),
    ] {
        let (code, said) = told(&python, &token, &[changed]);
        assert_eq!(code, 1, "{changed:?}: {said}");
    }
    let foreign = countersign_permit::PermitSigner::from_seed(&[8; 32]).unwrap();
    let same_kid = |header: serde_json::Value| {
        forged(&header, &claims_now(now.as_secs()), |bytes| {
            signature(bytes)
        })
    };
    let kid = signer().jwk().kid.clone();
    let (text, signature_text) = token.rsplit_once('.').unwrap();
    let changed = match signature_text.strip_prefix('A') {
        Some(rest) => format!("{text}.B{rest}"),
        None => format!("{text}.A{}", &signature_text[1..]),
    };
    for (what, token) in [
        (
            "ended",
            signed(&|it| (it.iat, it.exp) = (it.iat - 61, it.exp - 61)),
        ),
        (
            "to come",
            signed(&|it| (it.iat, it.exp) = (it.iat + 30, it.exp + 30)),
        ),
        (
            "of another key",
            foreign.sign(&claims_now(now.as_secs())).unwrap(),
        ),
        ("changed", changed),
        ("no token", "a.b.c".to_owned()),
        (
            "of another type",
            same_kid(json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"})),
        ),
        (
            "of another algorithm",
            same_kid(json!({"alg": "HS256", "kid": kid, "typ": "countersign-permit+jwt"})),
        ),
        (
            "of no algorithm",
            same_kid(json!({"alg": "none", "kid": kid, "typ": "countersign-permit+jwt"})),
        ),
    ] {
        let (code, said) = told(&python, &token, &[]);
        assert_eq!(code, 1, "{what}: {said}");
    }
}

fn claims_now(now: u64) -> Claims {
    Claims {
        iat: now,
        exp: now + 60,
        ..claims()
    }
}

fn forged(header: &serde_json::Value, claims: &Claims, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let claims = serde_json::to_vec(claims).unwrap();
    let signed = format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(&claims)
    );
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encoded(&signature))
}

fn signature(bytes: &[u8]) -> Vec<u8> {
    SigningKey::from_bytes(&SEED)
        .sign(bytes)
        .to_bytes()
        .to_vec()
}
