//! Dates of the Gregorian calendar, at Greenwich, and `strftime`.

use std::io::Write;

const DAY: i64 = 86400;
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `struct tm`, up to the flag for summer time. Fields that come from a guest may be anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Date {
    second: i32,
    minute: i32,
    hour: i32,
    day: i32,
    /// From 0.
    month: i32,
    /// From 1900.
    year: i32,
    weekday: i32,
    /// From 0.
    day_of_year: i32,
    summer: i32,
}

/// Days from 1970 to the first of March of a year: years that begin in March end with leap days.
fn days_to_march(year: i64) -> i64 {
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 - 719_468
}

/// Days from the first of March to the first of a month, which is counted from March.
fn days_to_month(month: i64) -> i64 {
    (153 * month + 2) / 5
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_to_year(year: i64) -> i64 {
    days_to_march(year - 1) + days_to_month(10)
}

impl Date {
    /// The date of a moment in seconds since 1970; its year may be cut off.
    pub(super) fn of(seconds: i64) -> Date {
        let (days, of_day) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
        let march_year = era * 400 + year_of_era;
        let of_year = days - days_to_march(march_year);
        let march_month = (5 * of_year + 2) / 153;
        let year = if march_month < 10 { march_year } else { march_year + 1 };
        Date {
            second: (of_day % 60) as i32,
            minute: (of_day / 60 % 60) as i32,
            hour: (of_day / 3600) as i32,
            day: (of_year - days_to_month(march_month) + 1) as i32,
            month: ((march_month + 2) % 12) as i32,
            year: (year - 1900) as i32,
            weekday: (days + 4).rem_euclid(7) as i32,
            day_of_year: (days - days_to_year(year)) as i32,
            summer: 0,
        }
    }

    /// Seconds since 1970. Fields out of their ranges carry over; those that follow from others do
    /// not count.
    pub(super) fn seconds(&self) -> i64 {
        let months = i64::from(self.year) * 12 + i64::from(self.month);
        let (year, month) = (1900 + months.div_euclid(12), months.rem_euclid(12));
        let (march_year, march_month) =
            if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
        let days = days_to_march(march_year) + days_to_month(march_month) + i64::from(self.day) - 1;
        days * DAY
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
    }

    /// The fields as they lie in a guest's memory.
    pub(super) fn from_bytes(bytes: &[u8; 36]) -> Date {
        let field = |i: usize| i32::from_le_bytes(std::array::from_fn(|byte| bytes[i * 4 + byte]));
        Date {
            second: field(0),
            minute: field(1),
            hour: field(2),
            day: field(3),
            month: field(4),
            year: field(5),
            weekday: field(6),
            day_of_year: field(7),
            summer: field(8),
        }
    }

    /// The fields as they lie in a guest's memory, up to the day of the year.
    pub(super) fn calendar_bytes(&self) -> [u8; 32] {
        let fields = [
            self.second,
            self.minute,
            self.hour,
            self.day,
            self.month,
            self.year,
            self.weekday,
            self.day_of_year,
        ];
        std::array::from_fn(|i| fields[i / 4].to_le_bytes()[i % 4])
    }

    fn full_year(&self) -> i64 {
        i64::from(self.year) + 1900
    }

    fn hour_of_half(&self) -> i32 {
        match self.hour.rem_euclid(12) {
            0 => 12,
            hour => hour,
        }
    }

    /// The week of the year, whose weeks begin on this day of the week.
    fn week(&self, first_day: i32) -> i64 {
        let since = (i64::from(self.weekday) - i64::from(first_day)).rem_euclid(7);
        (i64::from(self.day_of_year) + 7 - since).div_euclid(7)
    }

    /// The year and the week by ISO 8601: a week belongs to the year that its Thursday is in.
    fn iso_week(&self) -> (i64, i64) {
        let from_monday = (i64::from(self.weekday) - 1).rem_euclid(7);
        let thursday = i64::from(self.day_of_year) - from_monday + 3;
        let year = self.full_year();
        let days = |year| if is_leap(year) { 366 } else { 365 };
        let (year, thursday) = if thursday < 0 {
            (year - 1, thursday + days(year - 1))
        } else if thursday >= days(year) {
            (year + 1, thursday - days(year))
        } else {
            (year, thursday)
        };
        (year, thursday.div_euclid(7) + 1)
    }
}

/// The name at an index; a question mark if there is none.
fn name<'n>(names: &[&'n str], index: i32) -> &'n str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or("?")
}

fn short<'n>(names: &[&'n str], index: i32) -> &'n str {
    let name = name(names, index);
    name.get(..3).unwrap_or(name)
}

/// Writes a date in the form that a pattern of `strftime` says, in the C locale. Conversions that
/// are not known stay as they are.
pub(super) fn format(pattern: &[u8], date: &Date, to: &mut Vec<u8>) {
    let mut rest = pattern.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            to.push(byte);
            continue;
        }
        let mut conversion = rest.next();
        // Other forms of digits and eras: the C locale has none.
        if let Some(b'E' | b'O') = conversion {
            conversion = rest.next();
        }
        if let Some(conversion) = conversion {
            convert(conversion, date, to);
        }
    }
}

