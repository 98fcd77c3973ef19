#![no_main]
#![allow(dead_code, unused_imports)]

/// What the readers take of the rest of the command: an error with its place.
mod error {
    use std::fmt::Display;
    use std::path::Path;

    #[derive(Debug)]
    pub struct CliError(pub String);

    impl CliError {
        pub fn io(path: &Path, error: impl Display) -> Self {
            Self(format!("{}: {error}", path.display()))
        }
    }
}

/// What is read here comes from no file.
mod input {
    pub fn open_regular(path: &std::path::Path) -> std::io::Result<std::fs::File> {
        std::fs::File::open(path)
    }
}

#[path = "../../crates/cli/src/commands"]
mod commands {
    pub mod reconcile {
        mod csv;
        mod otel;
        mod outside;

        #[path = "../../../../../fuzz/checks/reconcile.rs"]
        pub mod checks;
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| commands::reconcile::checks::reconcile(data));
