//! The archiver's script lets go what `dormouse prune` shows, whatever snapshots there are.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use dormouse::zfs::retention::{COLUMNS, decide};
use dormouse_generator::spec::{Retention, SnapshotClass};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The template's unit, without Nix: its script is all that counts, and it has three holes.
fn script(retention: &Retention) -> String {
    let template = include_str!("../../templates/prune.nix.j2");
    let (_, rest) = template.split_once("script = ''\n").unwrap();
    let (script, _) = rest.split_once("\n    '';").unwrap();
    let array = |value: fn((&SnapshotClass, &u32)) -> u32| -> String {
        retention.iter().map(|each| format!("[{}]={} ", each.0.name(), value(each))).collect()
    };
    let script = between(script, "targets=( ", " )\n", "'vault/home'");
    let script = between(&script, "keep=( ", ")\n", &array(|(_, count)| *count));
    between(&script, "period=( ", ")\n", &array(|(class, _)| class.period())).replace("''$", "$")
}

/// Puts something in the place of what is between two texts.
fn between(text: &str, before: &str, after: &str, new: &str) -> String {
    let (head, rest) = text.split_once(before).unwrap();
    let (_, tail) = rest.split_once(after).unwrap();
    format!("{head}{before}{new}{after}{tail}")
}

/// A `zfs` that lists what it is given and writes down what it should destroy; and a clock.
fn fakes(folder: &Path, now: i64) {
    let listing = folder.join("listing");
    let destroyed = folder.join("destroyed");
    let zfs = format!(
        "#!/bin/sh\ncase \"$*\" in\n\
         'list -H -o name vault/home') ;;\n\
         'list -H -p -r -t snapshot -S createtxg -o {COLUMNS} vault/home') cat {} ;;\n\
         'destroy '*) printf '%s\\n' \"$2\" >>{} ;;\n\
         *) echo \"zfs $*\" >&2; exit 1 ;;\nesac\n",
        listing.display(),
        destroyed.display(),
    );
    fs::write(&destroyed, "").unwrap();
    for (name, text) in [("zfs", zfs), ("date", format!("#!/bin/sh\necho {now}\n"))] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Runs the script: its record as lines, and the snapshots that it destroyed.
fn run(folder: &Path, script: &str) -> (Vec<String>, BTreeSet<String>) {
    let done = Command::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", script])
        .env("RUNTIME_DIRECTORY", folder)
        .env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let record = fs::read_to_string(folder.join("record")).unwrap();
    let destroyed = fs::read_to_string(folder.join("destroyed")).unwrap();
    let destroyed = destroyed.lines().flat_map(|line| {
        let (dataset, names) = line.split_once('@').unwrap();
        names.split(',').map(move |name| format!("{dataset}@{name}"))
    });
    (record.lines().map(str::to_owned).collect(), destroyed.collect())
}

const NOW: i64 = 1_000_000_000;

prop_compose! {
    fn snapshot()(
        dataset in prop::sample::select(vec!["vault/home/a", "vault/home/a/b", "vault/home/with space"]),
        class in prop::sample::select(vec!["frequent", "hourly", "daily", "weekly", "monthly", "other", ""]),
        automatic in prop::bool::weighted(0.9),
        age in prop_oneof![0_i64..10_000, 0_i64..4_000_000],
        holds in prop::sample::select(vec!["0", "0", "0", "1"]),
        clones in prop::sample::select(vec!["", "", "-", "vault/clone"]),
    ) -> (String, String, i64, String) {
        let prefix = if automatic { "zfs-auto-snap_" } else { "mine_" };
        (dataset.to_owned(), format!("{prefix}{class}"), age, format!("{holds}\t{clones}"))
    }
}

fn retention() -> impl Strategy<Value = Retention> {
    prop::collection::btree_map(prop::sample::select(SnapshotClass::all()), 0_u32..4, 0..6)
}

#[test]
fn the_archiver_lets_go_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let cases = (retention(), prop::collection::vec(snapshot(), 0..40));
    runner
        .run(&cases, |(retention, mut snapshots)| {
            snapshots.sort_by_key(|(_, _, age, _)| *age);
            let lines = snapshots.iter().enumerate();
            let listing: String = lines
                .map(|(n, (dataset, name, age, rest))| {
                    format!("{dataset}@{name}-{n}\t{}\t{rest}\n", NOW - age)
                })
                .collect();
            fakes(folder.path(), NOW);
            fs::write(folder.path().join("listing"), &listing).unwrap();
            let (record, destroyed) = run(folder.path(), &script(&retention));
            let verdicts = decide(&listing, &retention, NOW).unwrap();
            let word = |destroy| if destroy { "destroy" } else { "keep" };
            let shown: Vec<String> = verdicts
                .iter()
                .map(|v| format!("{}\t{}\t{}", word(v.destroy), v.snapshot, v.reason))
                .collect();
            prop_assert_eq!(record, shown);
            let expected: BTreeSet<String> =
                verdicts.iter().filter(|v| v.destroy).map(|v| v.snapshot.clone()).collect();
            prop_assert_eq!(&destroyed, &expected);
            // Whatever the spec says, the newest automatic snapshot of each dataset stays.
            let mut newest = BTreeMap::new();
            for verdict in verdicts.iter().filter(|v| v.snapshot.contains("@zfs-auto-snap_")) {
                newest.entry(verdict.snapshot.split('@').next().unwrap()).or_insert(&verdict.snapshot);
            }
            prop_assert!(newest.values().all(|name| !destroyed.contains(*name)));
            Ok(())
        })
        .unwrap();
}

#[test]
fn many_snapshots_go_in_few_commands() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention::from([(SnapshotClass::Frequent, 1)]);
    let listing: String = (0..3_000)
        .map(|n| format!("vault/home@zfs-auto-snap_frequent-{n:06}\t{}\t0\t\n", NOW - 900 * n))
        .collect();
    fakes(folder.path(), NOW);
    fs::write(folder.path().join("listing"), listing).unwrap();
    let (record, destroyed) = run(folder.path(), &script(&retention));
    assert_eq!((record.len(), destroyed.len()), (3_000, 2_999));
    let commands = fs::read_to_string(folder.path().join("destroyed")).unwrap();
    assert!(commands.lines().count() < 10 && commands.lines().all(|line| line.len() < 21_000));
}
