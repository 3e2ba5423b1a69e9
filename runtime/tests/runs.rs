//! Each run has exactly one event, whatever becomes of it, and reporting never changes its end.

#![allow(clippy::unwrap_used, clippy::panic)]

mod host;
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use host::{Host, INVOCATION, stderr};
use serde_json::{Value, json};
use support::Service;

const KEY: &str = "sesame-open";

fn kill(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
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
