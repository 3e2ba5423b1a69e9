//! Attacks of a compromised host on its gate: time, the journal, and clones of other hosts' snapshots.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{TARGETS, ask, folder, line};

/// Exit code of a command that waited for one of the other kind in vain.
const TRY_AGAIN: i32 = 75;

/// A program that stands for one of the archiver.
fn program(folder: &Path, name: &str, does: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/bash\n{does}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Does not let commands wait for each other for long.
fn impatient(folder: &Path) {
    let gate = fs::read_to_string(folder.join("gate")).unwrap();
    assert!(gate.contains("patience=20\n"));
    fs::write(folder.join("gate"), gate.replace("patience=20\n", "patience=1\n")).unwrap();
}

/// A session that goes on by itself.
fn begin(folder: &Path, asked: &str) -> Child {
    Command::new("/bin/bash")
        .arg(folder.join("gate"))
        .arg("home")
        .args(TARGETS)
        .env("SSH_ORIGINAL_COMMAND", asked)
        .env("PATH", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(file: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !file.exists() {
        assert!(Instant::now() < deadline, "{} did not appear", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Command lines of about `size` bytes that took time which grew with their square.
fn heavy(size: usize) -> [String; 5] {
    let many = |part: &str| part.repeat(size / part.len());
    [
        format!("zfs list {}", many("a ")),
        format!("zfs list {}", many("''")),
        format!("zfs list {}", many("\"\"a")),
        format!("zfs list '{}'", many("a")),
        format!("cat {}", many("&& cat ")),
    ]
}

#[test]
fn the_time_for_a_command_grows_no_faster_than_its_length() {
    let folder = folder();
    program(folder.path(), "cat", "exit 1");
    let seconds = |asked: &str| {
        let began = Instant::now();
        ask(folder.path(), asked);
        began.elapsed().as_secs_f64()
    };
    for (short, long) in heavy(13_000).iter().zip(&heavy(104_000)) {
        // A start of bash is the same for both, so the ratio is below 8 where the rest is linear.
        let (short, long) = (seconds(short).min(seconds(short)), seconds(long));
        assert!(long < 20.0 * short.max(0.05), "{short} s, then {long} s");
    }
}

#[test]
fn a_command_that_is_longer_than_any_host_needs_is_refused_unread() {
    let folder = folder();
    let words = "vault/home/safe@a ".repeat(110_000 / 18);
    for asked in [
        format!("zfs list {words} vault/home/safe"),
        format!("zfs list vault/home/safe@{}", "a".repeat(20_000)),
        format!("zfs list {}", "vault/home/safe@a ".repeat(1_500)),
    ] {
        let (output, started) = ask(folder.path(), &asked);
        assert_eq!(output.status.code(), Some(126), "{} bytes", asked.len());
        assert!(started.is_empty() && output.stderr.len() < 2_000, "{} bytes", output.stderr.len());
    }
    // The control: as much as a host says at once, and as long a word.
    let most: Vec<String> = (0..200).map(|n| format!("vault/home/safe@{n:0>239}")).collect();
    let list = [["zfs".to_owned(), "list".to_owned()].to_vec(), most].concat();
    assert!(ask(folder.path(), &line(&[list]).unwrap()).0.status.success());
    let record = format!("dormouse:properties={}", "x".repeat(8_191));
    let set = ["zfs", "set", &record, "vault/home/safe"].map(str::to_owned).to_vec();
    let sets = vec![set; 7];
    assert_eq!(ask(folder.path(), &line(&sets).unwrap()).1, sets);
}

#[test]
fn no_command_forges_an_entry_of_the_journal() {
    let folder = folder();
    let journal = folder.path().join("journal");
    program(folder.path(), "systemd-cat", "shift; [ \"$1\" = echo ]; shift; printf '%s\\n' \"$*\" >>journal");
    let forged = "rm x\nrefused: nothing\r\n\x1b[2J\u{e9} \u{2028} $(id) 'x' \\";
    ask(folder.path(), forged);
    ask(folder.path(), &format!("rm {}\n", "x".repeat(90_000)));
    let entries = fs::read(journal).unwrap();
    assert!(entries.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{entries:?}");
    let lines: Vec<&str> = std::str::from_utf8(&entries).unwrap().lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|entry| entry.starts_with("refused: ")), "{lines:?}");
    assert!(lines[1].len() < 1_100 && lines[1].contains("rm xxx"), "{}", lines[1].len());
}

/// A `zfs` whose listing of origins is the file `origins`, and whose receive of a clone adds to it.
const CLONING: &str = r#"
printf '%s\n' "$*" >>started
case "$1" in
  list) cat <origins || true ;;
  rec*) printf 'vault/home/safe/steal\tvault/other/data@s\n' >>origins ;;
esac
"#;

/// The folder of a gate whose `zfs` is [`CLONING`].
fn cloning() -> tempfile::TempDir {
    let folder = folder();
    fs::write(folder.path().join("origins"), "vault/home/safe\t-\n").unwrap();
    fs::remove_file(folder.path().join("cat")).unwrap();
    std::os::unix::fs::symlink(super::which("cat"), folder.path().join("cat")).unwrap();
    program(folder.path(), "zfs", CLONING);
    folder
}

fn has_sent(folder: &Path) -> bool {
    fs::read_to_string(folder.join("started")).unwrap().lines().any(|line| line.starts_with("send"))
}

#[test]
fn nothing_is_sent_while_a_copy_is_a_clone_of_another_hosts_snapshot() {
    let folder = cloning();
    let sends = [
        "zfs send vault/home/safe/steal@n",
        "zfs send vault/home/safe@n",
        "zfs send -i vault/home/safe@m vault/home/safe@n",
        "zfs send -t 1-abc",
        "zfs list vault/home/safe && zfs send -L -c -w vault/home/safe@n",
    ];
    for origins in ["vault/home/safe\t-\n", "vault/home/safe/b\tvault/home/safe/a@s\n", ""] {
        fs::write(folder.path().join("origins"), origins).unwrap();
        for asked in sends {
            let (output, _) = ask(folder.path(), asked);
            assert!(output.status.success() && has_sent(folder.path()), "{asked}: {output:?}");
        }
    }
    for origin in ["vault/other/data@s", "vault/home/safer@s", "vault/home@s", "other/data@s", "%"] {
        let row = format!("vault/home/safe\t-\nvault/home/mail box/x\t{origin}\n");
        fs::write(folder.path().join("origins"), row).unwrap();
        for asked in sends {
            let (output, _) = ask(folder.path(), asked);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!has_sent(folder.path()) && output.status.code() == Some(126), "{asked}: {output:?}");
            assert!(said.starts_with("cannot send: vault/home/mail box/x is a clone"), "{said}");
            assert!(!said.contains(origin), "{said}");
        }
    }
}

#[test]
fn origins_that_cannot_be_listed_are_not_taken_for_none() {
    let folder = folder();
    for (says, sends) in [
        ("cannot open 'vault/home/mail box': dataset does not exist", true),
        ("cannot open 'vault/home/safe': dataset does not exist", false),
        ("internal error: out of memory", false),
    ] {
        let fails = format!(
            "printf '%s\\n' \"$*\" >>started; [ \"$1\" != list ] || [[ $* != *'mail box' ]] || {{ echo \"{says}\" >&2; exit 1; }}"
        );
        program(folder.path(), "zfs", &fails);
        let (output, _) = ask(folder.path(), "zfs send vault/home/safe@n");
        assert_eq!((output.status.success(), has_sent(folder.path())), (sends, sends), "{says}: {output:?}");
    }
}

#[test]
fn a_clone_that_arrives_in_one_line_with_a_send_is_seen() {
    for asked in [
        "zfs receive -s -u vault/home/safe/steal && zfs send vault/home/safe/steal@n",
        "zfs send vault/home/safe@n && zfs recv vault/home/safe/steal && zfs send vault/home/safe/steal@n",
    ] {
        let folder = cloning();
        impatient(folder.path());
        let (output, _) = ask(folder.path(), asked);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(126) && said.contains("vault/home/safe/steal is a clone"),
            "{said}"
        );
        let started = fs::read_to_string(folder.path().join("started")).unwrap();
        assert!(!started.contains("send vault/home/safe/steal@n"), "{started}");
    }
}

/// A `zfs` that says when it begins, and ends when its stdin does.
const LASTING: &str = r#"
if [ "$1" != list ]; then : >"begun-$1-$2"; while read -r _; do :; done; fi
"#;

#[test]
fn a_send_waits_for_a_receive_of_the_same_host_and_a_receive_for_a_send() {
    let (receive, send) = ("zfs receive vault/home/safe/a", "zfs send vault/home/safe@n");
    for (first, begun, second, says) in [
        (receive, "begun-receive-vault", send, "a backup is running for this host"),
        (send, "begun-send-vault", receive, "a restore is running for this host"),
    ] {
        let folder = folder();
        impatient(folder.path());
        program(folder.path(), "zfs", &LASTING.replace("$1-$2", "$1-${2%%/*}"));
        let mut session = begin(folder.path(), first);
        wait_for(&folder.path().join(begun));
        let (output, _) = ask(folder.path(), second);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(TRY_AGAIN) && said.starts_with(says), "{second}: {said}");
        // One of its own kind, and a dry run, do not wait.
        for beside in [first, "zfs send -n -P vault/home/safe@n", "zfs list vault/home/safe"] {
            assert!(ask(folder.path(), beside).0.status.success(), "{beside}");
        }
        // It ends, and so does the lock.
        drop(session.stdin.take());
        assert!(session.wait().unwrap().success());
        assert!(ask(folder.path(), second).0.status.success());
    }
}

