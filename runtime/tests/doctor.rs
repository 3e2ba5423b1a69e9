//! Each thing that a newcomer gets wrong is found, with what to do, and nothing else is.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use dormouse_generator::secret::Seed;
use dormouse_generator::{Contents, Keyring, Spec, generate};
use serde_json::{Value, json};
use support::Service;

/// A host on which everything is right, but for its archiver: nobody answers there.
struct Host {
    folder: tempfile::TempDir,
}

/// What these programs print when all is well.
const PROGRAMS: [(&str, &str); 6] = [
    (
        "zfs",
        "case $1 in version) echo zfs-2.3.9; echo zfs-kmod-2.3.9;; list) echo rpool/safe;; allow) cat \"$0.allow\";; esac",
    ),
    ("id", "case $1 in -un) echo backup;; -Gn) echo backup;; esac"),
    (
        "ssh",
        "case $1 in -V) ;; -G) echo \"hostkeyalias $2.home.dormouse\";; *) echo 'Connection refused' >&2; exit 255;; esac",
    ),
    ("timedatectl", "echo yes"),
    ("systemctl", "echo LoadState=loaded; echo ActiveState=inactive; echo Result=success"),
    ("notifier", "true"),
];

impl Host {
    fn new(report: impl FnOnce(&Path) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let report = report(folder.path());
        let host = Self { folder };
        let spec = json!({
            "version": 1, "name": "home",
            "archivers": { "nas": { "provider": { "type": "static", "address": "192.0.2.1" }, "pool": { "name": "tank" } } },
            "hosts": { "desktop": {
                "replications": { "safe": { "archiver": "nas", "source": "rpool/safe", "target": "tank/desktop/safe" } },
                "report": report,
            } },
        })
        .to_string();
        host.write("dormouse.json", &spec, 0o644);
        let spec = Spec::parse("dormouse.json", spec.as_bytes()).unwrap().spec;
        for artifact in generate(&spec, &Keyring::Seed(Seed::new([7; 32]))).unwrap() {
            match &artifact.contents {
                Contents::Public(text) => host.write(&format!("generated/{}", artifact.path), text, 0o644),
                Contents::Secret(secret) => {
                    let text = String::from_utf8(secret.expose().to_vec()).unwrap();
                    host.write(&format!("secrets/{}", artifact.path), &text, 0o600);
                }
            }
        }
        for (name, script) in PROGRAMS {
            host.program(name, script);
        }
        host.write(
            "bin/zfs.allow",
            "Local+Descendent permissions:\n\tuser backup bookmark,destroy,hold,release,send,userprop\n",
            0o644,
        );
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"), 0o755);
    }

    fn doctor(&self) -> (i32, Vec<Value>) {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_dormouse"))
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .env("STATE_DIRECTORY", self.path("state"))
            .args(["--host", "desktop", "--secrets", "secrets", "--json", "doctor"])
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), document["findings"].as_array().unwrap().clone())
    }

    /// What is to be mended, besides the archiver.
    fn bad(&self) -> Vec<String> {
        let (code, findings) = self.doctor();
        assert_eq!(code, 1, "nobody answers at 192.0.2.1");
        let bad = |finding: &&Value| finding["state"] == "bad" && finding["check"] != "nas";
        let words =
            |finding: &Value| format!("{}: {}: {}", finding["check"], finding["detail"], finding["fix"]);
        findings.iter().filter(bad).map(words).collect()
    }
}

fn plain(_: &Path) -> Value {
    json!({ "command": ["notifier"] })
}

#[test]
fn where_all_is_well_only_the_archiver_that_does_not_answer_is_found() {
    let host = Host::new(plain);
    assert_eq!(host.bad(), [""; 0]);
    let (_, findings) = host.doctor();
    let nas = findings.iter().find(|finding| finding["check"] == "nas").unwrap();
    assert!(nas["detail"].as_str().unwrap().contains("cannot be reached"), "{nas}");
    let checks: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    let first = ["spec", "zfs", "source of safe"];
    assert_eq!(checks[..3], first, "what others depend on comes first");
}

#[test]
fn a_right_that_is_missing_is_named_with_the_command_that_gives_it() {
    let host = Host::new(plain);
    host.write(
        "bin/zfs.allow",
        "Local permissions:\n\tuser backup bookmark,hold,release,send,userprop\n",
        0o644,
    );
    let bad = host.bad();
    assert!(bad.len() == 1 && bad[0].contains("zfs allow -u backup destroy rpool/safe"), "{bad:?}");
}

type Break = fn(&Host);

