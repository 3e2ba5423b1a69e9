//! The properties that somebody set on a dataset, kept with its copy so that they come back with it.
//!
//! They are not sent in the stream: the copy would take them on, and a quota or a mount point has no place
//! on the archiver. Its copy has them in one property of its own instead, which is read when the dataset is
//! brought back.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;
use serde::{Deserialize, Serialize};

/// The property of a copy that holds a [`Record`].
pub const RECORD: &str = "dormouse:properties";

/// The longest value of a user property is 8191 bytes (zfsprops(7)).
const LONGEST: usize = 8191;

/// Those of ZFS' own properties that are kept: they say how a dataset is stored, limited and mounted
/// (zfsprops(7)). Not among them: what belongs to its data (`volsize`, `encryption`, …) and comes in the
/// stream; where its key is; what opens it to a network or a zone, which a person should decide anew; and `overlay`,
/// which lets a dataset hide a directory that is not empty.
const KEPT: &[&str] = &[
    "aclinherit",
    "aclmode",
    "acltype",
    "atime",
    "canmount",
    "checksum",
    "compression",
    "context",
    "copies",
    "dedup",
    "defcontext",
    "devices",
    "direct",
    "dnodesize",
    "exec",
    "filesystem_limit",
    "fscontext",
    "logbias",
    "longname",
    "mountpoint",
    "nbmand",
    "prefetch",
    "primarycache",
    "quota",
    "readonly",
    "recordsize",
    "redundant_metadata",
    "refquota",
    "refreservation",
    "relatime",
    "reservation",
    "rootcontext",
    "secondarycache",
    "setuid",
    "snapdir",
    "snapshot_limit",
    "special_small_blocks",
    "sync",
    "xattr",
];

/// Those of zvols.
const KEPT_OF_VOLUMES: &[&str] = &["snapdev", "volmode", "volthreading"];

/// Properties of copies that move to a smaller volume, in addition to our own: storage and limits.
const MOVED: &[&str] = &[
    "checksum",
    "com.sun:auto-snapshot",
    "compression",
    "copies",
    "dedup",
    "dnodesize",
    "filesystem_limit",
    "logbias",
    "primarycache",
    "quota",
    "recordsize",
    "redundant_metadata",
    "refquota",
    "refreservation",
    "reservation",
    "secondarycache",
    "snapshot_limit",
    "special_small_blocks",
    "sync",
];

/// What was set on copies and goes with them to a smaller volume, as `name=value`, by what
/// [`super::argv::list_set_properties`] prints. Where and how they are mounted does not: their hosts sent that.
#[must_use]
pub fn moved(text: &str) -> BTreeMap<DatasetName, Vec<String>> {
    let mut all = BTreeMap::<DatasetName, Vec<String>>::new();
    for line in text.lines() {
        let [name, property, value] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { continue };
        let Ok(dataset) = DatasetName::new(name) else { continue };
        if property.starts_with("dormouse:") || MOVED.contains(&property) {
            all.entry(dataset).or_default().push(format!("{property}={value}"));
        }
    }
    all
}

/// Where a dataset is mounted, which only one dataset can be.
const PLACE: &[&str] = &["mountpoint", "canmount"];

/// The properties of a dataset, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The dataset that they were set on: copies below inherit the record of one above.
    pub of: String,
    /// Names and values, as `zfs set` takes them.
    pub set: BTreeMap<String, String>,
    /// Proves who wrote it, in hexadecimal ([`super::seal`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

impl Record {
    /// Reads what [`super::argv::list_set_properties`] prints: a record for each dataset that has any.
    #[must_use]
    pub fn read(text: &str) -> BTreeMap<DatasetName, Self> {
        let mut all = BTreeMap::<DatasetName, Self>::new();
        for line in text.lines() {
            let [name, property, value] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { continue };
            let Ok(dataset) = DatasetName::new(name) else { continue };
            let record = all.entry(dataset).or_insert_with(|| Self::empty(name));
            if is_kept(property) {
                record.set.insert(property.to_owned(), value.to_owned());
            }
        }
        all
    }

    /// Nothing was set on this dataset.
    #[must_use]
    pub fn empty(of: &str) -> Self {
        Self { of: of.to_owned(), set: BTreeMap::new(), mac: None }
    }

