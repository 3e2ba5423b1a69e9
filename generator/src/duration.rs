//! Durations of the spec: `"90s"`, `"2m"`, `"25h"`, `"7d"`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Units, the largest first, with their length in seconds.
const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A length of time in whole seconds, written as a number and one unit of `s m h d w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]+[smhdw]$"))]
pub struct Duration(u64);

impl Duration {
    /// A duration of this many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refusal = || {
            format!(
                "{text:?} is no duration: write a whole number and one unit of s, m, h, d, w, such as \"90s\" or \"25h\""
            )
        };
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refusal)?;
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| refusal())?;
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refusal)?;
        number.checked_mul(*length).map(Self).ok_or_else(refusal)
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, length) = UNITS
            .iter()
            .find(|(_, length)| self.0 > 0 && self.0.is_multiple_of(*length))
            .unwrap_or(&("s", 1));
        write!(f, "{}{unit}", self.0 / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Duration, String> {
        Duration::try_from(text.to_owned())
    }

    #[test]
    fn every_unit_is_read() {
        for (text, seconds) in
            [("90s", 90), ("2m", 120), ("25h", 90_000), ("7d", 604_800), ("1w", 604_800), ("0s", 0)]
        {
            assert_eq!(parse(text).unwrap().as_secs(), seconds);
        }
    }

    #[test]
    fn what_carries_no_unit_is_refused() {
        for text in
            ["", "90", "s", "1.5h", "-1s", "1 h", "1hour", "99999999999999999999s", "9999999999999999w"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn writing_and_reading_again_keeps_the_length() {
        for seconds in [0, 1, 59, 60, 61, 3_600, 86_400, 604_800, 604_801] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse(&duration.to_string()).unwrap(), duration);
        }
    }
}
