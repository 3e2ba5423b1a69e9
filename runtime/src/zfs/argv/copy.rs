//! What makes copies on an archiver, and fills them.

use dormouse_generator::name::DatasetName;
use dormouse_generator::reach::KEPT;

use super::words;
use crate::zfs::Kind;

/// Names a dataset that Dormouse made only to hold others: `dormouse:placeholder=<its name>`.
/// The value tells it from the datasets below, which inherit the property.
const PLACEHOLDER: &str = "dormouse:placeholder";

/// Has a new dataset go without the key that it would inherit (zfsprops(7), `encryption`). Where that key is
/// not loaded, `zfs receive` of a plain stream ends with "inherited key must be loaded".
pub(super) const KEYLESS: [&str; 2] = ["-o", "encryption=off"];

/// What the receive of a stream sets on the copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Make {
    /// Makes it read-only, unmounted, and without a mount point of the host's, which could hide a live
    /// directory. On a copy that has all of this, setting it again costs a transaction group for each
    /// snapshot. Where the archiver's root keeps these properties above all copies, a host has no right to
    /// set them.
    pub passive: bool,
    /// Makes it without the key of the copy above it, for a plain stream.
    pub keyless: bool,
}

impl Make {
    /// All ways to receive into a copy.
    #[must_use]
    pub fn all() -> [Self; 4] {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(passive, keyless)| Self { passive, keyless })
    }
}

/// Receives a stream: resumable and unmounted. Never with `-F`, which destroys.
/// Filesystem properties are errors on zvols, so the options depend on the kind.
#[must_use]
pub fn receive(dataset: &DatasetName, kind: Kind, make: Make) -> Vec<String> {
    let key = if make.keyless { words(KEYLESS) } else { vec![] };
    let properties = match kind {
        _ if !make.passive => vec![],
        Kind::Filesystem => words(["-x", "mountpoint", "-o", "canmount=noauto", "-o", "readonly=on"]),
        Kind::Volume => words(["-o", "volmode=none", "-o", "readonly=on"]),
    };
    [words(["zfs", "receive", "-s", "-u"]), key, properties, words([dataset.as_str()])].concat()
}

/// Receives several streams one after the other, the first so that it makes the copy.
#[must_use]
pub fn receives(dataset: &DatasetName, kind: Kind, make: Make, count: usize) -> Vec<Vec<String>> {
    let others = std::iter::repeat_with(|| receive(dataset, kind, Make::default()));
    std::iter::once(receive(dataset, kind, make)).chain(others).take(count).collect()
}

/// Gives up the partial data of an interrupted receive, and nothing else (zfs-receive(8) `-A`).
#[must_use]
pub fn abandon(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "receive", "-A", dataset.as_str()])
}

/// Makes the dataset on which an archiver's root keeps all copies below unmounted and read-only.
#[must_use]
pub fn create_kept(dataset: &DatasetName) -> Vec<String> {
    let options = KEPT.iter().flat_map(|(property, value)| ["-o".to_owned(), format!("{property}={value}")]);
    words(["zfs", "create"]).into_iter().chain(options).chain(words([dataset.as_str()])).collect()
}

/// Makes a dataset that only holds others, in the way of a copy. Where it inherits how it is mounted, `-u` leaves mounting
/// out: up to ZFS 2.3 a create ends with exit code 1 otherwise, since only root may mount.
#[must_use]
pub fn create_placeholder(dataset: &DatasetName, make: Make) -> Vec<String> {
    let mark = format!("{PLACEHOLDER}={dataset}");
    let key = if make.keyless { words(KEYLESS) } else { vec![] };
    let properties = match make.passive {
        true => words(["-o", "canmount=off", "-o", "mountpoint=none", "-o", "readonly=on"]),
        false => words(["-u"]),
    };
    [words(["zfs", "create"]), key, properties, words(["-o", &mark, dataset.as_str()])].concat()
}
