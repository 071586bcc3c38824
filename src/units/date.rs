//! Days of the Gregorian calendar.

use std::fmt;

use serde::Serialize;

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(i64);

/// Days of the months of a common year.
const MONTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in(year: i64, month: i64) -> i64 {
    MONTHS.get(usize::try_from(month - 1).unwrap_or(0)).map_or(0, |days| days + i64::from(month == 2 && is_leap(year)))
}

/// Days from 1970-01-01 to the first day of `year`.
fn days_before(year: i64) -> i64 {
    let leaps = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    (year - 1970) * 365 + leaps(year) - leaps(1970)
}

impl Date {
    /// Reads `2026-04-02`.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a day; write it as 2026-04-02");
        let parts: Vec<i64> = text.split('-').map(|part| part.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        match parts[..] {
            [year @ 1970..=9999, month @ 1..=12, day] if (1..=days_in(year, month)).contains(&day) => {
                Ok(Self(days_before(year) + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1))
            }
            _ => Err(wrong()),
        }
    }

    /// Year, month, day.
    #[must_use]
    pub fn parts(self) -> (i64, i64, i64) {
        let mut year = 1970 + self.0 / 366;
        while days_before(year + 1) <= self.0 {
            year += 1;
        }
        let mut day = self.0 - days_before(year);
        let mut month = 1;
        while day >= days_in(year, month) {
            day -= days_in(year, month);
            month += 1;
        }
        (year, month, day + 1)
    }

    /// The same day of the next month, or that month's last.
    #[must_use]
    pub fn next_month(self) -> Self {
        let (year, month, day) = self.parts();
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Self(self.0 - day + days_in(year, month) + day.min(days_in(next_year, next_month)))
    }

    /// Days from `earlier` to this one.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "days are far below 2^53")]
        let days = (self.0 - earlier.0) as f64;
        days
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_and_come_back() {
        assert_eq!(Date::parse("1970-01-01"), Ok(Date(0)));
        assert_eq!(Date::parse("2000-03-01"), Ok(Date(11_017)));
        for text in ["1970-12-31", "2024-02-29", "2026-04-02", "2100-03-01", "2399-12-31"] {
            assert_eq!(Date::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Date::parse("2024-01-31").unwrap().next_month().to_string(), "2024-02-29");
        assert_eq!(Date::parse("2025-12-15").unwrap().next_month().to_string(), "2026-01-15");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["", "2026", "2026-13-01", "2026-02-29", "2026-04-31", "02-04-2026", "2026-4-x", "1969-12-31"] {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }
}
