//! What wrong usage gets: one clear error, exit code 2, nothing started.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SPEC: &str = r#"{ "version": 1, "name": "home",
  "archivers": { "nas": { "provider": { "type": "static", "address": "192.0.2.1" }, "pool": { "name": "tank" } } },
  "hosts": { "desktop": { "replications": {
    "safe": { "archiver": "nas", "source": "rpool/safe", "target": "tank/desktop/safe" } } } } }"#;

/// A folder with a spec, and a `zfs` that betrays that it was started.
fn folder(spec: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dormouse.json"), spec).unwrap();
    let zfs = folder.path().join("zfs");
    std::fs::write(&zfs, "#!/bin/sh\ntouch \"$0.started\"\nexit 1\n").unwrap();
    std::fs::set_permissions(&zfs, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

fn dormouse(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    command
        .current_dir(folder)
        .env("PATH", path)
        .env("RUNTIME_DIRECTORY", folder.join("run"))
        .env("STATE_DIRECTORY", folder.join("state"))
        .args(arguments);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn started(folder: &Path) -> PathBuf {
    folder.join("zfs.started")
}

/// The SDK has several TLS clients among its features, of which one must be there.
#[test]
fn ec2_is_spoken_to_by_tls() {
    let spec = SPEC.replace(
        r#"{ "type": "static", "address": "192.0.2.1" }, "pool""#,
        r#"{ "type": "ec2", "region": "us-west-2", "availability_zone": "us-west-2a", "image": { "nixos": "26.05" } },
            "volume": { "size_gib": 125 }, "pool""#,
    );
    let folder = folder(&spec);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command
        .current_dir(folder.path())
        .env("RUNTIME_DIRECTORY", folder.path().join("run"))
        .env("STATE_DIRECTORY", folder.path().join("state"))
        .envs([
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "A"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ])
        .args(["--host", "desktop", "sleep", "nas"]);
    let mut running = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => panic!("nobody came: {error}"),
        }
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut first = [0; 2];
    stream.read_exact(&mut first).unwrap();
    // A record of a handshake, of TLS 1.x (RFC 8446, section 5.1).
    assert_eq!(first, [22, 3]);
    running.kill().unwrap();
    running.wait().unwrap();
}

#[test]
fn wrong_usage_is_refused_before_anything_starts() {
    let missing = ["--spec", "none.json", "--host", "desktop", "replicate"];
    let cases: [(&str, &[&str], &str); 6] = [
        (SPEC, &missing, "dormouse-generate init"),
        (SPEC, &["--host", "laptop", "replicate"], "has no host \"laptop\"; it has: desktop"),
        (SPEC, &["--host", "desktop", "replicate", "unsafe"], "no replication \"unsafe\"; it has: safe"),
        ("{", &["--host", "desktop", "replicate"], "dormouse.json"),
        ("{\"version\": 2}", &["--host", "desktop", "plan"], "version"),
        (SPEC, &["--host", "desktop", "restore-everything"], "unrecognized subcommand"),
    ];
    for (spec, arguments, text) in cases {
        let folder = folder(spec);
        let (code, stdout, stderr) = dormouse(folder.path(), arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
        assert!(stdout.is_empty() && !started(folder.path()).exists());
    }
}

#[test]
fn a_listing_that_fails_ends_the_run_without_a_connection() {
    let folder = folder(SPEC);
    let (code, _, stderr) = dormouse(folder.path(), &["--host", "desktop", "replicate"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("cannot list \"rpool/safe\" on this host") && stderr.contains("nothing was sent"),
        "{stderr}"
    );
    // The control for the test above: it would have noticed.
    assert!(started(folder.path()).exists());
}

#[test]
fn errors_are_documents_for_machines() {
    let folder = folder(SPEC);
    let (code, stdout, _) = dormouse(folder.path(), &["--json", "--host", "laptop", "status"]);
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, document["exit"].as_i64()), (2, Some(2)));
    assert!(document["help"].as_str().unwrap().contains("--host"));
}

#[test]
fn packagers_get_a_page_for_every_command_without_a_spec() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = dormouse(folder.path(), &["share", "share"]);
    assert_eq!(code, 0, "{stderr}");
    let (_, help, _) = dormouse(folder.path(), &["--help"]);
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: Vec<_> = listed.map_while(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"replicate") && !commands.contains(&"share"), "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        let page = folder.path().join(format!("share/man/man1/dormouse-{command}.1"));
        assert!(std::fs::read_to_string(page).unwrap().contains(command));
    }
}
