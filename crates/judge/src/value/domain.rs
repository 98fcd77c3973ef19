//! Domain names (RFC 1034, UTS 46).

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use unicode_normalization::UnicodeNormalization as _;

use super::{Key, KeyKind, Parsed, text};

/// A domain that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Domain {
    /// Its ASCII form in lower case.
    pub(crate) ascii: String,
    /// Whether it was spelt without tricks: in ASCII, or in the one Unicode spelling of its form.
    pub(crate) plain: bool,
}

impl Domain {
    /// Reads a domain without a root dot.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let ascii = Uts46::new()
            .to_ascii(
                value.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .ok()?
            .into_owned();
        // UTS 46 drops hidden characters and folds full-width ones: such a spelling reads as the
        // domain, and is not the one that somebody else wrote.
        let stays = |c: char| {
            c.is_ascii()
                || std::iter::once(c)
                    .nfkc()
                    .flat_map(char::to_lowercase)
                    .all(|c| !c.is_ascii())
        };
        let plain = value.is_ascii()
            || value.chars().all(stays) && {
                let (unicode, result) = Uts46::new().to_unicode(
                    ascii.as_bytes(),
                    AsciiDenyList::STD3,
                    Hyphens::CheckFirstLast,
                );
                let lower: String = value.chars().flat_map(char::to_lowercase).collect();
                result.is_ok() && text::nfc(&lower) == unicode
            };
        Some(Self { ascii, plain })
    }

    /// The domain as a reader sees it.
    pub(crate) fn unicode(&self) -> String {
        let (unicode, _) = Uts46::new().to_unicode(
            self.ascii.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
        );
        unicode.into_owned()
    }
}

/// Reads a target of type `domain`; one dot at the end is allowed.
pub(super) fn parse_target(value: &str) -> Option<Parsed> {
    if text::has_hidden(value) {
        return None;
    }
    let domain = Domain::parse(value.strip_suffix('.').unwrap_or(value))?;
    let keys = if domain.plain {
        vec![Key::new(KeyKind::Domain, domain.ascii.clone())]
    } else {
        Vec::new()
    };
    Some(Parsed {
        skeleton: Some(text::skeleton(&domain.unicode())),
        lookups: vec![domain.ascii.clone()],
        keys,
        members: vec![("domain", domain.ascii)],
    })
}
