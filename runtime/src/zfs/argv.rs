//! Command lines of zfs(8). Each is an argument list; nothing here knows a shell.

mod back;
mod copy;

use dormouse_generator::name::DatasetName;

pub use self::back::*;
pub use self::copy::*;
use super::plan::{Base, Stream};
use super::{follow, listing, properties, retention};

/// Names a copy that has lost data, which is told by an archiver's root (`dormouse-damage.service`).
const DAMAGED: &str = "dormouse:damaged";

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn snapshot(dataset: &DatasetName, name: &str) -> String {
    format!("{dataset}@{name}")
}

/// `zfs list` for machines, of the tree below a dataset or of the dataset alone. `own` is the
/// depth at which the latter's lines lie.
fn list(kinds: &str, columns: &str, recursive: bool, own: &str, dataset: &DatasetName) -> Vec<String> {
    let depth = if recursive { words(["-r"]) } else { words(["-d", own]) };
    [words(["zfs", "list", "-H", "-p"]), depth, words(["-t", kinds, "-o", columns, dataset.as_str()])]
        .concat()
}

/// Lists filesystems and zvols, without their snapshots; with more columns if they are asked for.
#[must_use]
pub fn list_datasets(dataset: &DatasetName, recursive: bool, more: &[&str]) -> Vec<String> {
    let columns = [&[listing::DATASET], more].concat().join(",");
    list("filesystem,volume", &columns, recursive, "0", dataset)
}

/// Lists whether a copy and those below it have lost data: name, the name of the one that has.
#[must_use]
pub fn list_damaged(copy: &DatasetName) -> Vec<String> {
    list("filesystem,volume", &format!("name,{DAMAGED}"), true, "0", copy)
}

/// Lists bookmarks.
#[must_use]
pub fn list_bookmarks(dataset: &DatasetName, recursive: bool) -> Vec<String> {
    list("bookmark", listing::SNAPSHOT, recursive, "1", dataset)
}

/// Lists snapshots, in no particular order of datasets.
#[must_use]
pub fn list_snapshots(dataset: &DatasetName, recursive: bool) -> Vec<String> {
    list("snapshot", listing::SNAPSHOT, recursive, "1", dataset)
}

/// Lists the snapshots and bookmarks of these datasets, not of those below them.
#[must_use]
pub fn list_histories<'a>(
    datasets: impl IntoIterator<Item = &'a DatasetName>,
    detailed: bool,
) -> Vec<String> {
    let columns = if detailed { listing::SNAPSHOT_DETAILED } else { listing::SNAPSHOT };
    let names = datasets.into_iter().map(|name| name.as_str().to_owned());
    let list = words(["zfs", "list", "-H", "-p", "-d", "1", "-t", "snapshot,bookmark", "-o", columns]);
    list.into_iter().chain(names).collect()
}

/// Lists the snapshots of a dataset and of those below it, the newest first, with what their retention
/// depends on.
#[must_use]
pub fn list_for_retention(dataset: &DatasetName) -> Vec<String> {
    let list = ["zfs", "list", "-H", "-p", "-r", "-t", "snapshot", "-S", "createtxg"];
    [words(list), words(["-o", retention::COLUMNS, dataset.as_str()])].concat()
}

/// Lists these snapshots, given as `dataset@snapshot`.
#[must_use]
pub fn list_these(snapshots: &[String]) -> Vec<String> {
    [words(["zfs", "list", "-H", "-p", "-t", "snapshot", "-o", listing::SNAPSHOT]), snapshots.to_vec()]
        .concat()
}

/// Remembers something in a property of a dataset.
#[must_use]
pub fn set(dataset: &DatasetName, property: &str, value: &str) -> Vec<String> {
    words(["zfs", "set", &format!("{property}={value}"), dataset.as_str()])
}

/// Lists what was set on datasets: name, property, value.
#[must_use]
pub fn list_set_properties<'a>(datasets: impl IntoIterator<Item = &'a DatasetName>) -> Vec<String> {
    let get = ["zfs", "get", "-H", "-p", "-s", "local,received", "-o", "name,property,value", "all"];
    words(get).into_iter().chain(datasets.into_iter().map(ToString::to_string)).collect()
}

/// Lists these properties where a dataset has a value of its own: name, property, value.
#[must_use]
pub fn list_set(dataset: &str, properties: &str) -> Vec<String> {
    let get = [
        "zfs",
        "get",
        "-H",
        "-r",
        "-t",
        "filesystem,volume",
        "-s",
        "local,received",
        "-o",
        "name,property,value",
    ];
    words(get).into_iter().chain(words([properties, dataset])).collect()
}

/// Has a dataset inherit a property (zfs-inherit(8)).
#[must_use]
pub fn inherit(dataset: &DatasetName, property: &str) -> Vec<String> {
    words(["zfs", "inherit", property, dataset.as_str()])
}

/// Lists what datasets are clones of: name, origin.
#[must_use]
pub fn list_origins(dataset: &str) -> Vec<String> {
    words(["zfs", "list", "-H", "-r", "-t", "filesystem,volume", "-o", "name,origin", dataset])
}

/// Lists how often snapshots are held: name, number.
#[must_use]
pub fn list_holds(dataset: &str) -> Vec<String> {
    words(["zfs", "list", "-H", "-p", "-r", "-t", "snapshot", "-o", "name,userrefs", dataset])
}