fn convert(conversion: u8, date: &Date, to: &mut Vec<u8>) {
    let year = date.full_year();
    let nested: &[u8] = match conversion {
        b'c' => b"%a %b %e %H:%M:%S %Y",
        b'D' | b'x' => b"%m/%d/%y",
        b'F' => b"%Y-%m-%d",
        b'h' => b"%b",
        b'r' => b"%I:%M:%S %p",
        b'R' => b"%H:%M",
        b'T' | b'X' => b"%H:%M:%S",
        _ => b"",
    };
    if !nested.is_empty() {
        return format(nested, date, to);
    }
    let written = match conversion {
        b'a' => write!(to, "{}", short(&WEEKDAYS, date.weekday)),
        b'A' => write!(to, "{}", name(&WEEKDAYS, date.weekday)),
        b'b' => write!(to, "{}", short(&MONTHS, date.month)),
        b'B' => write!(to, "{}", name(&MONTHS, date.month)),
        b'C' => write!(to, "{:02}", year.div_euclid(100)),
        b'd' => write!(to, "{:02}", date.day),
        b'e' => write!(to, "{:2}", date.day),
        b'g' => write!(to, "{:02}", date.iso_week().0.rem_euclid(100)),
        b'G' => write!(to, "{}", date.iso_week().0),
        b'H' => write!(to, "{:02}", date.hour),
        b'I' => write!(to, "{:02}", date.hour_of_half()),
        b'j' => write!(to, "{:03}", i64::from(date.day_of_year) + 1),
        b'm' => write!(to, "{:02}", i64::from(date.month) + 1),
        b'M' => write!(to, "{:02}", date.minute),
        b'n' => to.write_all(b"\n"),
        b'p' => write!(to, "{}", if date.hour >= 12 { "PM" } else { "AM" }),
        b's' => write!(to, "{}", date.seconds()),
        b'S' => write!(to, "{:02}", date.second),
        b't' => to.write_all(b"\t"),
        b'u' => write!(to, "{}", if date.weekday == 0 { 7 } else { date.weekday }),
        b'U' => write!(to, "{:02}", date.week(0)),
        b'V' => write!(to, "{:02}", date.iso_week().1),
        b'w' => write!(to, "{}", date.weekday),
        b'W' => write!(to, "{:02}", date.week(1)),
        b'y' => write!(to, "{:02}", year.rem_euclid(100)),
        b'Y' => write!(to, "{year}"),
        b'z' => write!(to, "+0000"),
        b'Z' => write!(to, "UTC"),
        b'%' => write!(to, "%"),
        other => to.write_all(&[b'%', other]),
    };
    written.expect("a vector takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pattern: &str, seconds: i64) -> String {
        let mut to = Vec::new();
        format(pattern.as_bytes(), &Date::of(seconds), &mut to);
        String::from_utf8(to).expect("dates are text")
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(text("%F %T %j %a", 0), "1970-01-01 00:00:00 001 Thu");
        assert_eq!(text("%F %T %j", 951_782_399), "2000-02-28 23:59:59 059");
        assert_eq!(text("%c", 951_782_400), "Tue Feb 29 00:00:00 2000");
        assert_eq!(text("%F %T", -1), "1969-12-31 23:59:59");
        assert_eq!(text("%F", -2_203_891_200), "1900-03-01");
        assert_eq!(text("%y%% %I%p %Ey %q", 43_200), "70% 12PM 70 %q");
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        // A Friday, a Saturday and a Monday around the turn of a year.
        assert_eq!(text("%G-W%V-%u %U %W", 1_609_459_200), "2020-W53-5 00 00");
        assert_eq!(text("%G-W%V-%u", 1_230_768_000 - 86400), "2009-W01-3");
        assert_eq!(text("%G-W%V-%u %U %W", 1_609_718_400), "2021-W01-1 01 01");
    }

    #[test]
    fn moments_go_there_and_back() {
        let day = 86_413;
        for seconds in (-40_000..40_000).map(|n| n * day * 7) {
            assert_eq!(Date::of(seconds).seconds(), seconds);
        }
        let far = Date { month: 25, day: -1, second: 3600, ..Date::of(0) };
        assert_eq!(Date::of(far.seconds()).seconds(), far.seconds());
        let extreme = Date { year: i32::MAX, month: i32::MAX, day: i32::MIN, ..Date::of(0) };
        assert!(extreme.seconds() > 0);
        let mut to = Vec::new();
        format(
            b"%j%m%V%A%U%g",
            &Date { weekday: i32::MIN, day_of_year: i32::MAX, ..extreme },
            &mut to,
        );
        assert!(!to.is_empty());
    }
}
