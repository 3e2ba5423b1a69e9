//! A host on which `dormouse` is run.

#![allow(dead_code, reason = "each test file uses a part")]

use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// What systemd calls a run of its own.
pub const INVOCATION: &str = "0123456789abcdef0123456789abcdef";

/// A host whose `zfs` fails, or never ends.
pub struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    pub fn new(report: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = json!({
            "version": 1, "name": "home",
            "archivers": { "nas": { "provider": { "type": "static", "address": "192.0.2.1" }, "pool": { "name": "tank" } } },
            "hosts": { "desktop": {
                "replications": { "safe": { "archiver": "nas", "source": "rpool/safe", "target": "tank/desktop/safe" } },
                "report": report,
            } },
        });
        std::fs::write(folder.path().join("dormouse.json"), spec.to_string()).unwrap();
        let host = Self { folder };
        host.zfs("exit 1");
        host
    }

    pub fn with_webhook(url: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let host = Self::new(&json!({ "webhook": { "url_file": file.path() } }));
        std::fs::write(host.path("url"), url).unwrap();
        let spec = std::fs::read_to_string(host.path("dormouse.json")).unwrap();
        let spec = spec.replace(file.path().to_str().unwrap(), host.path("url").to_str().unwrap());
        std::fs::write(host.path("dormouse.json"), spec).unwrap();
        host
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn zfs(&self, script: &str) {
        // Another process writes it: a test beside this one that forks meanwhile would hold it open, and
        // whoever runs it then is told "Text file busy" (execve(2)).
        let text = format!("#!/bin/sh\ntouch \"$0.started\"\n{script}\n");
        let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""];
        let written = Command::new("sh").args(write).arg(self.path("zfs")).arg(text).status().unwrap();
        assert!(written.success());
    }

    pub fn dormouse(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .env("STATE_DIRECTORY", self.path("state"))
            .env_remove("INVOCATION_ID")
            .env_remove("SYSTEMD_EXEC_PID")
            .args(["--host", "desktop"])
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.dormouse(arguments).output().unwrap()
    }

    /// As systemd runs ExecStopPost= after this end.
    pub fn exec_stop_post(&self, end: [&str; 3]) -> Output {
        let mut command = self.dormouse(&["report", "safe"]);
        for (name, value) in ["SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"].iter().zip(end) {
            command.env(name, value);
        }
        command.env("INVOCATION_ID", INVOCATION).output().unwrap()
    }

    /// A service whose `zfs` does not end, once that has started.
    pub fn start_service(&self) -> Child {
        self.zfs("exec sleep 600");
        let child = self.start(&[("INVOCATION_ID", INVOCATION)]);
        self.wait_for("zfs.started");
        child
    }

    pub fn start(&self, variables: &[(&str, &str)]) -> Child {
        let mut command = self.dormouse(&["replicate", "safe"]);
        command.envs(variables.iter().copied()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn wait_for(&self, name: &str) {
        while !self.path(name).exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    pub fn events(&self, folder: &str) -> Vec<Value> {
        let entries = std::fs::read_dir(self.path("state/reports/home").join(folder)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
