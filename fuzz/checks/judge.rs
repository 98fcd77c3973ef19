//! What holds for any bytes that are read as what the author of a bundle writes.

use countersign_core::document::{Bundle, BundleContent};
use countersign_core::json::{self, CanonicalJson};
use countersign_core::limits::BUNDLE_BYTES;
use countersign_judge::{CompiledBundle, Severity, check};

/// A bundle compiles if and only if checking it finds no error, and what compiles is read again
/// from the text that the log would hold.
pub(crate) fn bundle(data: &[u8]) {
    let Ok(content) = json::parse_as::<BundleContent>(data, BUNDLE_BYTES) else {
        return;
    };
    let tenant: countersign_core::names::TenantId = "acme".parse().unwrap();
    let findings = check(&content, &tenant);
    let is_sound = findings
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    let bundle = Bundle { tenant, content };
    let compiled = CompiledBundle::compile(bundle.clone());
    assert_eq!(compiled.is_ok(), is_sound, "{findings:?}");
    if compiled.is_ok() {
        let written = CanonicalJson::of(&bundle.content).unwrap();
        let read: BundleContent = json::parse_as(written.as_bytes(), BUNDLE_BYTES).unwrap();
        assert_eq!(read, bundle.content);
    }
}
