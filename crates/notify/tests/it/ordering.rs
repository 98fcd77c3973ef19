//! At least once, in the order of the log, over failures and restarts.

use std::time::Duration;

use countersign_core::entry::Severity;
use countersign_notify::{Asked, RawSink, SigningSecret, SinkName, signatures};

use crate::receiver::{Receiver, status, with_header};
use crate::support::{SECRET, World, webhook};

#[test]
fn a_webhook_is_signed_and_says_what_the_entry_says() {
    let receiver = Receiver::start();
    let mut world = World::new();
    let other = SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let mut sink = webhook("oncall", &receiver.url);
    sink.secrets.push(other.reveal().to_string());
    world.add(&sink);
    world.start();
    let entry = world.log.raise(Severity::Critical);
    let got = receiver.wait(1).remove(0);
    assert_eq!(got.line, "POST /hook?x=1 HTTP/1.1");
    assert_eq!(got.headers["host"], receiver.address);
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.id(), entry.to_string());
    let seconds: i64 = got.headers["webhook-timestamp"].parse().unwrap();
    let secrets = [SigningSecret::parse(SECRET).unwrap(), other];
    let expected = signatures(&secrets, got.id(), seconds, got.body.as_bytes());
    assert_eq!(got.headers["webhook-signature"], expected);
    let said = got.json();
    assert_eq!(said["type"], "countersign.flag.raised");
    assert_eq!(said["timestamp"], "2026-03-01T12:00:00.000Z");
    let data = &said["data"];
    for (name, value) in [
        ("flag", entry.to_string().as_str()),
        ("detector", "burst"),
        ("severity", "critical"),
        ("actor", "agent:support"),
        ("origin", "log.example/log/acme/1"),
    ] {
        assert_eq!(data[name], value, "{name}");
    }
    assert_eq!(data["policy_held"], true);
    assert_eq!((&data["stopped"], &data["passed"]), (&5.into(), &0.into()));
    assert!(data.get("opened").is_none() && data.get("link").is_none());
    world.wait("oncall", |state| {
        state.delivered == 1 && state.head.is_none()
    });
}

#[test]
fn what_fails_blocks_what_comes_later_and_keeps_its_id() {
    let receiver = Receiver::start();
    receiver
        .then(status(500))
        .then(with_header(503, "retry-after: 3000"));
    let mut world = World::new();
    world.add(&webhook("a", &receiver.url));
    world.start();
    let first = world.log.raise(Severity::Warning);
    let second = world.log.raise(Severity::Warning);
    world.again("a", 1);
    let state = world.wait("a", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 2)
    });
    let head = state.head.unwrap();
    let wait = head
        .next
        .millis_since(countersign_core::time::Clock::now(&*world.clock));
    assert!(
        wait > 2_900_000,
        "the receiver asked for 3000 s, and gets {wait} ms"
    );
    assert_eq!(head.error.as_deref(), Some("it answered 503"));
    world.again("a", 2);
    let got = receiver.wait(4);
    let ids: Vec<&str> = got.iter().map(|got| got.id()).collect();
    let (first, second) = (first.to_string(), second.to_string());
    assert_eq!(ids, [&first, &first, &first, &second]);
    // Signed anew each time: receivers refuse old times.
    assert!(got[0].headers["webhook-timestamp"] < got[2].headers["webhook-timestamp"]);
    assert_ne!(
        got[0].headers["webhook-signature"],
        got[2].headers["webhook-signature"]
    );
    assert_eq!(got[0].body, got[2].body);
}

#[test]
fn a_restart_neither_loses_nor_reorders() {
    let receiver = Receiver::start();
    receiver.always(Some(status(500)));
    let mut world = World::new();
    world.add(&webhook("a", &receiver.url));
    world.start();
    let mut expected = vec![world.log.raise(Severity::Warning).to_string()];
    world.wait("a", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1)
    });
    world.stop();
    // What is committed while nobody tells is told afterwards.
    expected.push(world.log.raise(Severity::Notice).to_string());
    expected.push(world.log.raise(Severity::Critical).to_string());
    receiver.always(None);
    world.start();
    world.again("a", 1);
    let got = receiver.wait(4);
    let ids: Vec<String> = got[1..].iter().map(|got| got.id().to_owned()).collect();
    assert_eq!(ids, expected);
    world.stop();
    world.start();
    let after = world.log.raise(Severity::Notice).to_string();
    assert_eq!(receiver.wait(5)[4].id(), after);
}