    /// The value of [`RECORD`]; none when that would be too long.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        // What takes command lines apart on the archiver knows neither inside of a word.
        let text = text.replace('&', r"\u0026").replace('\'', r"\u0027");
        (text.len() <= LONGEST).then_some(text)
    }

    /// Reads a value of [`RECORD`]; none when it is of another dataset, or was not written by us.
    #[must_use]
    pub fn parse(text: &str, of: &DatasetName) -> Option<Self> {
        let record: Self = serde_json::from_str(text).ok()?;
        (record.of == of.as_str()).then_some(record)
    }

    /// What to set on the dataset when it is back, as `name=value`: nothing that we would not have kept.
    /// Beside the dataset itself, its place is taken.
    #[must_use]
    pub fn assignments(&self, in_place: bool) -> Vec<String> {
        let wanted = |name: &str| is_kept(name) && (in_place || !PLACE.contains(&name));
        let set = self.set.iter().filter(|(name, _)| wanted(name));
        set.map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// Whether a property, given as `name=value`, allows what the dataset above forbids: an archiver keeps the record.
#[must_use]
pub fn is_beyond(assignment: &str, above: &BTreeMap<String, String>) -> bool {
    ["setuid", "exec", "devices"].iter().any(|property| {
        assignment.strip_prefix(property) == Some("=on") && above.get(*property).is_none_or(|is| is != "on")
    })
}

/// Whether setting a property, given as `name=value`, may mount its dataset.
#[must_use]
pub fn mounts(assignment: &str) -> bool {
    let name = assignment.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| PLACE.contains(&name))
}

fn is_kept(property: &str) -> bool {
    match property.split_once(':') {
        // OpenZFS' own say what systemd does at the next boot (zfs-mount-generator(8)).
        Some((owner, _)) => {
            owner != "dormouse" && !owner.starts_with('-') && !owner.starts_with("org.openzfs")
        }
        None => KEPT.contains(&property) || KEPT_OF_VOLUMES.contains(&property),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DatasetName {
        DatasetName::new(text).unwrap()
    }

    #[test]
    fn what_was_set_is_kept_and_comes_back() {
        let text = "tank/a\tquota\t1048576\ntank/a\tmountpoint\t/srv/it's & so\ntank/a\tcom.sun:auto-snapshot\ttrue\n\
            tank/a\tdormouse:home.nas.safe\t1:ab\ntank/a\tsharenfs\ton\ntank/v\tvolsize\t8388608\n\
            a line of a value\ntank/v\tnote:x\ta\tb\n";
        let all = Record::read(text);
        let value = all[&name("tank/a")].text().unwrap();
        assert!(!value.contains(['&', '\'']), "{value}");
        let back = Record::parse(&value, &name("tank/a")).unwrap();
        assert_eq!(
            back.assignments(true),
            ["com.sun:auto-snapshot=true", "mountpoint=/srv/it's & so", "quota=1048576"]
        );
        assert_eq!(back.assignments(false), ["com.sun:auto-snapshot=true", "quota=1048576"]);
        assert_eq!(all[&name("tank/v")].assignments(true), ["note:x=a\tb"]);
    }

    #[test]
    fn what_says_how_a_copy_is_mounted_does_not_move_with_it() {
        let text = "vault/a\tquota\t1048576\nvault/a\tmountpoint\t/etc\nvault/a\tcanmount\ton\n\
            vault/a\tdormouse:properties\t{}\nvault/a\tsetuid\ton\nvault/a\tevil:x\ty\n";
        assert_eq!(moved(text)[&name("vault/a")], ["quota=1048576", "dormouse:properties={}"]);
    }

    #[test]
    fn a_dataset_allows_no_more_than_the_one_above_it() {
        let above = BTreeMap::from([("setuid", "off"), ("exec", "on")]);
        let above = above.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert!(is_beyond("setuid=on", &above) && is_beyond("devices=on", &above));
        assert!(!is_beyond("exec=on", &above) && !is_beyond("setuid=off", &above));
    }

    #[test]
    fn a_record_of_another_dataset_or_hand_is_none() {
        let value = Record::empty("tank/a").text().unwrap();
        assert!(Record::parse(&value, &name("tank/a")).is_some());
        assert!(Record::parse(&value, &name("tank/a/b")).is_none(), "inherited");
        for foreign in ["-", "", "{}", r#"{"of":"tank/a"}"#, r#"{"of":"tank/a","set":{},"more":1}"#] {
            assert!(Record::parse(foreign, &name("tank/a")).is_none(), "{foreign}");
        }
    }

    #[test]
    fn nothing_is_set_that_would_not_have_been_kept() {
        let hostile = r#"{"of":"tank/a","set":{"sharenfs":"on","zoned":"on","keylocation":"https://x","quota":"1",
            "dormouse:home.nas.safe":"1:ab","-o":"x","-u:":"x","overlay":"on",
            "org.openzfs.systemd:required-by":"x"}}"#;
        assert_eq!(Record::parse(hostile, &name("tank/a")).unwrap().assignments(true), ["quota=1"]);
    }

    #[test]
    fn a_record_that_zfs_would_not_take_is_not_written() {
        let mut record = Record::empty("tank/a");
        record.set.insert("note:x".to_owned(), "x".repeat(LONGEST));
        assert_eq!(record.text(), None);
    }
}
