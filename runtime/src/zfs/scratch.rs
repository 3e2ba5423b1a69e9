//! Datasets that Dormouse makes for a moment and destroys again.

use std::fmt;

use dormouse_generator::name::DatasetName;

/// What they are called, before some random digits.
const PREFIX: &str = "dormouse-drill-";

/// A dataset that may be destroyed, since it can be nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch(DatasetName);

impl Scratch {
    /// One in a pool, right below its root dataset.
    ///
    /// # Errors
    /// The reason in words, when its name would be too long.
    pub fn new(pool: &str, digits: u32) -> Result<Self, String> {
        DatasetName::new(format!("{pool}/{PREFIX}{digits:08x}")).map(Self)
    }

    /// Whether a dataset is one, or lies in one.
    #[must_use]
    pub fn holds(dataset: &DatasetName) -> bool {
        let mut parts = dataset.as_str().split('/');
        parts.nth(1).is_some_and(|name| {
            let digits = name.strip_prefix(PREFIX).unwrap_or_default();
            digits.len() == 8 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &DatasetName {
        &self.0
    }
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_told_by_their_names_and_nothing_else_is_one() {
        let scratch = Scratch::new("tank", 0xbeef).unwrap();
        assert_eq!(scratch.to_string(), "tank/dormouse-drill-0000beef");
        assert!(Scratch::holds(scratch.name()));
        assert!(Scratch::holds(&DatasetName::new("tank/dormouse-drill-0000beef/below").unwrap()));
        for other in
            ["tank", "tank/dormouse-drill-", "tank/dormouse-drill-results", "tank/a/dormouse-drill-0000beef"]
        {
            assert!(!Scratch::holds(&DatasetName::new(other).unwrap()), "{other}");
        }
        assert!(Scratch::new("", 1).is_err());
    }
}