#[test]
fn each_mistake_is_found_and_has_its_fix() {
    let mistakes: [(Break, &str, &str); 13] = [
        (
            |host| host.program("zfs", "echo 'The ZFS modules are not loaded.' >&2; exit 1"),
            "modules are not loaded",
            "modprobe zfs",
        ),
        (
            |host| {
                host.program("zfs", "case $1 in version) echo zfs-2.3.9;; *) echo \"cannot open 'rpool/safe': dataset does not exist\" >&2; exit 1;; esac")
            },
            "dataset does not exist",
            "mend `source` of safe",
        ),
        (
            |host| std::fs::remove_dir_all(host.path("generated")).unwrap(),
            "are not what the spec says",
            "dormouse-generate",
        ),
        (|host| host.write("generated/known_hosts", "", 0o644), "known_hosts", "dormouse-generate"),
        (
            |host| std::fs::remove_file(host.path("secrets/hosts/desktop/id_ed25519")).unwrap(),
            "No such file",
            "dormouse-generate",
        ),
        (
            |host| {
                let key = host.path("secrets/hosts/desktop/id_ed25519");
                std::fs::set_permissions(key, PermissionsExt::from_mode(0o644)).unwrap();
            },
            "others may read",
            "chmod 600",
        ),
        (
            |host| host.write("secrets/hosts/desktop/id_ed25519", "no key", 0o600),
            "id_ed25519",
            "bring this host's key",
        ),
        (
            |host| {
                let other = host.path("secrets/archivers/nas/ssh_host_ed25519_key");
                std::fs::copy(other, host.path("secrets/hosts/desktop/id_ed25519")).unwrap();
            },
            "not the half of the public key",
            "bring this host's key",
        ),
        (|host| host.program("ssh", "exit 1"), "ssh", "install OpenSSH"),
        (|host| host.program("timedatectl", "echo no"), "not synchronized", "set-ntp"),
        (
            |host| host.program("systemctl", "echo LoadState=not-found"),
            "is not there",
            "dormouse replicate safe",
        ),
        (
            |host| {
                host.program(
                    "systemctl",
                    "echo LoadState=loaded; echo ActiveState=failed; echo Result=oom-kill",
                )
            },
            "oom-kill",
            "journalctl -u dormouse@safe.service",
        ),
        (
            |host| std::fs::remove_file(host.path("bin/notifier")).unwrap(),
            "notifier",
            "run the command by hand",
        ),
    ];
    for (make, detail, fix) in mistakes {
        let host = Host::new(plain);
        make(&host);
        let bad = host.bad();
        let [found] = bad.as_slice() else { panic!("{detail}: {bad:?}") };
        assert!(found.contains(detail) && found.contains(fix), "{found}");
    }
}

#[test]
fn services_are_asked_without_telling_them_anything() {
    let service = Service::new(|request| match request.path.as_str() {
        "/1/auth" if request.headers["x-honeycomb-team"] == "sesame" => (200, "{}".to_owned()),
        "/v1/traces" => (200, "{}".to_owned()),
        "/" => (404, String::new()),
        _ => (400, "not a question".to_owned()),
    });
    let host = Host::new(|folder| {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        std::fs::create_dir(folder.join("text")).unwrap();
        json!({
            "honeycomb": { "dataset": "zfs", "api_key_file": file("key", "sesame"), "api_host": service.url },
            "otlp": { "endpoint": service.url },
            "ping": { "url_file": file("ping", &format!("{}/uuid/{{replication}}", service.url)) },
            "webhook": { "url_file": file("hook", &format!("{}?token=sesame", service.url)) },
            "prometheus": { "textfile_dir": folder.join("text") },
        })
    });
    assert_eq!(host.bad(), [""; 0]);
    let asked: Vec<String> = service
        .requests()
        .iter()
        .map(|request| format!("{} {} {}", request.method, request.path, request.body))
        .collect();
    assert_eq!(asked, ["GET / ", "GET /1/auth ", "POST /v1/traces {\"resourceSpans\":[]}", "GET / "]);
    assert_eq!(std::fs::read_dir(host.path("text")).unwrap().count(), 0, "nothing stays there");
    host.write("key", "wrong", 0o600);
    host.write("hook", "http://127.0.0.1:1/sesame", 0o600);
    std::fs::remove_dir(host.path("text")).unwrap();
    let bad = host.bad();
    assert_eq!(bad.len(), 3, "{bad:?}");
    assert!(bad[0].contains("prometheus") && bad[0].contains("make the folder"), "{bad:?}");
    assert!(bad[1].contains("honeycomb") && bad[2].contains("webhook"), "{bad:?}");
    assert!(!bad.concat().contains("sesame"), "{bad:?}");
}
