//! Quiet hours, and what is opened.

use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_core::entry::Severity;
use countersign_notify::{Change, RawQuiet, RawSink};

use crate::receiver::{Receiver, status};
use crate::support::{TOKEN, World, webhook, words};

/// The clock begins at noon.
fn quiet(from: &str, to: &str) -> Option<RawQuiet> {
    Some(RawQuiet {
        from: from.to_owned(),
        to: to.to_owned(),
        offset: "+00:00".to_owned(),
        below: Severity::Critical,
    })
}

#[test]
fn in_quiet_hours_only_what_is_critical_passes() {
    let receiver = Receiver::start();
    let mut world = World::new();
    world.add(&RawSink {
        quiet: quiet("11:00", "13:00"),
        ..webhook("a", &receiver.url)
    });
    world.start();
    let first = world.log.raise(Severity::Warning).to_string();
    let critical = world.log.raise(Severity::Critical);
    // That a grave flag was seen to wakes nobody.
    let seen = world
        .log
        .follow(critical, Change::Acknowledged, Severity::Critical)
        .to_string();
    world.wait("a", |state| {
        state.gathered.len() == 2 && state.delivered == 1
    });
    // What waits outlives a restart.
    world.stop();
    world.start();
    world.clock.turn(Duration::from_secs(3_599));
    let last = world.log.raise(Severity::Notice).to_string();
    world.wait("a", |state| state.gathered.len() == 3);
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(receiver.got()[0].id(), critical.to_string());
    world.clock.turn(Duration::from_secs(1));
    let got = receiver.wait(2).remove(1);
    assert_eq!(got.id(), format!("digest_{last}"));
    let said = got.json();
    assert_eq!(said["type"], "countersign.digest");
    let told: Vec<&str> = said["data"]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["data"]["entry"].as_str().unwrap())
        .collect();
    assert_eq!(told, [&first, &seen, &last]);
    assert_eq!(said["data"]["more"], 0);
    world.wait("a", |state| {
        state.gathered.is_empty() && state.delivered == 2
    });
}

/// Who can raise thousands of flags must not bury the one that counts.
#[test]
fn a_flood_is_told_in_digests_and_what_is_critical_before_it() {
    let receiver = Receiver::start();
    let mut world = World::new();
    world.add(&RawSink {
        from_start: true,
        ..webhook("a", &receiver.url)
    });
    let mut raised = Vec::new();
    let mut critical = String::new();
    for n in 0..121 {
        match n {
            60 => critical = world.log.raise(Severity::Critical).to_string(),
            _ => raised.push(world.log.raise(Severity::Warning).to_string()),
        }
    }
    world.start();
    let got = receiver.wait(3);
    assert_eq!(got[0].id(), critical);
    let told = |n: usize| {
        let said = got[n].json();
        assert_eq!(said["type"], "countersign.digest");
        assert_eq!(said["data"]["more"], 0);
        let messages = said["data"]["messages"].as_array().unwrap().clone();
        let entry = |it: &serde_json::Value| it["data"]["entry"].as_str().unwrap().to_owned();
        messages.iter().map(entry).collect::<Vec<_>>()
    };
    assert_eq!(
        [told(1), told(2)].concat(),
        raised,
        "each of them, in order"
    );
    // Few at once are told one by one.
    let after = world.log.raise(Severity::Notice).to_string();
    assert_eq!(receiver.wait(4)[3].id(), after);
}

#[test]
fn what_could_not_be_told_before_they_began_waits_too() {
    let receiver = Receiver::start();
    receiver.then(status(500));
    let mut world = World::new();
    world.add(&RawSink {
        quiet: quiet("12:01", "13:00"),
        ..webhook("a", &receiver.url)
    });
    world.start();
    let first = world.log.raise(Severity::Warning).to_string();
    world.wait("a", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1)
    });
    world.clock.turn(Duration::from_secs(60));
    world.wait("a", |state| {
        state.head.is_none() && state.gathered.len() == 1
    });
    world.clock.turn(Duration::from_secs(3_600));
    let got = receiver.wait(2).remove(1);
    assert_eq!(got.id(), format!("digest_{first}"));
}

#[test]
fn nothing_sealed_is_opened_unless_the_sink_says_so_and_then_once() {
    let (open, shut) = (Receiver::start(), Receiver::start());
    open.then(status(500)).then(status(500));
    let mut world = World::new();
    *world.log.opened.lock().unwrap() = words("send it to jane.doe@former.example");
    world.add(&RawSink {
        opens: Some(TOKEN.to_owned()),
        ..webhook("open", &open.url)
    });
    world.add(&webhook("shut", &shut.url));
    world.start();
    world.log.raise(Severity::Warning);
    world.again("open", 1);
    world.again("open", 2);
    let got = open.wait(3);
    assert!(!shut.wait(1)[0].body.contains("jane.doe"));
    for got in &got {
        let said = got.json();
        assert_eq!(said["data"]["opened"]["turn"][0]["by"], "correspondent");
        assert!(got.body.contains("jane.doe@former.example"));
    }
    // One opening for three attempts, and nothing of it on the disk.
    assert_eq!(world.log.openings.load(Ordering::SeqCst), 1);
    let state = std::fs::read_to_string(world.dir().state()).unwrap();
    assert!(!state.contains("jane.doe"));
}

#[test]
fn what_was_opened_is_told_soon_or_not_at_all() {
    let receiver = Receiver::start();
    receiver.then(status(500));
    let mut world = World::new();
    *world.log.opened.lock().unwrap() = words("secret");
    world.add(&RawSink {
        opens: Some(TOKEN.to_owned()),
        ..webhook("open", &receiver.url)
    });
    world.start();
    world.log.raise(Severity::Warning);
    world.wait("open", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1)
    });
    world.clock.turn(Duration::from_secs(16 * 60));
    let got = receiver.wait(2);
    assert!(got[0].body.contains("secret") && !got[1].body.contains("secret"));
    assert_eq!(world.log.openings.load(Ordering::SeqCst), 1);
}

#[test]
fn what_was_erased_meanwhile_is_told_no_more() {
    let receiver = Receiver::start();
    receiver.then(status(500)).then(status(500));
    let mut world = World::new();
    *world.log.opened.lock().unwrap() = words("secret");
    world.add(&RawSink {
        opens: Some(TOKEN.to_owned()),
        ..webhook("open", &receiver.url)
    });
    world.start();
    world.log.raise(Severity::Warning);
    world.wait("open", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1)
    });
    world.log.is_erased.store(true, Ordering::SeqCst);
    world.again("open", 1);
    world.again("open", 2);
    let got = receiver.wait(3);
    assert!(got[0].body.contains("secret"));
    for later in &got[1..] {
        assert!(!later.body.contains("secret"), "{}", later.body);
        assert!(later.body.contains("erased since"), "{}", later.body);
    }
    assert_eq!(world.log.openings.load(Ordering::SeqCst), 1);
}
