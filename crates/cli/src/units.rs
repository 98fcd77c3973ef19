//! Times, and amounts of time, as people write them.

use std::time::SystemTime;

use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;

/// A point in time as the server takes it: from a day, from a time without its seconds' fractions, or from how
/// long ago it was (`2h`, `1d`). An entry's id is left as it is, for what takes that too.
pub(crate) fn time(text: &str) -> Result<String, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let read = time_at(text, Timestamp::from_millis(now));
    match read.parse::<Timestamp>().is_ok() || text.parse::<EntryId>().is_ok() {
        true => Ok(read),
        false => Err(
            "no time: allowed are 2026-04-18, 2026-04-18T02:13:44Z, or how long ago, such as 2h or 1d"
                .to_owned(),
        ),
    }
}

fn time_at(text: &str, now: Timestamp) -> String {
    let is_ago = text.ends_with(['s', 'm', 'h', 'd']);
    if let (true, Ok(ago)) = (is_ago, seconds(text)) {
        let ago = i64::try_from(ago).unwrap_or(i64::MAX).saturating_mul(1_000);
        return now.plus_millis(ago.saturating_neg()).to_string();
    }
    let without_zone = text.strip_suffix('Z').unwrap_or(text);
    let completed = ["T00:00:00.000Z", ":00.000Z", ".000Z"]
        .iter()
        .map(|rest| format!("{without_zone}{rest}"));
    let is_day = !text.contains(['T', 'Z']);
    let mut candidates = completed.filter(|_| is_day || text.ends_with('Z'));
    candidates
        .find(|candidate| candidate.parse::<Timestamp>().is_ok())
        .unwrap_or_else(|| text.to_owned())
}

/// Reads seconds, or a number with `s`, `m`, `h` or `d`.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let refused = || {
        format!(
            "`{text}` is no length of time: allowed are numbers with s, m, h or d, such as 90s or 12h"
        )
    };
    let (number, factor) = match text.as_bytes().last() {
        Some(b's') => (text.strip_suffix('s'), 1),
        Some(b'm') => (text.strip_suffix('m'), 60),
        Some(b'h') => (text.strip_suffix('h'), 3_600),
        Some(b'd') => (text.strip_suffix('d'), 86_400),
        _ => (Some(text), 1),
    };
    let number: u64 = number
        .and_then(|number| number.parse().ok())
        .ok_or_else(refused)?;
    number.checked_mul(factor).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time() {
        let now: Timestamp = "2026-04-18T02:13:44.000Z".parse().unwrap();
        for (text, meant) in [
            ("2026-04-17", "2026-04-17T00:00:00.000Z"),
            ("2026-04-17T09:30Z", "2026-04-17T09:30:00.000Z"),
            ("2026-04-17T09:30:01Z", "2026-04-17T09:30:01.000Z"),
            ("2026-04-17T09:30:01.250Z", "2026-04-17T09:30:01.250Z"),
            ("2h", "2026-04-18T00:13:44.000Z"),
            ("1d", "2026-04-17T02:13:44.000Z"),
            // Without a zone it could be any.
            ("2026-04-17T09:30:01", "2026-04-17T09:30:01"),
            ("2026-13-40", "2026-13-40"),
            ("yesterday", "yesterday"),
            ("01M83D8V7JZRP4Q1A81GGJG624", "01M83D8V7JZRP4Q1A81GGJG624"),
            ("90", "90"),
        ] {
            assert_eq!(time_at(text, now), meant);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["yesterday", "2026-13-40", "2026-04-17T09:30:01", "90", ""] {
            assert!(time(text).is_err(), "{text}");
        }
        for text in ["2026-04-17", "2h", "01M83D8V7JZRP4Q1A81GGJG624"] {
            assert!(time(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for text in ["", "h", "1.5h", "-1", "1 h", "99999999999999999999d", "1w"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
