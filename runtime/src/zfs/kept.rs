//! What copies on an archiver are set to that hosts could have sent, and that root takes back.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;

/// Properties, and the values that do no harm on a copy. A dataset without a mount point is not mounted whatever its
/// `canmount` says (zfsprops(7)).
const HARMLESS: [(&str, &[&str]); 6] = [
    ("com.sun:auto-snapshot", &["false"]),
    ("mountpoint", &["none"]),
    ("readonly", &["on"]),
    ("sharenfs", &["off"]),
    ("sharesmb", &["off"]),
    ("volmode", &["none"]),
];

/// The names of those properties.
#[must_use]
pub fn properties() -> String {
    HARMLESS.map(|(property, _)| property).join(",")
}

/// What is set on copies below these targets and could mount, change or share them: dataset, property, value. `text`
/// has a line for each property that is set on a dataset itself.
#[must_use]
pub fn harmful(text: &str, targets: &[DatasetName]) -> Vec<(DatasetName, String, String)> {
    let read = |line: &str| {
        let [name, property, value] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { return None };
        let dataset = DatasetName::new(name).ok()?;
        let (_, harmless) = HARMLESS.iter().find(|(known, _)| *known == property)?;
        let is_copy = targets.iter().any(|target| dataset.is_within(target));
        (is_copy && !harmless.contains(&value)).then(|| (dataset, property.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(read).collect()
}

/// Copies that depend on a snapshot of another host: name and origin. `text` has both for each dataset, `targets` those
/// of each host.
#[must_use]
pub fn foreign_clones(text: &str, targets: &BTreeMap<String, Vec<DatasetName>>) -> Vec<(String, String)> {
    let owner = |name: &str| {
        let dataset = DatasetName::new(name.split('@').next().unwrap_or_default()).ok()?;
        let owns = |targets: &Vec<DatasetName>| targets.iter().any(|target| dataset.is_within(target));
        targets.iter().find(|(_, targets)| owns(targets)).map(|(host, _)| host)
    };
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    let foreign = pairs
        .filter(|(name, origin)| *origin != "-" && owner(name).is_some() && owner(name) != owner(origin));
    foreign.map(|(name, origin)| (name.to_owned(), origin.to_owned())).collect()
}

/// Snapshots that somebody holds. `text` has the name and the number of holds of each.
#[must_use]
pub fn held(text: &str) -> Vec<String> {
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.filter(|(_, holds)| *holds != "0").map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name(text: &str) -> DatasetName {
        DatasetName::new(text).unwrap()
    }

    #[test]
    fn what_mounts_or_shares_a_copy_is_harmful_and_nothing_else() {
        let text = "vault/home/a\tmountpoint\t/etc/cron.d\nvault/home/a\treadonly\ton\nvault/home/a\tquota\t1\n\
            vault/home/a b\tsharenfs\trw=@a\tb\nvault/other\tmountpoint\t/mnt\nvault/home2\treadonly\toff\nx\n";
        let found = harmful(text, &[name("vault/home")]);
        let expected =
            [("vault/home/a", "mountpoint", "/etc/cron.d"), ("vault/home/a b", "sharenfs", "rw=@a\tb")];
        assert_eq!(
            found,
            expected.map(|(dataset, property, value)| (name(dataset), property.into(), value.into()))
        );
    }

    #[test]
    fn a_clone_of_another_hosts_snapshot_is_foreign() {
        let targets = BTreeMap::from([
            ("a".to_owned(), vec![name("vault/a")]),
            ("b".to_owned(), vec![name("vault/b/x"), name("vault/b/y")]),
        ]);
        let text = "vault/a/1\tvault/b/x@s\nvault/a/2\tvault/a/1@s\nvault/b/x/1\tvault/b/y@s\nvault/b/y\t-\n\
            vault/a/3\tvault/gone@s\nvault/root\tvault/a@s\n";
        let found = foreign_clones(text, &targets);
        assert_eq!(
            found,
            [("vault/a/1", "vault/b/x@s"), ("vault/a/3", "vault/gone@s")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    #[test]
    fn held_snapshots_are_those_with_holds() {
        assert_eq!(held("vault/a@1\t0\nvault/a@2\t1\nvault/a b@3\t12\n"), ["vault/a@2", "vault/a b@3"]);
    }
}
