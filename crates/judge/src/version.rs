//! Which code judged.

use std::sync::LazyLock;

use countersign_core::names::JudgeVersion;

/// Changes whenever any fact changes for the same inputs.
pub const EXTRACTOR: u32 = 2;

/// Product, engine and extractor with their versions, as a decision states them.
pub fn judge_version() -> JudgeVersion {
    static VERSION: LazyLock<JudgeVersion> = LazyLock::new(version);
    VERSION.clone()
}

fn version() -> JudgeVersion {
    let text = format!(
        "countersign {}; cedar {}; extractor {EXTRACTOR}",
        env!("CARGO_PKG_VERSION"),
        cedar_policy::get_sdk_version()
    );
    #[expect(
        clippy::expect_used,
        reason = "a constant text of this build, held by the test below"
    )]
    text.parse().expect("versions fit the syntax")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_what_the_lock_file_builds() {
        let lock = include_str!("../../../Cargo.lock");
        let cedar = lock
            .split("name = \"cedar-policy\"\nversion = \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap();
        assert_eq!(
            judge_version().as_str(),
            format!("countersign 0.1.0; cedar {cedar}; extractor {EXTRACTOR}")
        );
    }
}