#[test]
fn a_new_sink_begins_at_the_present_unless_it_says_otherwise() {
    let (receiver, whole) = (Receiver::start(), Receiver::start());
    let mut world = World::new();
    let old = world.log.raise(Severity::Warning).to_string();
    world.start();
    // Settings are taken up without a restart.
    world.add(&webhook("present", &receiver.url));
    world.add(&RawSink {
        from_start: true,
        min_severity: Some(Severity::Warning),
        ..webhook("whole", &whole.url)
    });
    crate::support::wait(|| {
        let state = countersign_notify::State::read(&world.dir().state()).unwrap();
        state.filter(|state| state.sinks.len() == 2)
    });
    world.log.raise(Severity::Notice);
    let new = world.log.raise(Severity::Warning).to_string();
    let ids = |got: Vec<crate::receiver::Got>| -> Vec<String> {
        got.iter().map(|got| got.id().to_owned()).collect()
    };
    assert_eq!(ids(whole.wait(2)), [old, new.clone()]);
    assert_eq!(ids(receiver.wait(2))[1], new);
    world.dir().config().remove("present").unwrap();
    crate::support::wait(|| {
        let state = countersign_notify::State::read(&world.dir().state())
            .unwrap()
            .unwrap();
        (!state.sinks.contains_key("present")).then_some(())
    });
    world.log.raise(Severity::Warning);
    whole.wait(3);
    assert_eq!(receiver.got().len(), 2);
}

#[test]
fn what_is_given_up_is_kept_and_can_be_sent_again() {
    let receiver = Receiver::start();
    receiver.always(Some(status(500)));
    let mut world = World::new();
    world.add(&RawSink {
        retry_first_s: Some(1),
        give_up_s: Some(1),
        ..webhook("a", &receiver.url)
    });
    world.start();
    let dead = world.log.raise(Severity::Warning).to_string();
    world.again("a", 1);
    world.clock.turn(Duration::from_secs(1));
    let state = world.wait("a", |state| !state.dead.is_empty());
    assert_eq!(state.dead[0].id, dead);
    assert_eq!(state.dead[0].error, "it answered 500");
    // It does not stand in the way of what comes later.
    receiver.always(None);
    let later = world.log.raise(Severity::Warning).to_string();
    world.wait("a", |state| state.delivered == 1);
    let sink = SinkName::parse("a").unwrap();
    let asked = Asked {
        sink,
        id: Some(dead.clone()),
    };
    world.dir().ask(&asked).unwrap();
    world.wait("a", |state| state.delivered == 2 && state.dead.is_empty());
    assert!(!world.dir().is_asked(&asked));
    let ids: Vec<String> = receiver
        .got()
        .iter()
        .rev()
        .take(2)
        .map(|got| got.id().to_owned())
        .collect();
    assert_eq!(ids, [dead, later]);
}

#[test]
fn a_receiver_that_is_gone_gets_no_more_until_somebody_says_so() {
    let receiver = Receiver::start();
    receiver.then(status(410));
    let mut world = World::new();
    world.add(&webhook("a", &receiver.url));
    world.start();
    let first = world.log.raise(Severity::Warning).to_string();
    let state = world.wait("a", |state| state.disabled.is_some());
    assert_eq!(state.dead.len(), 1);
    let second = world.log.raise(Severity::Critical).to_string();
    world.clock.turn(Duration::from_secs(86_400));
    world.stop();
    world.start();
    assert_eq!(receiver.got().len(), 1);
    let sink = SinkName::parse("a").unwrap();
    world.dir().ask(&Asked { sink, id: None }).unwrap();
    let got = receiver.wait(3);
    assert_eq!([got[1].id(), got[2].id()], [first, second]);
}

/// A machine that started with a clock years ahead, and was put right.
#[test]
fn a_clock_that_is_put_back_silences_nobody() {
    let receiver = Receiver::start();
    receiver.then(status(500));
    let mut world = World::new();
    world.add(&webhook("a", &receiver.url));
    world.start();
    let id = world.log.raise(Severity::Critical).to_string();
    world.wait("a", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1)
    });
    world.clock.back(Duration::from_secs(10 * 365 * 86_400));
    let got = receiver.wait(2);
    assert_eq!([got[0].id(), got[1].id()], [&id, &id]);
    let state = world.wait("a", |state| state.delivered == 1);
    assert!(state.dead.is_empty());
}

/// A log that was restored from a backup is shorter than what the sinks were told of.
#[test]
fn what_comes_after_a_log_was_restored_is_told() {
    let receiver = Receiver::start();
    let mut world = World::new();
    world.add(&webhook("a", &receiver.url));
    world.start();
    for _ in 0..3 {
        world.log.raise(Severity::Warning);
    }
    world.wait("a", |state| state.delivered == 3);
    world.stop();
    world.log.cut(1);
    world.start();
    let id = world.log.raise(Severity::Critical).to_string();
    assert_eq!(receiver.wait(4)[3].id(), id);
}

#[test]
fn a_slow_sink_holds_up_nobody_else() {
    let (slow, quick) = (Receiver::start(), Receiver::start());
    slow.always(Some(crate::receiver::Answer::Do(|stream| {
        std::thread::sleep(Duration::from_secs(3));
        drop(stream);
    })));
    let mut world = World::new();
    world.add(&webhook("a-slow", &slow.url));
    world.add(&webhook("b-quick", &quick.url));
    world.start();
    world.log.raise(Severity::Warning);
    slow.wait(1);
    world.log.raise(Severity::Warning);
    quick.wait(2);
    assert_eq!(slow.got().len(), 1);
}
