//! `notify.toml`: what is refused, and what stays.

use std::os::unix::fs::PermissionsExt as _;

use countersign_notify::{RawSink, SinkState, State};

use crate::support::{SECRET, World, webhook};

fn write(world: &World, text: &str, mode: u32) -> std::path::PathBuf {
    let path = world.dir().config().path().to_owned();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn refusal(world: &World) -> String {
    match world.dir().config().read() {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn only_its_owner_may_read_it() {
    let world = World::new();
    world.add(&webhook("a", "https://receiver.example/"));
    let path = world.dir().config().path().to_owned();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    for mode in [0o640, 0o604, 0o660, 0o620] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(refusal(&world).contains(&format!("{mode:o}")), "{mode:o}");
    }
}

#[test]
fn what_cannot_be_a_sink_is_refused_and_no_secret_told() {
    let world = World::new();
    let whole = format!(
        "[[sink]]\nname = \"a\"\nkind = \"webhook\"\nurl = \"https://r.example/\"\nsecrets = [\"{SECRET}\"]\n"
    );
    write(&world, &whole, 0o600);
    assert_eq!(world.dir().config().read().ok().unwrap().sinks.len(), 1);
    let secret = SECRET.trim_start_matches("whsec_");
    for (change, expected) in [
        (
            ("kind = \"webhook\"", "kind = \"pager\""),
            "`webhook`, `slack` and `mail`",
        ),
        (("name = \"a\"", "name = \"A b\""), "1 to 40"),
        // What is of another type than it should be is not shown either.
        (("secrets = [", "secrets = \"hunter2\" # "), "line 5"),
        (("secrets = [", "tls = \"hunter2\" # "), "line 5"),
        (("secrets = [", "to = \"hunter2\" # "), "line 5"),
        (("secrets = [", "quiet = \"hunter2\" # "), "line 5"),
        (
            ("secrets = [", "hunter2\nhunter2 = \"hunter2\" # "),
            "line 5",
        ),
        (("secrets = [", "password = 20171101 # "), "line 5"),
        (("https://", "http://"), "allow_private"),
        (("https://", "ftp://"), "neither"),
        (("https://", "https://jo:hunter2@"), "user's name"),
        (("secrets = [", "secrets = [] #"), "0 `secrets`"),
        (("whsec_", "whsec_!"), "no signing secret"),
        (("whsec_", "whsec_\\"), "line 5"),
        (
            ("[[sink]]", "[[sink]]\nsecret_of_mine = 1"),
            "unknown field",
        ),
        (("[[sink]]", "[[sink]]\ntls = \"none\""), "belong to mail"),
        (("[[sink]]", "[[sink]]\nretry_first_s = 0"), "at least 1"),
        (
            ("[[sink]]", "[[sink]]\nopens = \"/does/not/exist\""),
            "`opens`",
        ),
        (
            ("[[sink]]", "link = \"https://console.example/\"\n[[sink]]"),
            "{flag}",
        ),
        (
            (
                "[[sink]]",
                "[[sink]]\nquiet = { from = \"22:00\", to = \"26:00\" }",
            ),
            "26:00",
        ),
    ] {
        write(&world, &whole.replace(change.0, change.1), 0o600);
        let said = refusal(&world);
        assert!(said.contains(expected), "`{expected}` is not in: {said}");
        assert!(
            !said.contains(secret) && !said.contains("hunter2") && !said.contains("20171101"),
            "{said}"
        );
    }
    write(&world, &whole.repeat(2), 0o600);
    assert!(refusal(&world).contains("two sinks"));
    for (server, from, to) in [
        ("mail.example", "a@b.example", "c@d.example"),
        ("mail.example:25/x", "a@b.example", "c@d.example"),
        (
            "mail.example:587",
            "a@b.example\\r\\nBcc: x@y.example",
            "c@d.example",
        ),
        ("mail.example:587", "a@b.example", "c@d.example>\\r\\nDATA"),
        ("mail.example:587", "a@b.example", "r\u{e9}@d.example"),
    ] {
        let mail = format!(
            "[[sink]]\nname=\"m\"\nkind=\"mail\"\nserver=\"{server}\"\nfrom=\"{from}\"\nto=[\"{to}\"]\n"
        );
        write(&world, &mail, 0o600);
        refusal(&world);
    }
}

#[test]
fn adding_and_removing_leave_the_rest_as_it_stands() {
    let world = World::new();
    let before = format!(
        "# ours\nlink = \"https://console.example/{{flag}}\"\n\n[[sink]] # the first\nname = \"a\"\nkind = \"webhook\"\n\
         url = \"https://r.example/\"\nsecrets = [\"{SECRET}\"] # ask Jo\n[sink.quiet]\nfrom = \"22:00\"\nto = \"07:00\"\n"
    );
    let path = write(&world, &before, 0o600);
    world.add(&webhook("b", "https://s.example/"));
    assert!(
        world
            .dir()
            .config()
            .add(&webhook("b", "https://s.example/"))
            .is_err()
    );
    assert!(world.dir().config().add(&RawSink::default()).is_err());
    let config = world.dir().config().read().ok().unwrap();
    assert!(config.sink("a").is_ok_and(|sink| sink.quiet.is_some()));
    assert!(config.sink("b").is_ok_and(|sink| sink.quiet.is_none()));
    world
        .dir()
        .config()
        .remove("b")
        .unwrap_or_else(|error| panic!("{error}"));
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after.trim_end(), before.trim_end());
    world
        .dir()
        .config()
        .remove("a")
        .unwrap_or_else(|error| panic!("{error}"));
    let left = std::fs::read_to_string(&path).unwrap();
    assert!(left.contains("# ours") && !left.contains(SECRET), "{left}");
    assert!(world.dir().config().remove("a").is_err());
}

#[test]
fn a_state_is_read_back_as_it_was_written_or_not_at_all() {
    let world = World::new();
    let path = world.dir().state();
    assert!(State::read(&path).unwrap().is_none());
    let mut state = State::default();
    let sink = SinkState {
        cursor: 7,
        gathered_more: 2,
        ..SinkState::default()
    };
    state.sinks.insert("a".to_owned(), sink);
    state.write(&path).unwrap();
    assert_eq!(State::read(&path).unwrap().unwrap(), state);
    for text in [
        "",
        "{",
        "{\"version\":2,\"sinks\":{}}",
        "{\"version\":1,\"sinks\":{\"a\":{\"x\":1}}}",
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(State::read(&path).is_err(), "{text}");
    }
}