#[test]
fn a_session_that_is_killed_leaves_no_lock() {
    let folder = folder();
    impatient(folder.path());
    program(folder.path(), "zfs", &LASTING.replace("$1-$2", "$1"));
    let mut session = begin(folder.path(), "zfs receive vault/home/safe/a");
    wait_for(&folder.path().join("begun-receive"));
    session.kill().unwrap();
    // zfs lives until its stream ends, and no send may begin before.
    assert_eq!(ask(folder.path(), "zfs send vault/home/safe@n").0.status.code(), Some(TRY_AGAIN));
    drop(session.stdin.take());
    session.wait().unwrap();
    assert!(ask(folder.path(), "zfs send vault/home/safe@n").0.status.success());
}

#[test]
fn of_many_sessions_that_come_at_once_none_refuses_another_for_ever() {
    let folder = folder();
    let zfs = "case \"$1\" in list) exit ;; receive) other=send ;; *) other=receive ;; esac\n\
               : >\"now-$1-$$\"; sleep 0.05\n\
               for file in now-$other-*; do [ ! -e \"$file\" ] || echo \"$1 beside $file\" >>overlap; done\n\
               rm \"now-$1-$$\"";
    fs::remove_file(folder.path().join("rm")).unwrap();
    std::os::unix::fs::symlink(super::which("rm"), folder.path().join("rm")).unwrap();
    program(folder.path(), "zfs", zfs);
    let asked = |n: usize| match n % 2 {
        0 => "zfs receive vault/home/safe/a",
        _ => "zfs send vault/home/safe@n",
    };
    let sessions: Vec<Child> = (0..10).map(|n| begin(folder.path(), asked(n))).collect();
    for mut session in sessions {
        assert!(session.wait().unwrap().success());
    }
    assert!(
        !folder.path().join("overlap").exists(),
        "{:?}",
        fs::read_to_string(folder.path().join("overlap"))
    );
}
