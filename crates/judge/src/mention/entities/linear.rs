//! Time grows as the text does, whatever its author wrote.

use std::time::{Duration, Instant};

use super::entities;
use crate::gate::{Spoken, hands_over, is_assent};
use crate::mention::{Index, account, quantity};

/// What once was, or could be, a reason to look at the same text again and again.
const HOSTILE: [&str; 40] = [
    "a",
    " ",
    ".",
    "..",
    "@",
    "a@",
    "\"@",
    "a\"@",
    "://",
    "a://",
    "https://a",
    "data:",
    "data:x",
    "a.b",
    "a.bc?",
    "b.Cc.",
    "aa.",
    "1.",
    "1 ",
    "1-",
    "+1",
    "(1",
    "=/a",
    "/a",
    "~/",
    ":/a",
    "%",
    "%40",
    "%25",
    "[.] ",
    " [.]",
    "(at)",
    "&#64;",
    "\\/",
    "\u{200b}",
    "GB29 ",
    "do ",
    "do the tasks ",
    "tasks in ",
    "May 1 ",
];

type Work<'a> = &'a dyn Fn(&str);

fn time(work: Work<'_>, text: &str) -> Duration {
    let start = Instant::now();
    work(text);
    start.elapsed()
}

/// Sixteen times the text may take 64 times as long, to leave room for caches and other work on the
/// machine; what is quadratic takes 256 times as long. It counts only if it is so each of many times.
fn is_linear(work: Work<'_>, unit: &str) -> bool {
    const SMALL: usize = 2 * 1024;
    const TIMES: usize = 50;
    let small = unit.repeat(SMALL / unit.len());
    let large = unit.repeat(16 * SMALL / unit.len());
    (0..TIMES).any(|_| {
        let base = time(work, &small).max(Duration::from_micros(50));
        time(work, &large) <= base * 64
    })
}

#[test]
fn hostile_texts_take_linear_time() {
    let works: [(&str, Work<'_>); 4] = [
        ("entities", &|text| {
            entities(text);
        }),
        ("quantities", &|text| {
            let mut index = Index::default();
            quantity::scan(text, None, &mut |found| index.add(0, found));
        }),
        ("accounts", &|text| {
            let mut index = Index::default();
            account::scan(text, &mut |found| index.add(0, found));
        }),
        ("words", &|text| {
            hands_over(text);
            is_assent(&[text]);
            Spoken::default().add(text);
        }),
    ];
    let mut slow = Vec::new();
    for unit in HOSTILE {
        for (name, work) in works {
            if !is_linear(work, unit) {
                slow.push((name, unit));
            }
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}
