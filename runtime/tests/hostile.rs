//! An archiver that answers with something other than listings.

#![allow(clippy::unwrap_used, clippy::panic)]

mod host;

use std::process::{Command, Output};

use host::{Host, stderr};
use serde_json::json;

/// Stands in for ssh(1): the archiver is on this computer.
const SSH: &str = r##"#!/bin/sh
for last; do :; done
case "$1 $*" in
    "-M "*"ControlPath="*) control=${*#*ControlPath=\"}; touch "${control%%\"*}" ;;
esac
exec sh -c "$last"
"##;

/// One dataset on the host; the archiver's `zfs` runs the script.
fn host(archiver: &str) -> Host {
    let host = Host::new(&json!({}));
    for file in ["generated/known_hosts", "secrets/hosts/desktop/id_ed25519"] {
        std::fs::create_dir_all(host.path(file).parent().unwrap()).unwrap();
        std::fs::write(host.path(file), "").unwrap();
    }
    std::fs::write(host.path("ssh"), SSH).unwrap();
    Command::new("chmod").arg("755").arg(host.path("ssh")).status().unwrap();
    host.zfs(&format!(
        r#"case "$*" in
            *tank*) {archiver} ;;
            *filesystem,volume*) printf 'rpool/safe\tfilesystem\t1\t-\t-\t-\n' ;;
            *) printf 'rpool/safe@monday\t7\t7\t1000000\t0\t1\n' ;;
        esac"#
    ));
    host
}

/// Runs it with 2 GiB of memory, which a program without bounds fills within seconds.
fn ask(host: &Host, arguments: &[&str]) -> Output {
    let dormouse = host.dormouse(arguments);
    let mut bounded = Command::new("sh");
    bounded.args(["-c", "ulimit -v 2097152; exec \"$@\"", "sh"]).arg(dormouse.get_program());
    bounded.args(dormouse.get_args()).arg("--secrets").arg(host.path("secrets"));
    for (name, value) in dormouse.get_envs() {
        value.map(|value| bounded.env(name, value));
    }
    bounded.current_dir(host.path("")).output().unwrap()
}

#[test]
fn an_archiver_that_prints_without_an_end_is_cut_off() {
    for (script, bound) in [
        ("exec tr '\\0' x </dev/zero", "a line longer than 64 KiB"),
        ("exec yes 'tank/desktop/safe	filesystem	1	-	-	on	off	none'", "more than 2 million lines"),
    ] {
        for command in [["snapshots", "rpool/safe"], ["verify", "rpool/safe"]] {
            let output = ask(&host(script), &command);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&format!("was killed: it printed {bound}")), "{said}");
            assert!(said.contains("help: backups are intact; no listing of ZFS is that long"), "{said}");
        }
    }
}

#[test]
fn a_listing_that_breaks_off_is_not_a_complete_one() {
    let tree = "printf 'tank/desktop/safe\\tfilesystem\\t1\\t-\\t-\\ton\\toff\\tnone\\n'";
    let host = host(&format!("case \"$*\" in *snapshot,bookmark*) kill -9 $$ ;; *) {tree} ;; esac"));
    let output = ask(&host, &["snapshots", "rpool/safe"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("cannot list \"tank/desktop/safe\" on archiver \"nas\""), "{output:?}");
}

#[test]
fn no_escape_sequence_of_an_archiver_reaches_the_terminal() {
    let title = r"\033]0;owned\007\033[2J\r\302\2332Jnothing to do";
    for script in [
        format!("printf '{title}' >&2; exit 1"),
        format!("printf 'tank/desktop/safe@{title}\\t1\\t2\\n'"),
        format!("printf 'tank/desktop/safe\\tfilesystem\\t1\\t{title}\\t-\\ton\\toff\\tnone\\n'"),
    ] {
        let host = host(&script);
        for json in [&[][..], &["--json"], &["--log-format", "json"], &["-vv"]] {
            let output = ask(&host, &[&["snapshots", "rpool/safe"], json].concat());
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let said = stderr(&output) + std::str::from_utf8(&output.stdout).unwrap();
            assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
            assert!(said.contains("nothing to do"), "it has come as far as here: {said}");
        }
    }
}
