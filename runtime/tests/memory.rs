//! What a run needs for a tree of a thousand datasets with a thousand snapshots each.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Stands in for zfs(8). The last command of a run notes the most memory that the run has had.
const ZFS: &str = r##"#!/bin/sh
case "$*" in
    set*) grep VmHWM "/proc/$PPID/status" >"$NOTES/memory"; exit ;;
    *filesystem,volume*) script='{ print d "\tfilesystem\t" n "\t-\t-\t-\t-\t1000000\t-" }' ;;
    *bookmark*) script='{ print d "#dormouse_home_nas_" n * 1000 + 1000 "\t" n * 1000 + 1000 "\t" 1000 }' ;;
    *snapshot*) script='{ for (s = 1; s <= 1000; s++)
        print d "@zfs-auto-snap_frequent-2026-11-25-" s "\t" n * 1000 + s "\t" s }' ;;
esac
echo "$*" >>"$NOTES/commands"
exec awk 'BEGIN { for (n = 1; n <= 1000; n++) { d = "tank/safe" (n > 1 ? "/dataset" n : ""); f() } }
    function f() '"$script"
"##;

const SPEC: &str = r#"{ "version": 1, "name": "home",
    "archivers": { "nas": { "provider": { "type": "static", "address": "nas.lan" }, "pool": { "name": "vault" } } },
    "hosts": { "desk": { "replications": {
        "safe": { "archiver": "nas", "source": "tank/safe", "target": "vault/safe" } } } } }"#;

fn install(folder: &Path) {
    fs::write(folder.join("dormouse.json"), SPEC).unwrap();
    fs::write(folder.join("zfs"), ZFS).unwrap();
    fs::set_permissions(folder.join("zfs"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_million_snapshots_need_less_than_64_mib() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let spec = folder.path().join("dormouse.json");
    let mut run = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    run.args(["--host", "desk", "replicate", "--spec"]).arg(&spec);
    run.env("PATH", path).env("NOTES", folder.path()).env("RUNTIME_DIRECTORY", folder.path());
    let output = run.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let commands = fs::read_to_string(folder.path().join("commands")).unwrap();
    assert_eq!(commands.lines().count(), 3, "datasets, bookmarks, snapshots: {commands}");
    let noted = fs::read_to_string(folder.path().join("memory")).unwrap();
    let kib: u64 = noted.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib > 1024 && kib < 64 * 1024, "{noted}");
}
