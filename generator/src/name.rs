//! Names of ZFS objects, checked when they are made so that nothing later has to.

use std::fmt;

use glob::Pattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of a dataset or snapshot in bytes, without the final NUL
/// (`ZFS_MAX_DATASET_NAME_LEN` is 256 in OpenZFS' `include/sys/fs/zfs.h`).
pub const MAX_DATASET_NAME: usize = 255;

/// Words of `zpool create` that a pool's name may not begin with (zpool-create(8)).
const RESERVED_PREFIXES: [&str; 4] = ["mirror", "raidz", "draid", "spare"];

/// A filesystem or zvol: `pool/component/…`, or the pool's root dataset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct DatasetName(String);

impl DatasetName {
    /// Checks the name against zfs(8), "ZFS File System Hierarchy" and zfs_namecheck.c.
    ///
    /// # Errors
    /// The reason in words, without the name itself.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        if name.len() > MAX_DATASET_NAME {
            return Err(format!(
                "a dataset name has at most {MAX_DATASET_NAME} bytes, this has {}",
                name.len()
            ));
        }
        let mut components = name.split('/');
        check_pool(components.next().unwrap_or_default())?;
        components.try_for_each(check_component)?;
        Ok(Self(name))
    }

    /// The name as ZFS takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pool, which is the first component.
    #[must_use]
    pub fn pool(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The dataset above, or none for a pool's root dataset.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// What follows `root/` in this name: empty for `root` itself, none outside it.
    #[must_use]
    pub fn relative_to(&self, root: &Self) -> Option<&str> {
        below(&self.0, root)
    }

    /// Whether this is `root` or lies below it.
    #[must_use]
    pub fn is_within(&self, root: &Self) -> bool {
        self.relative_to(root).is_some()
    }

    /// The dataset `relative` below this one; this one itself for an empty `relative`.
    ///
    /// # Errors
    /// When the result is no legal name, for instance because it is too long.
    pub fn join(&self, relative: &str) -> Result<Self, String> {
        if relative.is_empty() { Ok(self.clone()) } else { Self::new(format!("{}/{relative}", self.0)) }
    }
}

/// Datasets with everything below them: a name in whose components `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct DatasetPattern(String);

impl DatasetPattern {
    /// Checks the pattern: with letters for the stars it is a name.
    ///
    /// # Errors
    /// The reason in words, without the pattern itself.
    pub fn new(pattern: impl Into<String>) -> Result<Self, String> {
        let pattern = pattern.into();
        DatasetName::new(pattern.replace('*', "x"))?;
        if pattern.contains("**") {
            return Err("one * is enough: everything below is meant too".to_owned());
        }
        Ok(Self(pattern))
    }

    /// Whether it stands for this dataset, or for one above it.
    #[must_use]
    pub fn covers(&self, dataset: &DatasetName) -> bool {
        let mut parts = dataset.0.split('/');
        self.0.split('/').all(|pattern| {
            let fits = |part| Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(part));
            parts.next().is_some_and(fits)
        })
    }

    /// What follows `root/` in this pattern: empty for `root` itself, none outside it.
    #[must_use]
    pub fn relative_to(&self, root: &DatasetName) -> Option<&str> {
        below(&self.0, root)
    }
}

/// A pool's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PoolName(String);

impl PoolName {
    /// Checks the name against zpool-create(8).
    ///
    /// # Errors
    /// The reason in words, without the name itself.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        check_pool(&name)?;
        Ok(Self(name))
    }

    /// The name as ZFS takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn below<'a>(name: &'a str, root: &DatasetName) -> Option<&'a str> {
    let rest = name.strip_prefix(root.as_str())?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Checks what follows the `@` of a snapshot or the `#` of a bookmark (`zfs_namecheck.c`).
///
/// # Errors
/// The reason in words, without the name itself.
pub fn check_snapshot(name: &str) -> Result<(), String> {
    match name.chars().find(|c| !is_valid(*c)) {
        _ if name.is_empty() => Err("a snapshot's name is not empty".to_owned()),
        Some(c) => Err(format!("a snapshot's name holds letters, digits, spaces and -_.: only, not {c:?}")),
        None => Ok(()),
    }
}

