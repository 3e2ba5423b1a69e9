//! What makes copies on an archiver, and fills them.

use dormouse_generator::name::DatasetName;

use super::words;
use crate::zfs::Kind;

/// Names a dataset that Dormouse made only to hold others: `dormouse:placeholder=<its name>`.
/// The value tells it from the datasets below, which inherit the property.
const PLACEHOLDER: &str = "dormouse:placeholder";

/// Has a new dataset go without the key that it would inherit (zfsprops(7), `encryption`). Where that key is
/// not loaded, `zfs receive` of a plain stream ends with "inherited key must be loaded".
pub(super) const KEYLESS: [&str; 2] = ["-o", "encryption=off"];

/// Receives a stream: resumable, unmounted, read-only, and with no mount point of the host's,
/// which could hide a live directory. Never with `-F`, which destroys.
/// Filesystem properties are errors on zvols, so the options depend on the kind.
#[must_use]
pub fn receive(dataset: &DatasetName, kind: Kind) -> Vec<String> {
    receive_with(dataset, kind, vec![])
}

/// The same for a plain stream and a copy that goes without the key of the copy above it.
#[must_use]
pub fn receive_keyless(dataset: &DatasetName, kind: Kind) -> Vec<String> {
    receive_with(dataset, kind, words(KEYLESS))
}

fn receive_with(dataset: &DatasetName, kind: Kind, options: Vec<String>) -> Vec<String> {
    let properties = match kind {
        Kind::Filesystem => words(["-x", "mountpoint", "-o", "canmount=noauto", "-o", "readonly=on"]),
        Kind::Volume => words(["-o", "volmode=none", "-o", "readonly=on"]),
    };
    [words(["zfs", "receive", "-s", "-u"]), options, properties, words([dataset.as_str()])].concat()
}

/// How a copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// It is there, with all that [`receive`] sets: to set it again costs a transaction group for each snapshot.
    Nothing,
    /// As [`receive`] does.
    Passive,
    /// As [`receive_keyless`] does.
    Keyless,
}

/// Receives several streams one after the other, the first so that it makes the copy.
#[must_use]
pub fn receives(dataset: &DatasetName, kind: Kind, make: Make, count: usize) -> Vec<Vec<String>> {
    let first = match make {
        Make::Nothing => receive_as_sent(dataset),
        Make::Passive => receive(dataset, kind),
        Make::Keyless => receive_keyless(dataset, kind),
    };
    let others = std::iter::repeat_with(|| receive_as_sent(dataset));
    std::iter::once(first).chain(others).take(count).collect()
}

/// Receives a stream and sets nothing but what comes with it: resumable and unmounted.
#[must_use]
pub fn receive_as_sent(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "receive", "-s", "-u", dataset.as_str()])
}

/// Gives up the partial data of an interrupted receive, and nothing else (zfs-receive(8) `-A`).
#[must_use]
pub fn abandon(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "receive", "-A", dataset.as_str()])
}

/// Makes a dataset that only holds others, `keyless` below a copy whose key is on the host.
#[must_use]
pub fn create_placeholder(dataset: &DatasetName, keyless: bool) -> Vec<String> {
    let mark = format!("{PLACEHOLDER}={dataset}");
    let options = words(["-o", "canmount=off", "-o", "mountpoint=none", "-o", "readonly=on", "-o", &mark]);
    let key = if keyless { words(KEYLESS) } else { vec![] };
    [words(["zfs", "create"]), key, options, words([dataset.as_str()])].concat()
}
