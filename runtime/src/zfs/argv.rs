//! Command lines of zfs(8). Each is an argument list; nothing here knows a shell.

use dormouse_generator::name::DatasetName;

use super::plan::{Base, Stream};
use super::{Kind, listing};

/// Names a dataset that Dormouse made only to hold others: `dormouse:placeholder=<its name>`.
/// The value tells it from the datasets below, which inherit the property.
const PLACEHOLDER: &str = "dormouse:placeholder";

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn snapshot(dataset: &DatasetName, name: &str) -> String {
    format!("{dataset}@{name}")
}

/// Lists a dataset with everything that a plan needs; with `recursive`, the tree below it too.
/// Without, depth 1 is the dataset's own snapshots and bookmarks (and the children's bare lines).
#[must_use]
pub fn list(dataset: &DatasetName, recursive: bool) -> Vec<String> {
    let mut argv = words(["zfs", "list", "-H", "-p"]);
    argv.extend(if recursive { words(["-r"]) } else { words(["-d", "1"]) });
    argv.extend(words([
        "-t",
        "filesystem,volume,snapshot,bookmark",
        "-o",
        listing::COLUMNS,
        dataset.as_str(),
    ]));
    argv
}

/// Proves that a pool is there, by listing its root dataset alone.
#[must_use]
pub fn list_pool(pool: &str) -> Vec<String> {
    words(["zfs", "list", "-H", "-o", "name", "-d", "0", pool])
}

/// The flags that choose a stream's form: large blocks, compressed and embedded data as they are
/// on disk (zfs-send(8) `-L -c -e`), and raw for encrypted datasets (`-w`).
fn form(raw: bool) -> Vec<String> {
    if raw { words(["-L", "-c", "-e", "-w"]) } else { words(["-L", "-c", "-e"]) }
}

fn span(dataset: &DatasetName, stream: &Stream) -> Vec<String> {
    let to = snapshot(dataset, &stream.to().name);
    match stream {
        Stream::Full { .. } => vec![to],
        Stream::Step { from: Base::Snapshot(from), .. } => {
            vec!["-i".to_owned(), snapshot(dataset, &from.name), to]
        }
        Stream::Step { from: Base::Bookmark(from), .. } => {
            vec!["-i".to_owned(), format!("{dataset}#{}", from.name), to]
        }
        Stream::Run { from, .. } => vec!["-I".to_owned(), snapshot(dataset, &from.name), to],
    }
}

/// Sends a stream.
#[must_use]
pub fn send(dataset: &DatasetName, stream: &Stream, raw: bool) -> Vec<String> {
    [words(["zfs", "send"]), form(raw), span(dataset, stream)].concat()
}

/// Sends a stream with the dataset's properties, for a copy that takes its place.
#[must_use]
pub fn send_with_properties(dataset: &DatasetName, stream: &Stream, raw: bool) -> Vec<String> {
    [words(["zfs", "send", "-p"]), form(raw), span(dataset, stream)].concat()
}

/// Estimates a stream's size without sending it.
#[must_use]
pub fn estimate(dataset: &DatasetName, stream: &Stream, raw: bool) -> Vec<String> {
    [words(["zfs", "send", "-n", "-P"]), form(raw), span(dataset, stream)].concat()
}

/// Sends the rest of an interrupted stream; the token holds its form.
#[must_use]
pub fn resume(token: &str) -> Vec<String> {
    words(["zfs", "send", "-t", token])
}

/// Shows what a token says and how much is left to send.
#[must_use]
pub fn inspect_token(token: &str) -> Vec<String> {
    words(["zfs", "send", "-n", "-v", "-P", "-t", token])
}

/// Receives a stream: resumable, unmounted, read-only, and with no mount point of the host's,
/// which could hide a live directory. Never with `-F`, which destroys.
/// Filesystem properties are errors on zvols, so the options depend on the kind.
#[must_use]
pub fn receive(dataset: &DatasetName, kind: Kind) -> Vec<String> {
    let properties = match kind {
        Kind::Filesystem => words(["-x", "mountpoint", "-o", "canmount=noauto", "-o", "readonly=on"]),
        Kind::Volume => words(["-o", "volmode=none", "-o", "readonly=on"]),
    };
    [words(["zfs", "receive", "-s", "-u"]), properties, words([dataset.as_str()])].concat()
}

/// Receives a stream with the properties that it has: resumable and unmounted.
#[must_use]
pub fn receive_as_sent(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "receive", "-s", "-u", dataset.as_str()])
}

/// Gives up the partial data of an interrupted receive, and nothing else (zfs-receive(8) `-A`).
#[must_use]
pub fn abandon(dataset: &DatasetName) -> Vec<String> {
    words(["zfs", "receive", "-A", dataset.as_str()])
}

/// Makes a dataset that only holds others.
#[must_use]
pub fn create_placeholder(dataset: &DatasetName) -> Vec<String> {
    let mark = format!("{PLACEHOLDER}={dataset}");
    let options = words(["-o", "canmount=off", "-o", "mountpoint=none", "-o", "readonly=on", "-o", &mark]);
    [words(["zfs", "create"]), options, words([dataset.as_str()])].concat()
}

/// Makes a bookmark of a snapshot.
#[must_use]
pub fn bookmark(dataset: &DatasetName, snapshot_name: &str, bookmark: &str) -> Vec<String> {
    words(["zfs", "bookmark", &snapshot(dataset, snapshot_name), &format!("{dataset}#{bookmark}")])
}

/// Destroys a bookmark of ours. The `#` makes that the only thing it can destroy.
#[must_use]
pub fn destroy_bookmark(dataset: &DatasetName, bookmark: &str) -> Vec<String> {
    words(["zfs", "destroy", &format!("{dataset}#{bookmark}")])
}

/// Holds snapshots, so that nothing prunes them while they are under way.
#[must_use]
pub fn hold(tag: &str, snapshots: &[String]) -> Vec<String> {
    [words(["zfs", "hold", tag]), snapshots.to_vec()].concat()
}

/// Releases holds.
#[must_use]
pub fn release(tag: &str, snapshots: &[String]) -> Vec<String> {
    [words(["zfs", "release", tag]), snapshots.to_vec()].concat()
}

/// Lists the holds of snapshots: name, tag, time.
#[must_use]
pub fn holds(snapshots: &[String]) -> Vec<String> {
    [words(["zfs", "holds", "-H"]), snapshots.to_vec()].concat()
}