fn is_valid(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.: ".contains(c)
}

/// A pool's rule: begins with a letter, is no word of `zpool create`, else a component.
fn check_pool(name: &str) -> Result<(), String> {
    check_component(name)?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("a pool name begins with a letter".to_owned());
    }
    if name == "log" || RESERVED_PREFIXES.iter().any(|word| name.starts_with(word)) {
        return Err(format!(
            "a pool is not named log and its name does not begin with {}",
            RESERVED_PREFIXES.join(", ")
        ));
    }
    Ok(())
}

/// A component's rule (`zfs_namecheck.c`): letters, digits, `-_.: `, and neither `.` nor `..`.
fn check_component(component: &str) -> Result<(), String> {
    if component.is_empty() {
        return Err("a dataset name has no empty component: no leading, trailing or double slash".to_owned());
    }
    if matches!(component, "." | "..") {
        return Err(format!("a dataset name has no component {component:?}"));
    }
    match component.chars().find(|c| !is_valid(*c)) {
        Some(c) => Err(format!("a dataset name holds letters, digits, spaces and -_.: only, not {c:?}")),
        None => Ok(()),
    }
}

macro_rules! text_conversions {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(name: String) -> Result<Self, String> {
                Self::new(name)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text_conversions!(DatasetName, DatasetPattern, PoolName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_are_taken() {
        for name in ["rpool", "logs", "rpool/safe", "tank/a b/c-d_e.f:g", "tank/ends-"] {
            assert_eq!(DatasetName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_pattern_covers_what_fits_and_everything_below() {
        let cases = [
            ("rpool/safe/tmp", "rpool/safe/tmp", true),
            ("rpool/safe/tmp", "rpool/safe/tmp/below", true),
            ("rpool/safe/tmp", "rpool/safe/tmp2", false),
            ("rpool/safe/tmp", "rpool/safe", false),
            ("rpool/safe/*/cache", "rpool/safe/anna/cache/below", true),
            ("rpool/safe/*/cache", "rpool/safe/cache", false),
            ("rpool/safe/*/cache", "rpool/safe/anna/mail/cache", false),
            ("rpool/safe/docker-*", "rpool/safe/docker-1.2:3 4", true),
            ("rpool/safe/*-tmp*", "rpool/safe/a-tmp", true),
            ("rpool/safe/*", "rpool/safe", false),
        ];
        for (pattern, dataset, covered) in cases {
            let (pattern, dataset) =
                (DatasetPattern::new(pattern).unwrap(), DatasetName::new(dataset).unwrap());
            assert_eq!(pattern.covers(&dataset), covered, "{pattern} {dataset}");
        }
        for wrong in ["", "rpool/", "rpool/safe/**", "rpool/[ab]", "rpool/a?", "rpool/../*"] {
            assert!(DatasetPattern::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn illegal_names_are_refused() {
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "a/..",
            "a/.",
            "1pool",
            "mirror1/x",
            "log",
            "a@b",
            "a#b",
            "a%b",
            "ä/b",
            "a\n",
        ] {
            assert!(DatasetName::new(name).is_err(), "{name:?}");
        }
        assert!(DatasetName::new(format!("a/{}", "x".repeat(MAX_DATASET_NAME))).is_err());
    }

    #[test]
    fn relation_goes_by_components_not_by_letters() {
        let name = |text: &str| DatasetName::new(text).unwrap();
        assert_eq!(name("a/b/c").relative_to(&name("a/b")), Some("c"));
        assert_eq!(name("a/b").relative_to(&name("a/b")), Some(""));
        assert_eq!(name("a/bc").relative_to(&name("a/b")), None);
        assert_eq!(name("a").parent(), None);
        assert_eq!(name("a/b").join("c/d").unwrap(), name("a/b/c/d"));
    }
}
