//! What every page of HTML that is made here has in common: no text in it is markup, nothing is
//! loaded, and nothing runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::refs::Sha256;

/// The page's `Content-Security-Policy`: nothing may be loaded, run, framed or sent, and no style but
/// this one counts.
pub fn only_style(style: &str) -> String {
    let digest = STANDARD.encode(Sha256::of(style.as_bytes()).as_bytes());
    format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
}

/// Text in which nothing is markup, be it content or an attribute's value.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(16));
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_is_named_by_its_digest() {
        // `printf 'p{}' | openssl dgst -sha256 -binary | openssl base64`
        let digest = "gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y=";
        assert!(only_style("p{}").contains(&format!("style-src 'sha256-{digest}'")));
    }

    #[test]
    fn no_text_is_markup() {
        assert_eq!(
            escaped("<script>alert(1)</script>\"'`&"),
            "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&#96;&amp;"
        );
    }
}
