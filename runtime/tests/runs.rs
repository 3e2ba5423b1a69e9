//! Each run has exactly one event, whatever becomes of it, and reporting never changes its end.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use support::Service;

const INVOCATION: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "sesame-open";

/// A host whose `zfs` fails, or never ends.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new(report: &Value) -> Self {
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

    fn with_webhook(url: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let host = Self::new(&json!({ "webhook": { "url_file": file.path() } }));
        std::fs::write(host.path("url"), url).unwrap();
        let spec = std::fs::read_to_string(host.path("dormouse.json")).unwrap();
        let spec = spec.replace(file.path().to_str().unwrap(), host.path("url").to_str().unwrap());
        std::fs::write(host.path("dormouse.json"), spec).unwrap();
        host
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn zfs(&self, script: &str) {
        // Another process writes it: a test beside this one that forks meanwhile would hold it open, and
        // whoever runs it then is told "Text file busy" (execve(2)).
        let text = format!("#!/bin/sh\ntouch \"$0.started\"\n{script}\n");
        let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""];
        let written = Command::new("sh").args(write).arg(self.path("zfs")).arg(text).status().unwrap();
        assert!(written.success());
    }

    fn dormouse(&self, arguments: &[&str]) -> Command {
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

    fn run(&self, arguments: &[&str]) -> Output {
        self.dormouse(arguments).output().unwrap()
    }

    /// As systemd runs ExecStopPost= after this end.
    fn exec_stop_post(&self, end: [&str; 3]) -> Output {
        let mut command = self.dormouse(&["report", "safe"]);
        for (name, value) in ["SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"].iter().zip(end) {
            command.env(name, value);
        }
        command.env("INVOCATION_ID", INVOCATION).output().unwrap()
    }

    /// A service whose `zfs` does not end, once that has started.
    fn start_service(&self) -> Child {
        self.zfs("exec sleep 600");
        let child = self.start(&[("INVOCATION_ID", INVOCATION)]);
        self.wait_for("zfs.started");
        child
    }

    fn start(&self, variables: &[(&str, &str)]) -> Child {
        let mut command = self.dormouse(&["replicate", "safe"]);
        command.envs(variables.iter().copied()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn wait_for(&self, name: &str) {
        while !self.path(name).exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn events(&self, folder: &str) -> Vec<Value> {
        let entries = std::fs::read_dir(self.path("state/reports/home").join(folder)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

fn kill(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_run_that_fails_says_so_to_everybody_once() {
    let service = Service::agreeable();
    let host = Host::with_webhook(&service.url);
    let output = host.run(&["replicate"]);
    assert_eq!(output.status.code(), Some(1));
    let event = service.next().json();
    assert_eq!((&event["verdict"], &event["success"]), (&json!("failed"), &json!(false)));
    assert_eq!((&event["exit"], &event["exit_status"]), (&json!(1), &json!("1")));
    assert_eq!((&event["trigger"], &event["replication"]), (&json!("process"), &json!("safe")));
    assert!(event["error"].as_str().unwrap().contains("rpool/safe"));
    assert!(event["plan_s"].as_f64().is_some() && event["wake_s"].is_null());
    assert_eq!(
        (host.events("running").len(), host.events("spool").len(), host.events("kept").len()),
        (0, 0, 1)
    );
    host.run(&["report"]);
    assert!(service.requests().is_empty());
}

#[test]
fn a_killed_run_is_reported_once_with_what_systemd_saw() {
    for end in [["oom-kill", "killed", "KILL"], ["timeout", "killed", "KILL"]] {
        let service = Service::agreeable();
        let host = Host::with_webhook(&service.url);
        let mut child = host.start_service();
        kill(&child, "-KILL");
        child.wait().unwrap();
        assert!(service.requests().is_empty(), "nobody has heard of it yet");
        host.zfs("exit 1");
        for _ in 0..2 {
            assert_eq!(host.exec_stop_post(end).status.code(), Some(0));
        }
        let events: Vec<Value> = service.requests().iter().map(support::Request::json).collect();
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&event["run"], &event["verdict"]), (&json!(INVOCATION), &json!("killed")));
        assert_eq!((&event["service_result"], &event["exit_status"]), (&json!(end[0]), &json!("KILL")));
        assert_eq!((&event["exit"], &event["trigger"]), (&Value::Null, &json!("systemd")));
        assert!(event["error"].as_str().unwrap().contains(end[0]));
    }
}

#[test]
fn a_run_that_has_reported_is_not_reported_again_by_systemd() {
    let service = Service::agreeable();
    let host = Host::with_webhook(&service.url);
    let status = host.start(&[("INVOCATION_ID", INVOCATION)]).wait().unwrap();
    assert_eq!(status.code(), Some(1));
    host.exec_stop_post(["exit-code", "exited", "1"]);
    let events = service.requests();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].json()["service_result"], "exit-code");
}

#[test]
fn a_run_that_never_began_is_reported_by_systemd() {
    let service = Service::agreeable();
    let host = Host::with_webhook(&service.url);
    let output = host.exec_stop_post(["exit-code", "", ""]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let event = service.next().json();
    assert_eq!((&event["verdict"], &event["service_result"]), (&json!("killed"), &json!("exit-code")));
}

#[test]
fn a_service_that_is_told_to_end_leaves_the_last_word_to_systemd() {
    let service = Service::agreeable();
    let host = Host::with_webhook(&service.url);
    let child = host.start_service();
    kill(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    assert!(stderr(&output).contains("interrupted by SIGTERM"));
    assert!(service.requests().is_empty());
    host.zfs("exit 1");
    host.exec_stop_post(["timeout", "killed", "TERM"]);
    assert_eq!(service.next().json()["service_result"], "timeout");
}

#[test]
fn a_person_who_interrupts_a_run_is_reported_at_once() {
    let service = Service::agreeable();
    let host = Host::with_webhook(&service.url);
    host.zfs("exec sleep 600");
    let child = host.start(&[]);
    host.wait_for("zfs.started");
    kill(&child, "-INT");
    child.wait_with_output().unwrap();
    let event = service.next().json();
    assert_eq!((&event["verdict"], &event["error"]), (&json!("killed"), &json!("interrupted by SIGINT")));
}

#[test]
fn a_run_that_died_without_anybody_is_reported_by_the_next() {
    let service = Service::agreeable();
    let host = Host::with_webhook(&service.url);
    host.zfs("exec sleep 600");
    let mut child = host.start(&[]);
    host.wait_for("zfs.started");
    assert!(host.run(&["report"]).status.success());
    assert!(service.requests().is_empty(), "one that lives is left alone");
    kill(&child, "-KILL");
    child.wait().unwrap();
    host.zfs("exit 1");
    host.run(&["replicate"]);
    let mut verdicts: Vec<String> =
        service.requests().iter().map(|request| request.json()["verdict"].to_string()).collect();
    verdicts.sort();
    assert_eq!(verdicts, ["\"failed\"", "\"killed\""]);
}

#[test]
fn what_could_not_be_sent_is_kept_and_sent_by_a_later_run() {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let service = Service::new(move |_| match is_up.load(Ordering::SeqCst) {
        true => (200, String::new()),
        false => (503, "down for maintenance".to_owned()),
    });
    let host = Host::with_webhook(&service.url);
    for _ in 0..3 {
        let output = host.run(&["replicate"]);
        assert_eq!(output.status.code(), Some(1), "reporting does not change the exit code");
        assert!(stderr(&output).contains("report to webhook: it answered 503: down for maintenance"));
    }
    assert_eq!(service.requests().len(), 3, "one that is down is asked once in a run");
    assert_eq!(host.events("spool").len(), 3);
    up.store(true, Ordering::SeqCst);
    assert_eq!(host.run(&["report"]).status.code(), Some(0));
    let mut runs: Vec<String> = service.requests().iter().map(|one| one.json()["run"].to_string()).collect();
    runs.sort();
    runs.dedup();
    assert_eq!((runs.len(), host.events("spool").len(), host.events("kept").len()), (3, 0, 3));
}

#[test]
fn a_service_that_never_answers_holds_nobody_up_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = Host::with_webhook(&format!("http://{}/{KEY}", listener.local_addr().unwrap()));
    let output = host.run(&["replicate"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("report to webhook: no answer") && !text.contains(KEY), "{text}");
    assert_eq!(host.events("spool").len(), 1);
}

#[test]
fn a_state_folder_that_cannot_be_used_does_not_change_the_run() {
    let host = Host::with_webhook("http://127.0.0.1:1/");
    std::fs::write(host.path("state"), "a file").unwrap();
    let output = host.run(&["replicate"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("this run cannot be reported") && text.contains("STATE_DIRECTORY"), "{text}");
    assert!(text.contains("cannot list \"rpool/safe\""), "{text}");
}

#[test]
fn no_secret_is_in_any_log() {
    // It repeats everything that it was asked, as some services do.
    let service = Service::new(|request| (400, format!("{request:?}")));
    let host = Host::new(&json!({}));
    let file = |name: &str, text: &str| {
        std::fs::write(host.path(name), text).unwrap();
        host.path(name)
    };
    let report = json!({
        "honeycomb": { "dataset": "zfs", "api_key_file": file("key", KEY), "api_host": service.url, "recipients": ["a@b.c"] },
        "otlp": { "endpoint": service.url, "headers_file": file("headers", &format!("Authorization: {KEY}")) },
        "ping": { "url_file": file("ping", &format!("{}/{KEY}", service.url)),
                  "healthchecks": { "api_key_file": file("hc", KEY), "api_url": service.url } },
        "webhook": { "url_file": file("hook", &format!("{}/{KEY}?{KEY}", service.url)) },
        "command": ["cat"],
        "notify": { "ntfy": { "url_file": file("ntfy", &format!("{}/{KEY}", service.url)) } },
    });
    let spec = std::fs::read_to_string(host.path("dormouse.json")).unwrap();
    let mut spec: Value = serde_json::from_str(&spec).unwrap();
    spec["hosts"]["desktop"]["report"] = report;
    std::fs::write(host.path("dormouse.json"), spec.to_string()).unwrap();
    let said = |log_format: &str| {
        let commands: [&[&str]; 5] =
            [&["replicate"], &["report"], &["doctor"], &["alarm", "apply"], &["alarm", "check"]];
        let outputs =
            commands.map(|command| host.run(&[&["-vv", "--log-format", log_format], command].concat()));
        outputs.map(|output| stderr(&output) + &String::from_utf8(output.stdout).unwrap()).concat()
    };
    for log_format in ["text", "json"] {
        let text = said(log_format);
        assert!(
            text.contains("zfs list") && text.contains("exit code 1") && text.contains("answered 400"),
            "{text}"
        );
        assert!(!text.contains(KEY), "{text}");
    }
    // The control: what zfs says is shown, so it would have been seen.
    host.zfs(&format!("echo {KEY} >&2; exit 1"));
    assert!(said("text").contains(KEY));
}

#[test]
fn machines_can_read_each_line_that_is_told() {
    let host = Host::with_webhook("http://127.0.0.1:1/");
    let output = host.run(&["-vv", "--log-format", "json", "replicate"]);
    let lines: Vec<Value> = stderr(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let level = |wanted: &str| lines.iter().find(|line| line["level"] == wanted).unwrap();
    assert!(level("command")["message"].as_str().unwrap().starts_with("zfs list"));
    assert!(level("detail")["message"].as_str().unwrap().starts_with("exit code 1: zfs list"));
    assert!(level("error")["help"].as_str().unwrap().contains("nothing was sent"));
    assert!(level("warning")["message"].as_str().unwrap().starts_with("report to webhook"));
}

#[test]
fn files_of_events_are_their_owners_alone() {
    let host = Host::with_webhook("http://127.0.0.1:1/");
    host.run(&["replicate"]);
    fn modes(folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{}", path.display());
            if path.is_dir() {
                modes(&path);
            }
        }
    }
    modes(&host.path("state"));
}

#[test]
fn status_tells_nagios_how_old_the_last_success_is_and_starts_nothing() {
    let host = Host::new(&json!({ "alert_after": "2h" }));
    let nagios = |argument: &str| {
        let output = host.run(&["status", argument]);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(nagios("--max-age"), (2, "DORMOUSE CRITICAL - safe succeeded never | \n".to_owned()));
    succeeded(&host, 5_400);
    let (code, line) = nagios("--max-age");
    assert!(code == 0 && line.starts_with("DORMOUSE OK - safe succeeded 90 min ago | safe_age=54"), "{line}");
    assert!(line.contains("s;;7200;0"), "{line}");
    assert_eq!(nagios("--max-age=1h").0, 2);
    assert_eq!(nagios("--max-age=1h").1.lines().count(), 1);
    assert!(!host.path("zfs.started").exists());
}

/// The host's state after a run that succeeded so many seconds ago.
fn succeeded(host: &Host, seconds: i64) {
    use dormouse::report::event::{Begun, Event};
    let ended = jiff::Timestamp::now().as_second() - seconds;
    let begun = Begun {
        identity: dormouse::report::run::Identity {
            run: INVOCATION.to_owned(),
            trigger: "systemd".to_owned(),
            is_service: true,
        },
        spec: "home".to_owned(),
        host: "desktop".to_owned(),
        replication: "safe".to_owned(),
        archiver: "nas".to_owned(),
        audit: false,
        started_at: ended,
    };
    let folder = dormouse::report::spool::Folder::at(&host.path("state/reports/home")).unwrap();
    let event = Event { success: true, last_success_at: Some(ended), ..Event::begun(&begun) };
    folder.see_run(&event).unwrap();
}

#[test]
fn status_shows_the_last_success_and_why_there_was_none_since() {
    let host = Host::new(&json!({}));
    succeeded(&host, 7_500);
    host.run(&["replicate"]);
    let output = host.run(&["status"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        text.contains(
            "safe -> nas: LATE: last success 2 h ago (alarm after 60 min); last run 0 s ago: cannot list"
        ),
        "{text}"
    );
    assert!(stderr(&output).contains("cannot list"), "the datasets cannot be shown");
    let document: Value = serde_json::from_slice(&host.run(&["--json", "status"]).stdout).unwrap();
    let safe = &document["replications"][0];
    assert_eq!((&safe["late"], &safe["last_run"]["verdict"]), (&json!(true), &json!("failed")));
}
