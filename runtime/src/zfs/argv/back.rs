//! What restores, swaps and drills need.

use dormouse_generator::name::DatasetName;

use super::copy::KEYLESS;
use super::{list, set, snapshot, words};
use crate::zfs::scratch::Scratch;
use crate::zfs::{Snapshot, listing};

/// Says, on the host, which snapshot a dataset is being brought back up to:
/// `dormouse:restoring=<its GUID> <its name>`. It comes with the first stream and goes when all is there.
const RESTORING: &str = "dormouse:restoring";

/// Receives a stream as `name` of a dataset of the host that is brought back: resumable, unmounted, never
/// with `-F`. The name leaves nothing of those in the stream. Streams have no properties (see
/// [`crate::zfs::begin`]), so the dataset inherits from the one above it; but for its key, if it is `keyless`.
#[must_use]
pub fn receive_back(dataset: &DatasetName, name: &str, until: &Snapshot, keyless: bool) -> Vec<String> {
    let mark = format!("{RESTORING}={} {}", until.guid, until.name);
    let key = if keyless { words(KEYLESS) } else { vec![] };
    let to = snapshot(dataset, name);
    [words(["zfs", "receive", "-s", "-u"]), key, words(["-o", &mark, &to])].concat()
}

/// Receives a later stream of a dataset that is brought back.
#[must_use]
pub fn receive_further(dataset: &DatasetName, name: &str) -> Vec<String> {
    words(["zfs", "receive", "-s", "-u", &snapshot(dataset, name)])
}

/// Lists what a stream set on a dataset: property, value.
#[must_use]
pub fn list_received(dataset: &DatasetName) -> Vec<String> {
    let get = words(["zfs", "get", "-H", "-p", "-s", "received", "-o", "property,value"]);
    [get, words(["all", dataset.as_str()])].concat()
}

/// Lists the names at and below a dataset.
#[must_use]
pub fn list_names(dataset: &DatasetName) -> Vec<String> {
    list("filesystem,volume", "name", true, "0", dataset)
}

/// Makes a dataset on the host that only holds others, `keyless` below one whose key is not loaded.
#[must_use]
pub fn create_holder(dataset: &DatasetName, keyless: bool) -> Vec<String> {
    let key = if keyless { words(KEYLESS) } else { vec![] };
    [words(["zfs", "create", "-o", "canmount=off"]), key, words([dataset.as_str()])].concat()
}

/// Lists which datasets are being brought back, at and below this one: name, value.
#[must_use]
pub fn list_restoring(dataset: &DatasetName) -> Vec<String> {
    let get = words(["zfs", "get", "-H", "-p", "-r", "-t", "filesystem,volume", "-s", "local"]);
    [get, words(["-o", "name,value", RESTORING, dataset.as_str()])].concat()
}

/// Says that a dataset is back.
#[must_use]
pub fn restored(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "inherit", RESTORING, dataset.as_str()])
}

/// Lists a dataset and those right below it: name, whether it is to be replicated.
#[must_use]
pub fn list_replicated(dataset: &DatasetName) -> Vec<String> {
    let columns = format!("name,{}", listing::REPLICATE);
    list("filesystem,volume", &columns, false, "1", dataset)
}

/// Lists a dataset and those below it: name, kind, whether it is mounted.
#[must_use]
pub fn list_mounted(dataset: &DatasetName) -> Vec<String> {
    list("filesystem,volume", "name,type,mounted", true, "0", dataset)
}

/// Lists where filesystems would be mounted: name, whether, where.
#[must_use]
pub fn list_mount_points(names: &[String]) -> Vec<String> {
    [words(["zfs", "list", "-H", "-p", "-o", "name,canmount,mountpoint"]), names.to_vec()].concat()
}

/// Asks what a dataset allows those below it: property, value.
#[must_use]
pub fn get_limits(dataset: &DatasetName) -> Vec<String> {
    let properties = "mountpoint,setuid,exec,devices";
    words(["zfs", "get", "-H", "-p", "-o", "property,value", properties, dataset.as_str()])
}

/// Unmounts a filesystem; it fails where the filesystem is used.
#[must_use]
pub fn unmount(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "unmount", dataset.as_str()])
}

/// Mounts a filesystem where it was.
#[must_use]
pub fn mount_again(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "mount", dataset.as_str()])
}

/// Lets a filesystem that is not mounted be mounted by name only (zfsprops(7), `canmount`).
#[must_use]
pub fn mount_by_hand(dataset: &DatasetName) -> Vec<String> {
    set(dataset, "canmount", "noauto")
}

/// Keeps a dataset, and what is below it, from being replicated.
#[must_use]
pub fn keep_at_home(dataset: &DatasetName) -> Vec<String> {
    set(dataset, listing::REPLICATE, "off")
}

/// Clones a zvol's snapshot into a scratch dataset, as a device that nobody looks for partitions in
/// (zfsprops(7), `volmode`).
#[must_use]
pub fn clone_scratch(dataset: &DatasetName, name: &str, scratch: &Scratch) -> Vec<String> {
    let options = words(["-o", "volmode=dev", "-o", "readonly=on"]);
    let names = [snapshot(dataset, name), scratch.name().to_string()];
    [words(["zfs", "clone"]), options, names.to_vec()].concat()
}

/// Shows a scratch zvol as such a device.
#[must_use]
pub fn show_scratch(scratch: &Scratch) -> Vec<String> {
    words(["zfs", "set", "volmode=dev", scratch.name().as_str()])
}

/// Makes what holds scratch datasets. Whatever lies below is mounted by name only, runs nothing, and is not what
/// tools take snapshots of.
#[must_use]
pub fn create_scratch_parent(parent: &DatasetName) -> Vec<String> {
    let mounts = ["mountpoint=none", "canmount=off", "setuid=off", "exec=off", "devices=off"];
    let options = mounts.into_iter().chain(["com.sun:auto-snapshot=false"]).flat_map(|option| ["-o", option]);
    let argv = ["zfs", "create"].into_iter().chain(options).chain([parent.as_str()]);
    argv.map(str::to_owned).collect()
}

/// Destroys what holds scratch datasets; zfs refuses where it still does.
#[must_use]
pub fn destroy_scratch_parent(parent: &DatasetName) -> Vec<String> {
    words(["zfs", "destroy", parent.as_str()])
}

/// Destroys a scratch dataset and all snapshots that somebody took of it meanwhile.
#[must_use]
pub fn destroy_scratch(scratch: &Scratch) -> Vec<String> {
    words(["zfs", "destroy", "-r", scratch.name().as_str()])
}

/// Loads the key of a dataset from a place that need not be its own (zfs-load-key(8) `-L`).
#[must_use]
pub fn load_key(dataset: &DatasetName, location: &str) -> Vec<String> {
    words(["zfs", "load-key", "-L", location, dataset.as_str()])
}

/// What is mounted of an archiver's, or of another host's, is for reading: nothing in it is run, is a device, or
/// gives rights.
pub const FOR_READING: &str = "ro,nosuid,nodev,noexec";

/// Mounts a snapshot in a folder, by the helper of mount(8) that ZFS brings.
#[must_use]
pub fn mount(dataset: &DatasetName, name: &str, folder: &str) -> Vec<String> {
    words(["mount", "-t", "zfs", "-o", FOR_READING, &snapshot(dataset, name), folder])
}
