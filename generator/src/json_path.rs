//! Where in a JSON document something stands: `hosts.desktop.replications.safe.after[2]`.

use std::collections::BTreeSet;
use std::fmt;

/// One step down into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into an object, by key.
    Key(String),
    /// Into a list, by position.
    Index(usize),
}

/// The way from the root of a document to one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPath(Vec<Step>);

impl JsonPath {
    /// The document itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path through these keys, from the root.
    #[must_use]
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// The value of `key` in this object.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// The value at `index` of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// One step further.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps, from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The last key on the way, if there is one.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// Whether one of `others` lies within this value, or this one within it.
    pub(crate) fn touches(&self, others: &BTreeSet<Self>) -> bool {
        let is_below_one = (0..=self.0.len()).any(|depth| others.contains(&Self(self.0[..depth].to_vec())));
        // Paths sort like words: what begins with this one comes right after it.
        is_below_one || others.range(self..).next().is_some_and(|next| next.0.starts_with(&self.0))
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the spec");
        }
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_plain(key) => {
                    write!(f, "{}{key}", if position == 0 { "" } else { "." })?;
                }
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a key can be read without quotes.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_be_misread_are_quoted() {
        let path = JsonPath::of(&["hosts", "my host", "after"]).index(2).key("x");
        assert_eq!(path.to_string(), r#"hosts["my host"].after[2].x"#);
        assert_eq!(JsonPath::root().to_string(), "the spec");
    }

    #[test]
    fn a_path_touches_what_lies_above_and_below_it() {
        let path = JsonPath::of(&["a", "b"]);
        let touches = |keys: &[&str]| path.touches(&BTreeSet::from([JsonPath::of(keys)]));
        assert!(touches(&["a"]));
        assert!(touches(&["a", "b", "c"]));
        assert!(!touches(&["a", "bc"]));
        assert!(!touches(&["a", "c"]));
    }
}
