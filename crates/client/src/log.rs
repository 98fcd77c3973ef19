//! The path of a log on its server.

use crate::body::encode;

/// Where a server serves a log in tlog-tiles layout: `/log/{tenant}/{epoch}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPath(String);

impl LogPath {
    /// From a log's origin, whose last two segments are the tenant and the epoch.
    pub fn of_origin(origin: &str) -> Option<Self> {
        let mut segments = origin.rsplit('/');
        let epoch = segments.next().filter(|text| !text.is_empty())?;
        let tenant = segments.next().filter(|text| !text.is_empty())?;
        segments.next()?;
        Some(Self(format!("/log/{}/{}", encode(tenant), encode(epoch))))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_end_of_the_origin() {
        let path = |origin: &str| LogPath::of_origin(origin).map(|path| path.0);
        assert_eq!(path("log.example/log/acme/1").unwrap(), "/log/acme/1");
        assert_eq!(
            path("countersign.invalid/01HYB7/acme/2").unwrap(),
            "/log/acme/2"
        );
        assert_eq!(path("acme/1"), None);
        assert_eq!(path("a//1"), None);
    }
}
