//! What holds for any bytes that stand in the settings of sinks, or in their state.

use std::cell::OnceCell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use countersign_notify::{Config, NotifyDir, RawSink, State};
use tempfile::TempDir;

/// A secret that seeds hold: no error may show it.
const SECRET: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
/// A name that no input has.
const NEW: &str = "one-that-is-new";

thread_local! {
    static DIR: OnceCell<TempDir> = const { OnceCell::new() };
}

fn in_dir(check: impl FnOnce(&Path)) {
    // In memory, if the system has that: files are written through.
    let memory = Path::new("/dev/shm");
    let made = || match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    };
    DIR.with(|dir| check(dir.get_or_init(made).path()));
}

fn put(path: &Path, data: &[u8]) {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).unwrap().write_all(data).unwrap();
}

fn names(config: &Config) -> Vec<String> {
    let sinks = config.sinks.iter();
    sinks.map(|sink| sink.name.to_string()).collect()
}

/// Settings that can be used are still the same when a sink is added and taken out again, and lack
/// one sink if that is taken out; an error shows no secret that stands where secrets do.
pub(crate) fn notify_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    let is_secret = lines.all(|line| {
        let mut members = ["secrets = ", "password = ", "url = "].iter();
        members.any(|member| line.starts_with(member))
    });
    in_dir(|dir| {
        let file = NotifyDir::new(dir).config();
        put(file.path(), data);
        let before = match file.read() {
            Ok(config) => config,
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                let is_shown = format!("{error} {hint}").contains(SECRET);
                assert!(!is_secret || !is_shown, "{error}");
                return;
            }
        };
        let all = names(&before);
        let sink = RawSink {
            name: NEW.to_owned(),
            kind: "webhook".to_owned(),
            url: Some("https://hooks.example/x".to_owned()),
            secrets: vec![format!("whsec_{SECRET}")],
            ..RawSink::default()
        };
        if all.iter().any(|name| name == NEW) || file.add(&sink).is_err() {
            return;
        }
        let added = file.read().unwrap();
        assert_eq!(names(&added), [all.as_slice(), &[NEW.to_owned()]].concat());
        assert_eq!(added.link, before.link);
        file.remove(NEW).unwrap();
        assert_eq!(names(&file.read().unwrap()), all);
        if let [first, rest @ ..] = all.as_slice() {
            file.remove(first).unwrap();
            let left = file.read().unwrap();
            assert_eq!(names(&left), rest);
            assert_eq!(left.link, before.link);
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(file.path()).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    });
}

/// A state that is read is written as it is.
pub(crate) fn notify_state(data: &[u8]) {
    in_dir(|dir| {
        let path = NotifyDir::new(dir).state();
        put(&path, data);
        let Ok(Some(state)) = State::read(&path) else {
            return;
        };
        for sink in state.sinks.values() {
            let heads = sink.head.iter().map(|head| &head.item);
            let dead = sink.dead.iter().map(|dead| &dead.item);
            for item in heads.chain(dead).chain(&sink.again) {
                assert!(!item.id().is_empty());
                assert!(item.places().len() <= data.len());
            }
        }
        state.write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap(), Some(state));
    });
}
