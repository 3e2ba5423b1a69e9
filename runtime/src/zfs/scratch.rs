//! Datasets that Dormouse makes for a moment and destroys again.

use std::fmt;

use dormouse_generator::name::DatasetName;

/// The dataset that holds them, right below a pool's root dataset.
const PARENT: &str = "dormouse-drill";

/// The names that they had before they had a parent of their own, before some random digits.
const PREFIX: &str = "dormouse-drill-";

/// A dataset that may be destroyed, since it can be nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch(DatasetName);

impl Scratch {
    /// One in a pool, below [`Scratch::parent`].
    ///
    /// # Errors
    /// The reason in words, when its name would be too long.
    pub fn new(pool: &str, digits: u32) -> Result<Self, String> {
        Self::parent(pool)?.join(&format!("{digits:08x}")).map(Self)
    }

    /// What holds those of a pool, so that nothing that lies in it or beside them is mounted.
    ///
    /// # Errors
    /// The reason in words, when its name would be too long.
    pub fn parent(pool: &str) -> Result<DatasetName, String> {
        DatasetName::new(format!("{pool}/{PARENT}"))
    }

    /// Whether a dataset is one, lies in one or holds them. A dataset that a forged stream made beside one of
    /// former versions has a name that begins with the scratch dataset's.
    #[must_use]
    pub fn holds(dataset: &DatasetName) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        dataset.as_str().split('/').nth(1).is_some_and(|name| {
            let digits = name.strip_prefix(PREFIX).and_then(|rest| rest.as_bytes().get(..8));
            name == PARENT || digits.is_some_and(|digits| digits.iter().all(is_digit))
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
        assert_eq!(scratch.to_string(), "tank/dormouse-drill/0000beef");
        assert!(Scratch::holds(scratch.name()) && Scratch::holds(&Scratch::parent("tank").unwrap()));
        for forged in [
            "tank/dormouse-drill/0000beef-x",
            "tank/dormouse-drill-0000beef",
            "tank/dormouse-drill-0000beef-x",
            "tank/dormouse-drill-0000beef/below",
        ] {
            assert!(Scratch::holds(&DatasetName::new(forged).unwrap()), "{forged}");
        }
        for other in [
            "tank",
            "tank/dormouse-drill-",
            "tank/dormouse-drill-results",
            "tank/a/dormouse-drill",
            "tank/dormouse-drills",
        ] {
            assert!(!Scratch::holds(&DatasetName::new(other).unwrap()), "{other}");
        }
        assert!(Scratch::new("", 1).is_err());
    }
}
