//! The program that a host's key is confined to takes all that a host says, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod fuzzed;
#[path = "../../generator/tests/support/fuzz.rs"]
mod random;
mod thefts;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dormouse::ssh::{PACK, line, packed_line};
use dormouse::zfs::argv::Make;
use dormouse::zfs::plan::{Base, Stream};
use dormouse::zfs::properties::Record;
use dormouse::zfs::{Guid, Kind, Snapshot, argv, listing};
use dormouse_generator::name::DatasetName;

use thefts::THEFT;

const POOL: &str = "vault";
const TARGETS: [&str; 2] = ["vault/home/safe", "vault/home/mail box"];

/// What the gate uses itself.
const TOOLS: [&str; 2] = ["flock", "sleep"];

/// All programs that it could start; each writes down how it was started.
const PROGRAMS: [&str; 8] = ["zfs", "zpool", "systemctl", "systemd-escape", "loginctl", "pkill", "cat", "rm"];

/// The template's text for an archiver on EC2 or for a static one: it has one hole, and conditions.
fn gate(is_ec2: bool) -> String {
    let mut shown = vec![true];
    let mut text = String::new();
    for line in include_str!("../../templates/gate.sh.j2").lines() {
        match line {
            "{% if is_ec2 %}" => shown.push(is_ec2),
            "{% else %}" => shown = vec![true, !is_ec2],
            "{% endif %}" => shown.truncate(1),
            _ if *shown.last().unwrap() => text.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    assert!(!text.contains("{%"), "a condition that this test does not know");
    text.replace("{{ pool | shell }}", POOL)
}

/// The gate as [`gate`] gives it, with its locks in this folder.
fn gate_in(folder: &Path, is_ec2: bool) -> String {
    gate(is_ec2).replace("/run/dormouse-gate/$(id -un)", folder.to_str().unwrap())
}

/// A folder with the gate of an archiver on EC2, and with programs that stand for those there.
fn folder() -> tempfile::TempDir {
    folder_of(true)
}

/// The same for an archiver on EC2, and for a static one.
fn folders() -> [tempfile::TempDir; 2] {
    [true, false].map(folder_of)
}

fn folder_of(is_ec2: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("locks")).unwrap();
    fs::write(path("gate"), gate_in(&path("locks"), is_ec2)).unwrap();
    for tool in TOOLS {
        std::os::unix::fs::symlink(which(tool), path(tool)).unwrap();
    }
    let started = path("started");
    for name in PROGRAMS {
        let text = format!(
            "#!/bin/bash\n{{ printf '%s' '{name}'; for word; do printf '\\037%s' \"$word\"; done; echo; }} >>'{}'\n",
            started.display()
        );
        fs::write(path(name), text).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(path("systemd-cat"), "#!/bin/bash\n").unwrap();
    fs::set_permissions(path("systemd-cat"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What a host says over ssh, what comes of it, and the commands that were started for it.
fn ask(folder: &Path, asked: &str) -> (Output, Vec<Vec<String>>) {
    say(folder, asked, b"")
}

/// The same, with what the host sends them.
fn say(folder: &Path, asked: &str, sent: &[u8]) -> (Output, Vec<Vec<String>>) {
    let started = folder.join("started");
    fs::write(&started, "").unwrap();
    let mut gate = Command::new("/bin/bash")
        .arg(folder.join("gate"))
        .arg("home")
        .args(TARGETS)
        .env("SSH_ORIGINAL_COMMAND", asked)
        .env("PATH", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses does not read.
    let _ = gate.stdin.take().unwrap().write_all(sent);
    let output = gate.wait_with_output().unwrap();
    let text = fs::read_to_string(&started).unwrap();
    let split = |line: &str| line.split('\x1f').map(str::to_owned).collect();
    (output, text.lines().map(split).collect())
}

fn dataset(name: &str) -> DatasetName {
    DatasetName::new(name).unwrap()
}

fn snapshot(name: &str) -> Snapshot {
    Snapshot { name: name.to_owned(), guid: Guid(1), createtxg: 1, creation: 0, holds: 0, size: None }
}

#[test]
fn it_starts_what_a_host_asks_for_word_by_word() {
    let folder = folder();
    let (one, two) = (snapshot("one two"), snapshot("two"));
    let set = "tank/a\tmountpoint\t/srv/it's && \"so\" $(é) \\\ntank/a\tnote:x\ta\tb\n";
    let record = Record::read(set)[&dataset("tank/a")].text().unwrap();
    let mut said = Vec::new();
    for name in ["vault/home/safe", "vault/home/safe/a.b_c:d-e", "vault/home/mail box/in box"] {
        let name = dataset(name);
        said.extend([
            argv::list_datasets(&name, true, &[listing::PASSIVE]),
            argv::list_datasets(&name, false, &[]),
            argv::list_damaged(&name),
            argv::list_snapshots(&name, true),
            argv::list_histories([&name], true),
            argv::list_histories([&name, &dataset("vault/home/safe")], false),
            argv::list_these(&[format!("{name}@one two"), format!("{name}@two")]),
            argv::create_placeholder(&name, PASSIVE),
            argv::create_placeholder(&name, KEYLESS),
            argv::keep_record(&name, &record),
            argv::list_records([&name, &dataset("vault/home/safe")]),
            argv::receive(&name, Kind::Filesystem, PASSIVE),
            argv::receive(&name, Kind::Volume, PASSIVE),
            argv::receive(&name, Kind::Filesystem, KEYLESS),
            argv::receive(&name, Kind::Volume, Make::default()),
            argv::abandon(&name),
            argv::send(&name, &Stream::Full { to: one.clone() }, true),
            argv::send(&name, &Stream::Step { from: Base::Snapshot(one.clone()), to: two.clone() }, false),
            argv::send(&name, &Stream::Run { from: one.clone(), to: two.clone(), count: 1 }, true),
            argv::estimate(&name, &Stream::Run { from: one.clone(), to: two.clone(), count: 1 }, true),
        ]);
    }
    for above in ["vault", "vault/home"] {
        said.push(argv::list_datasets(&dataset(above), false, &[]));
        said.push(argv::create_placeholder(&dataset(above), Make::default()));
    }
    said.extend([
        argv::list_pool(POOL),
        argv::resume("1-abc-123"),
        argv::inspect_token("1-abc-123"),
        argv::measure(POOL),
        argv::status(POOL),
    ]);
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    said.extend(
        [
            "cat",
            "systemctl poweroff",
            "systemctl show --property=ActiveState --value dormouse-pool.service",
            "systemctl --no-ask-password start dormouse-abandon@dormouse\\x2dhome:vault-home-safe.service",
            "loginctl list-sessions --json=short",
            "systemd-escape --template=dormouse-abandon@.service dormouse-home:vault/home/safe",
        ]
        .map(words),
    );
    said.push(
        ["pkill", "-f", "-x", "zfs receive -s -u vault/home/mail box/a\\.b"].map(str::to_owned).to_vec(),
    );
    for command in &said {
        let (output, started) = ask(folder.path(), &line(std::slice::from_ref(command)).unwrap());
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        // Before a send it looks for clones.
        let looks = |started: &&Vec<String>| started.contains(&"name,origin".to_owned());
        let started: Vec<_> = started.iter().filter(|started| !looks(started)).cloned().collect();
        assert_eq!(started, [without_mounts(command)]);
    }
}

const PASSIVE: Make = Make { passive: true, keyless: false };
const KEYLESS: Make = Make { passive: true, keyless: true };

/// A command as it is started: how a copy is mounted is not for a host to say.
fn without_mounts(command: &[String]) -> Vec<String> {
    let mounts = ["canmount=", "mountpoint", "readonly=", "volmode="];
    let says = |word: &str| mounts.iter().any(|mount| word.starts_with(mount));
    let kept = command.iter().enumerate().filter(|(at, word)| {
        let value =
            command.get(at + 1).is_some_and(|next| matches!(word.as_str(), "-o" | "-x") && says(next));
        !value && !says(word)
    });
    let mut words: Vec<String> = kept.map(|(_, word)| word.clone()).collect();
    // Up to ZFS 2.3 only root may create what would be mounted.
    if command.starts_with(&["zfs".to_owned(), "create".to_owned()]) {
        words.insert(2, "-u".to_owned());
    }
    words
}

#[test]
fn commands_of_one_line_follow_each_other_until_one_fails() {
    let folder = folder();
    let name = dataset("vault/home/mail box");
    let receives =
        [Kind::Filesystem, Kind::Volume, Kind::Filesystem].map(|kind| argv::receive(&name, kind, KEYLESS));
    let (output, started) = ask(folder.path(), &line(&receives).unwrap());
    assert!(
        output.status.success() && started == receives.each_ref().map(|argv| without_mounts(argv)),
        "{output:?}"
    );
    fs::write(folder.path().join("zfs"), "#!/bin/bash\necho zfs >>started; exit 3\n").unwrap();
    let (output, started) = ask(folder.path(), &line(&receives).unwrap());
    assert_eq!((output.status.code(), started.len()), (Some(3), 1));
}

#[test]
fn what_comes_packed_is_unpacked_for_the_commands_that_it_may_start() {
    let folder = folder();
    let name = dataset("vault/home/safe");
    let receives = [Kind::Filesystem, Kind::Volume].map(|kind| argv::receive(&name, kind, PASSIVE));
    let zfs = "#!/bin/bash\nread -r -n 3 -d '' part; echo \"zfs $part\" >>started\n";
    fs::write(folder.path().join("zfs"), zfs).unwrap();
    std::os::unix::fs::symlink(which("zstd"), folder.path().join("zstd")).unwrap();
    let mut packing = Command::new(PACK[0]);
    let mut packing = packing.args(&PACK[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    packing.stdin.take().unwrap().write_all(b"onetwo").unwrap();
    let packed = packing.wait_with_output().unwrap().stdout;
    let (output, started) = say(folder.path(), &packed_line(&receives).unwrap(), &packed);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(started, [["zfs one"], ["zfs two"]]);
    fs::write(folder.path().join("zfs"), "#!/bin/bash\necho zfs >>started; exit 3\n").unwrap();
    let (output, started) = say(folder.path(), &packed_line(&receives).unwrap(), &packed);
    assert_eq!((output.status.code(), started.len()), (Some(3), 1));
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists()).unwrap()
}

#[test]
fn it_refuses_what_a_thief_asks_for_and_starts_nothing() {
    let folders = folders();
    for (folder, asked) in folders.iter().flat_map(|folder| THEFT.iter().map(move |asked| (folder, asked))) {
        let (output, started) = ask(folder.path(), asked);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(started, Vec::<Vec<String>>::new(), "{asked:?}");
        assert_eq!(output.status.code(), Some(126), "{asked:?}: {said}");
        assert!(said.starts_with("permission denied: a host's key does not start: "), "{asked:?}: {said}");
    }
    for folder in &folders {
        // The control: the programs say so when they are started.
        assert_eq!(ask(folder.path(), "cat").1, [["cat"]]);
    }
}

#[test]
fn a_static_archiver_is_not_powered_off_by_its_hosts() {
    let folder = folder_of(false);
    for asked in [
        "systemctl poweroff",
        "loginctl list-sessions --json=short",
        "systemd-escape --template=dormouse-abandon@.service dormouse-home:vault/home/safe",
        "systemctl --no-ask-password start dormouse-abandon@x.service",
    ] {
        let (output, started) = ask(folder.path(), asked);
        assert_eq!((output.status.code(), started.len()), (Some(126), 0), "{asked}");
    }
    // Giving up partial data is left to the rights that root has granted there.
    let abandon = argv::abandon(&dataset("vault/home/safe"));
    assert_eq!(ask(folder.path(), &line(std::slice::from_ref(&abandon)).unwrap()).1, [abandon]);
}

#[test]
fn without_its_directory_for_locks_nothing_is_received_or_sent() {
    for folder in folders() {
        fs::remove_dir_all(folder.path().join("locks")).unwrap();
        for asked in ["zfs receive -s -u vault/home/safe", "zfs send vault/home/safe@n"] {
            let (output, started) = ask(folder.path(), asked);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(1) && started.is_empty(), "{asked}: {said}");
            assert!(said.contains("systemd-tmpfiles --create"), "{said}");
        }
    }
}

#[test]
fn without_a_command_it_shows_the_backups() {
    let (output, started) = ask(folder().path(), "");
    assert!(output.status.success());
    let expected = ["zfs", "list", "-r", "-o", "name,used,logicalused", TARGETS[0], TARGETS[1]];
    assert_eq!(started, [expected]);
}
