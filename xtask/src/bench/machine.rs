//! What the numbers were measured on.

use std::path::Path;

use serde::Serialize;

/// The machine, as far as it says.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    cpu: String,
    cpus: usize,
    memory_gib: u64,
    kernel: String,
    /// The file system that was written to.
    filesystem: String,
    /// The load average over a minute when the run began: others' work disturbs.
    load: String,
    build: &'static str,
}

impl Machine {
    /// This machine, with the file system of `dir`.
    pub(super) fn here(dir: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory_kib = after(&read("/proc/meminfo"), "MemTotal:")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0);
        Self {
            cpu: after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_gib: memory_kib.div_ceil(1024 * 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(&read("/proc/self/mounts"), dir).unwrap_or_else(unknown),
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .unwrap_or("?")
                .to_owned(),
            build: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}, {} CPUs, {} GiB; Linux {}; {}; load average {} at the start; {} build",
            self.cpu,
            self.cpus,
            self.memory_gib,
            self.kernel,
            self.filesystem,
            self.load,
            self.build
        )
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// What follows a name and a colon on the first line that has it.
fn after(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the file system that holds `dir`: of the longest mount point above it.
fn filesystem(mounts: &str, dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(point), Some(kind)) = (fields.next(), fields.next()) else {
            continue;
        };
        if dir.starts_with(point) && found.is_none_or(|(length, _)| point.len() >= length) {
            found = Some((point.len(), kind));
        }
    }
    found.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_above_counts() {
        let mounts = "a / ext4 rw 0 0\nb /proc proc rw 0 0\nc /proc/self/nowhere xfs rw 0 0\n";
        assert_eq!(
            filesystem(mounts, Path::new("/proc")).as_deref(),
            Some("proc")
        );
        assert_eq!(filesystem(mounts, Path::new("/")).as_deref(), Some("ext4"));
    }
}
