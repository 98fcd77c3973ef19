//! Dates and times of day. Each has one form: `2024-05-24`, `10:00`, `2024-05-24T10:00`.
//!
//! A date whose day and month could be swapped (`5/6/2024`) has none. Nothing is reckoned: no
//! weekday, no time zone, no "tomorrow".

/// A day of some year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// The name of a month in English, in full or by its first letters.
pub(crate) fn month(name: &str) -> Option<u8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let name = name.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| {
        *month == name || name.len() == 3 && month.starts_with(&name) || {
            name == "sept" && *month == "september"
        }
    })?;
    u8::try_from(at + 1).ok()
}

/// `24`, `24th`.
pub(crate) fn day_of_month(text: &str) -> Option<u8> {
    let digits = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|end| text.strip_suffix(end))
        .unwrap_or(text);
    let day: u8 = two_digits(digits)?;
    (1..=31).contains(&day).then_some(day)
}

/// A year of four digits.
pub(crate) fn year(text: &str) -> Option<u16> {
    let year: u16 = (text.len() == 4 && is_digits(text)).then(|| text.parse().ok())??;
    (1900..=2999).contains(&year).then_some(year)
}

/// The form of a date, if there is such a day.
pub(crate) fn date_form(year: u16, day: Day) -> Option<String> {
    (day.day >= 1 && day.day <= days_in(year, day.month)?)
        .then(|| format!("{year:04}-{:02}-{:02}", day.month, day.day))
}

/// The form of a day without a year.
pub(crate) fn day_form(day: Day) -> Option<String> {
    // A leap year has all days.
    date_form(2000, day).map(|form| form.replacen("2000", "-", 1))
}

/// A date in digits: `2024-05-24`, `2024/05/24`, `24/5/2024`, `5/24/2024`, `24.05.2024`.
pub(crate) fn date(text: &str) -> Option<String> {
    for separator in ['-', '/', '.'] {
        let parts: Vec<&str> = text.splitn(4, separator).collect();
        let [a, b, c] = parts.as_slice() else {
            continue;
        };
        if let Some(year) = year(a) {
            let month = two_digits(b)?;
            let day = two_digits(c)?;
            return date_form(year, Day { month, day });
        }
        let year = year(c)?;
        let (a, b) = (two_digits(a)?, two_digits(b)?);
        let day_first = date_form(year, Day { month: b, day: a });
        let month_first = date_form(year, Day { month: a, day: b });
        return match (day_first, month_first) {
            (Some(one), Some(other)) if one == other => Some(one),
            (Some(_), Some(_)) => None,
            (one, other) => one.or(other),
        };
    }
    None
}

/// A time of day: `10:00`, `9:05`, `10:00:30`, `10am`, `10:30pm`.
pub(crate) fn time(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let half = ["am", "a.m.", "a.m", "pm", "p.m.", "p.m"]
        .iter()
        .find_map(|end| {
            lower
                .strip_suffix(end)
                .map(|rest| (rest, end.starts_with('p')))
        });
    let (clock, afternoon) = match half {
        Some((clock, afternoon)) => (clock, Some(afternoon)),
        None => (lower.as_str(), None),
    };
    let parts: Vec<&str> = clock.splitn(4, ':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour] if afternoon.is_some() => (two_digits(hour)?, 0, 0),
        [hour, minute] => (two_digits(hour)?, sixty(minute)?, 0),
        [hour, minute, second] => (two_digits(hour)?, sixty(minute)?, sixty(second)?),
        _ => return None,
    };
    let hour = match afternoon {
        None => (hour < 24).then_some(hour)?,
        Some(afternoon) => {
            let hour = (1..=12).contains(&hour).then_some(hour % 12)?;
            if afternoon { hour + 12 } else { hour }
        }
    };
    Some(if second == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    })
}

/// A date with a time as ISO 8601 has them, or with a space between: `2024-05-24T10:00`. Where a zone
/// stands there it belongs to the form, and where none does the form has none.
pub(crate) fn date_time(text: &str) -> Option<(String, String, String)> {
    let (day, clock) = text.split_once(['T', 't', ' '])?;
    let day = year(day.get(..4)?).and_then(|_| date(day))?;
    let end = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at_checked(end)?;
    let zone = match zone {
        "" => String::new(),
        "Z" | "z" => "Z".to_owned(),
        offset => {
            let (sign, clock) = offset.split_at_checked(1)?;
            let plain = clock.len() == 5 && is_clock(clock);
            plain.then(|| format!("{sign}{clock}"))?
        }
    };
    // Fractions of a second that are zero say nothing.
    let clock = match clock.split_once('.') {
        Some((clock, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => clock,
        Some(_) => return None,
        None => clock,
    };
    let clock = is_clock(clock).then(|| time(clock))??;
    let whole = format!("{day}T{clock}{zone}");
    Some((day, clock, whole))
}

fn is_clock(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b':') && time(text).is_some()
}

/// The days of a month.
pub(crate) fn days_in(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

fn two_digits(text: &str) -> Option<u8> {
    ((1..=2).contains(&text.len()) && is_digits(text)).then(|| text.parse().ok())?
}

fn sixty(text: &str) -> Option<u8> {
    let number = two_digits(text).filter(|_| text.len() == 2)?;
    (number < 60).then_some(number)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}