/// Keeps with a copy what was set on its dataset.
#[must_use]
pub fn keep_record(copy: &DatasetName, record: &str) -> Vec<String> {
    set(copy, properties::RECORD, record)
}

/// Lists what is kept with copies: name, record.
#[must_use]
pub fn list_records<'a>(copies: impl IntoIterator<Item = &'a DatasetName>) -> Vec<String> {
    let columns = format!("name,{}", properties::RECORD);
    let list = ["zfs", "list", "-H", "-p", "-t", "filesystem,volume", "-o", &columns];
    words(list).into_iter().chain(copies.into_iter().map(ToString::to_string)).collect()
}

/// Sets properties, given as `name=value`, of a dataset that stays unmounted (zfs-set(8) `-u`, which
/// OpenZFS has since 2.2).
#[must_use]
pub fn set_all(dataset: &DatasetName, assignments: &[String]) -> Vec<String> {
    [words(["zfs", "set", "-u"]), assignments.to_vec(), words([dataset.as_str()])].concat()
}

/// Sets a property, given as `name=value`, that mounts nothing.
#[must_use]
pub fn set_one(dataset: &DatasetName, assignment: &str) -> Vec<String> {
    words(["zfs", "set", assignment, dataset.as_str()])
}

/// Asks whether a pool keeps the times at which snapshots change: it does with this feature.
#[must_use]
pub fn keeps_times(pool: &str) -> Vec<String> {
    words(["zpool", "get", "-H", "-o", "value", "feature@extensible_dataset", pool])
}

/// Proves that a pool is there, by listing its root dataset alone.
#[must_use]
pub fn list_pool(pool: &str) -> Vec<String> {
    words(["zfs", "list", "-H", "-o", "name", "-d", "0", pool])
}

/// Measures a pool, in bytes (zpool-list(8)).
#[must_use]
pub fn measure(pool: &str) -> Vec<String> {
    words(["zpool", "list", "-H", "-p", "-o", "size,allocated,free,health", pool])
}

/// Asks how a pool is, for people (zpool-status(8)).
#[must_use]
pub fn status(pool: &str) -> Vec<String> {
    words(["zpool", "status", pool])
}

/// The flags that choose a stream's form: large blocks and compressed ones as they are on disk
/// (zfs-send(8) `-L -c`), and raw for encrypted datasets (`-w`). Not `-e`: a receive below an encrypted
/// dataset refuses embedded data, and what it saves is nothing against a block.
fn form(raw: bool) -> Vec<String> {
    if raw { words(["-L", "-c", "-w"]) } else { words(["-L", "-c"]) }
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

/// Renames a dataset with everything below it, or a snapshot. It fails where the new name is taken.
#[must_use]
pub fn rename(from: &str, to: &str) -> Vec<String> {
    words(["zfs", "rename", from, to])
}

/// Makes a bookmark of a snapshot.
#[must_use]
pub fn bookmark(dataset: &DatasetName, snapshot_name: &str, bookmark: &str) -> Vec<String> {
    words(["zfs", "bookmark", &snapshot(dataset, snapshot_name), &format!("{dataset}#{bookmark}")])
}

/// Makes bookmarks of snapshots, all in one transaction group, by the channel program [`BOOKMARKS`]
/// on stdin (zfs-program(8), for root only). `pairs` holds `dataset@snapshot` and `dataset#bookmark`.
#[must_use]
pub fn bookmark_all(pool: &str, pairs: &[String]) -> Vec<String> {
    [words(["zfs", "program", "-j", pool, "-"]), pairs.to_vec()].concat()
}

/// Makes each bookmark that it can; returns how many it could not.
pub const BOOKMARKS: &str = r#"
local arguments = ...
local names, failed = arguments["argv"], 0
for i = 1, #names, 2 do
    if zfs.sync.bookmark(names[i], names[i + 1]) ~= 0 then failed = failed + 1 end
end
return failed
"#;

/// Destroys a bookmark of ours. The `#` makes that the only thing it can destroy.
#[must_use]
pub fn destroy_bookmark(dataset: &DatasetName, bookmark: &str) -> Vec<String> {
    words(["zfs", "destroy", &format!("{dataset}#{bookmark}")])
}

/// Asks for the notes and the holds of snapshots.
#[must_use]
pub fn notes(snapshots: &[String]) -> Vec<String> {
    let properties = format!("userrefs,{}", follow::NOTE);
    [words(["zfs", "get", "-H", "-p", "-o", "name,property,value", &properties]), snapshots.to_vec()].concat()
}

/// Notes since when snapshots are missed, in seconds since 1970.
#[must_use]
pub fn note(snapshots: &[String], since: i64) -> Vec<String> {
    [words(["zfs", "set", &format!("{}={since}", follow::NOTE)]), snapshots.to_vec()].concat()
}

/// Destroys one snapshot, and nothing else: without `-r` and `-R` it fails where a clone or a hold
/// needs it.
#[must_use]
pub fn destroy_snapshot(dataset: &DatasetName, name: &str) -> Vec<String> {
    words(["zfs", "destroy", &snapshot(dataset, name)])
}

/// Asks for one property.
#[must_use]
pub fn get(dataset: &str, property: &str) -> Vec<String> {
    words(["zfs", "get", "-H", "-p", "-o", "value", property, dataset])
}

/// Lists the names right below a pool's root dataset, and that.
#[must_use]
pub fn list_children(pool: &str) -> Vec<String> {
    words(["zfs", "list", "-H", "-o", "name", "-d", "1", "-t", "filesystem,volume", pool])
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
