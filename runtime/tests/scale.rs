//! A tree that is four times as big takes four times as many programs, and each dataset takes the same memory.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Stands in for zfs(8) and zpool(8) on both machines, whose pools have different names. The run's last command
/// notes the most memory that the run has had.
const ZFS: &str = r##"#!/bin/sh
echo "${0##*/} $*" >>"$NOTES/commands"
for last; do :; done
case "${0##*/} $*" in
    "zfs list -H -p -r -t filesystem,volume -o name,type,"*) exec cat "$NOTES/$last/datasets" ;;
    "zfs list -H -p -r -t bookmark "*) exec cat "$NOTES/$last/bookmarks" ;;
    "zfs list -H -p -r -t snapshot "*) exec cat "$NOTES/$last/snapshots" ;;
    "zfs list -H -p -d 1 -t snapshot,bookmark -o "*)
        shift 9; for name; do shift; set -- "$@" "$NOTES/$name/history"; done; exec cat "$@" ;;
    "zfs list -H -p -t filesystem,volume -o name,dormouse:properties "*)
        shift 7; for name; do printf '%s\t-\n' "$name"; done ;;
    "zfs get -H -p -s local,received -o name,property,value all "*) ;;
    "zfs set dormouse:properties="*) ;;
    "zfs set dormouse:home.nas.safe="*) grep VmHWM "/proc/$PPID/status" >"$NOTES/memory" ;;
    "zpool list -H -p -o size,allocated,free,health vault") printf '3\t1\t2\tONLINE\n' ;;
    "zpool status vault") echo "errors: No known data errors" ;;
    *) echo "the stand-in does not know: $0 $*" >&2; exit 2 ;;
esac
"##;

/// Stands in for ssh(1): the archiver is on this computer.
const SSH: &str = r##"#!/bin/sh
for last; do :; done
case "$1 $*" in
    "-M "*"ControlPath="*) control=${*#*ControlPath=\"}; touch "${control%%\"*}" ;;
esac
exec sh -c "$last"
"##;

const SPEC: &str = r#"{ "version": 1, "name": "home",
    "archivers": { "nas": { "provider": { "type": "static", "address": "nas.lan" }, "pool": { "name": "vault" } } },
    "hosts": { "desk": { "replications": {
        "safe": { "archiver": "nas", "source": "tank/safe", "target": "vault/safe" } } } } }"#;

const SNAPSHOTS: usize = 100;

fn name(root: &str, dataset: usize) -> String {
    if dataset == 0 { root.to_owned() } else { format!("{root}/dataset{dataset}") }
}

/// The snapshots of a dataset, which are the same on both sides.
fn snapshots(name: &str, dataset: usize) -> String {
    let line = |number| {
        let guid = dataset * 1000 + number;
        format!("{name}@zfs-auto-snap_frequent-2026-11-25-{number}\t{guid}\t{number}")
    };
    (1..=SNAPSHOTS).map(|number| line(number) + "\t1000000\t0\t1\n").collect()
}

/// What a machine's listings print: `more` columns of datasets, and cursors on the host.
fn machine(notes: &Path, root: &str, datasets: usize, more: &str, has_cursors: bool) {
    let (mut all, mut bookmarks, mut fast) = (String::new(), String::new(), String::new());
    for dataset in 0..datasets {
        let name = name(root, dataset);
        all += &format!("{name}\tfilesystem\t{}\t-\t-\t{more}\n", dataset + 1);
        let newest = dataset * 1000 + SNAPSHOTS;
        let bookmark = format!("{name}#dormouse_home_nas_{newest}\t{newest}\t{SNAPSHOTS}");
        let mut history = snapshots(&name, dataset);
        fast += &history.replace("\t1000000\t0\t1\n", "\n");
        if has_cursors {
            bookmarks += &format!("{bookmark}\n");
            history += &format!("{bookmark}\t1000000\t-\t-\n");
        }
        fs::create_dir_all(notes.join(&name)).unwrap();
        fs::write(notes.join(&name).join("history"), history).unwrap();
    }
    for (file, text) in [("datasets", all), ("bookmarks", bookmarks), ("snapshots", fast)] {
        fs::write(notes.join(root).join(file), text).unwrap();
    }
}

fn install(folder: &Path, datasets: usize) {
    machine(folder, "tank/safe", datasets, "-\t-\t1000000\t-", true);
    machine(folder, "vault/safe", datasets, "on\tnoauto\tdefault", false);
    for (file, text) in [("zfs", ZFS), ("zpool", ZFS), ("ssh", SSH)] {
        fs::write(folder.join(file), text).unwrap();
        fs::set_permissions(folder.join(file), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for file in ["generated/known_hosts", "secrets/hosts/desk/id_ed25519"] {
        fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        fs::write(folder.join(file), "").unwrap();
    }
    fs::write(folder.join("dormouse.json"), SPEC).unwrap();
}

/// How many programs an audit starts that finds nothing to do, and how much memory it needs, in KiB.
fn audit(datasets: usize) -> (usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    install(folder, datasets);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut run = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    run.args(["--host", "desk", "replicate", "--audit", "--spec"]).arg(folder.join("dormouse.json"));
    run.arg("--secrets").arg(folder.join("secrets")).env("PATH", path).env("NOTES", folder);
    run.env("RUNTIME_DIRECTORY", folder.join("run")).env("STATE_DIRECTORY", folder.join("state"));
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(&format!("0 of {datasets} datasets sent")) && output.stderr.is_empty(),
        "{output:?}"
    );
    let noted = fs::read_to_string(folder.join("memory")).unwrap();
    let commands = fs::read_to_string(folder.join("commands")).unwrap();
    (commands.lines().count(), noted.split_whitespace().nth(1).unwrap().parse().unwrap())
}

#[test]
fn programs_and_memory_of_an_audit_grow_with_the_datasets_and_no_faster() {
    let (few, many) = (64, 256);
    let ((programs, memory), (more_programs, more_memory)) = (audit(few), audit(many));
    // Each copy gets a record of properties; 64 datasets are listed together, on both sides.
    assert!(programs >= few + 2 * few / 64, "{programs}");
    assert!(more_programs <= 4 * programs, "{programs} to {more_programs} programs");
    // Both histories of a dataset take 25 KiB: none of them is kept.
    let each = more_memory.saturating_sub(memory) / (many - few) as u64;
    assert!(each < 10, "{memory} to {more_memory} KiB, {each} for each dataset");
}
