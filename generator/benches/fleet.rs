//! How long 1,000 hosts on 50 archivers take. The program has one thread, so this is one core.
//!
//! `cargo bench -p dormouse-generator`

#![allow(clippy::unwrap_used)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dormouse_generator::secret::Seed;
use dormouse_generator::{Keyring, Spec, generate};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const ARCHIVERS: usize = 50;
const HOSTS: usize = 1_000;

/// Each time is the best of so many.
const ROUNDS: usize = 5;

fn spec() -> String {
    let archiver = |number: usize| {
        let value = json!({
            "provider": { "type": "ec2", "region": "us-west-2", "availability_zone": "us-west-2a",
                          "image": { "nixos": "26.05" } },
            "volume": { "type": "sc1", "size_gib": 500 },
            "pool": { "name": "archive" }
        });
        (format!("archiver-{number:02}"), value)
    };
    let host = |number: usize| {
        let replication = json!({
            "archiver": format!("archiver-{:02}", number % ARCHIVERS), "source": "rpool/safe",
            "target": format!("archive/host-{number:04}/safe")
        });
        (format!("host-{number:04}"), json!({ "replications": { "safe": replication } }))
    };
    let archivers: Map<String, Value> = (0..ARCHIVERS).map(archiver).collect();
    let hosts: Map<String, Value> = (0..HOSTS).map(host).collect();
    let spec = json!({ "version": 1, "name": "bench", "archivers": archivers, "hosts": hosts });
    serde_json::to_string_pretty(&spec).unwrap()
}

fn best(mut each: impl FnMut() -> Duration) -> Duration {
    (0..ROUNDS).map(|_| each()).min().unwrap()
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn run(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse-generate"));
    command
        .args(["--spec", "spec", "--seed", "seed", "--out", "out", "--secrets", "secrets"])
        .args(arguments);
    assert!(
        command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    );
}

fn main() {
    let text = spec();
    let keyring = || Keyring::Seed(Seed::new([7; Seed::BYTES]));
    let parse = || Spec::parse("spec", text.as_bytes()).unwrap().spec;
    let parsed = parse();
    let count = generate(&parsed, &keyring()).unwrap().len();
    println!(
        "{HOSTS} hosts, {ARCHIVERS} archivers, {} bytes of spec, {count} files; best of {ROUNDS}",
        text.len()
    );
    let print = |what: &str, time: Duration| println!("{what:<44}{:>7.1} ms", time.as_secs_f64() * 1_000.0);
    print("parse and validate", best(|| timed(|| drop(black_box(parse())))));
    print("generate", best(|| timed(|| drop(black_box(generate(&parsed, &keyring()))))));

    // A folder for each round: ext4 is slow to give out inodes that were deleted just before.
    let folders: Vec<TempDir> = (0..ROUNDS).map(|_| tempfile::tempdir().unwrap()).collect();
    for folder in folders.iter().map(TempDir::path) {
        fs::write(folder.join("spec"), &text).unwrap();
        fs::write(folder.join("seed"), "07".repeat(Seed::BYTES) + "\n").unwrap();
        fs::set_permissions(folder.join("seed"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }
    let in_each = |arguments: &[&str]| {
        let mut folders = folders.iter();
        best(|| timed(|| run(folders.next().unwrap().path(), arguments)))
    };
    print("whole program, nothing there yet", in_each(&[]));
    print("whole program, nothing changed", in_each(&[]));
    print("whole program, --check", in_each(&["--check"]));
    for folder in &folders {
        let changed = text.replacen("\"pool\":", "\"linger\": \"3m\", \"pool\":", 1);
        fs::write(folder.path().join("spec"), changed).unwrap();
    }
    print("whole program, one archiver changed", in_each(&[]));
}
