//! Alarms are set up as the services' documentation says, once, and the host raises its own.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use dormouse::report::alarm::{Watched, healthchecks, honeycomb, prometheus};
use dormouse_generator::spec::Honeycomb;
use serde_json::{Value, json};
use support::{Answer, Request, Service};

fn watched(alert_after: u64) -> Watched<'static> {
    Watched { spec: "home", host: "desktop", replication: "safe", alert_after }
}

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new(report: impl FnOnce(&Path) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Self { folder };
        host.write_spec(report(host.folder.path()));
        host
    }

    fn write_spec(&self, report: Value) {
        let spec = json!({
            "version": 1, "name": "home",
            "archivers": { "nas": { "provider": { "type": "static", "address": "192.0.2.1" }, "pool": { "name": "tank" } } },
            "hosts": { "desktop": {
                "replications": { "safe": { "archiver": "nas", "source": "rpool/safe", "target": "tank/desktop/safe" } },
                "report": report,
            } },
        });
        std::fs::write(self.path("dormouse.json"), spec.to_string()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        std::fs::write(self.path(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        Command::new(env!("CARGO_BIN_EXE_dormouse"))
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .env("STATE_DIRECTORY", self.path("state"))
            .args(["--host", "desktop"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    std::fs::write(folder.join(name), text).unwrap();
    folder.join(name)
}

/// Honeycomb's triggers: kept, checked by the limits that the API documents, and answered with
/// the fields that it adds.
fn triggers() -> Service {
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    Service::new(move |request: &Request| -> Answer {
        if request.headers.get("x-honeycomb-team").map(String::as_str) != Some("sesame") {
            return (401, "{\"error\":\"unknown API key\"}".to_owned());
        }
        let mut kept = kept.lock().unwrap();
        let store = |trigger: &mut Value, id: usize| {
            let query = &trigger["query"];
            let (range, frequency) =
                (query["time_range"].as_u64().unwrap(), trigger["frequency"].as_u64().unwrap());
            assert!((60..=86_400).contains(&frequency) && frequency % 60 == 0, "{trigger}");
            assert!(range <= 86_400 && range <= 4 * frequency && range >= frequency, "{trigger}");
            assert_eq!(query["calculations"].as_array().unwrap().len(), 1);
            assert!(
                trigger["name"].as_str().unwrap().len() <= 120
                    && trigger["description"].as_str().unwrap().len() <= 1023
            );
            trigger["id"] = json!(format!("t{id}"));
            trigger["triggered"] = json!(false);
            trigger["query"]["limit"] = json!(100);
            trigger["threshold"]["exceeded_limit"] = json!(1);
            trigger["recipients"][0]["id"] = json!("r1");
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/1/triggers/zfs") => (200, Value::from(kept.clone()).to_string()),
            ("POST", "/1/triggers/zfs") => {
                let mut trigger = request.json();
                store(&mut trigger, kept.len());
                kept.push(trigger.clone());
                (201, trigger.to_string())
            }
            ("PUT", "/1/triggers/zfs/t0") => {
                let mut trigger = request.json();
                store(&mut trigger, 0);
                kept[0] = trigger.clone();
                (200, trigger.to_string())
            }
            _ => (404, "{\"error\":\"not found\"}".to_owned()),
        }
    })
}

#[test]
fn a_trigger_of_honeycomb_is_made_once_and_follows_the_spec() {
    let service = triggers();
    let host = Host::new(|_| json!({}));
    let spec = |alert_after: &str| {
        host.write_spec(json!({
            "honeycomb": {
                "dataset": "zfs",
                "api_key_file": file(host.folder.path(), "key", "sesame"),
                "api_host": service.url,
                "recipients": ["admin@example.org"],
            },
            "alert_after": alert_after,
        }));
    };
    let methods = || service.requests().iter().map(|request| request.method.clone()).collect::<Vec<_>>();
    for (alert_after, said, asked) in [
        ("1h", "made trigger \"dormouse home-desktop-safe\"", vec!["GET", "POST"]),
        ("1h", "is as the spec says", vec!["GET"]),
        ("24h", "changed trigger", vec!["GET", "PUT"]),
        ("24h", "is as the spec says", vec!["GET"]),
        ("1m", "changed trigger", vec!["GET", "PUT"]),
        ("90s", "changed trigger", vec!["GET", "PUT"]),
        ("7h", "changed trigger", vec!["GET", "PUT"]),
    ] {
        spec(alert_after);
        assert!(host.says(&["alarm", "apply"]).contains(said), "{alert_after}");
        assert_eq!(methods(), asked, "{alert_after}");
    }
}

#[test]
fn the_trigger_counts_successes_of_this_replication_only() {
    let sink = Honeycomb {
        dataset: "zfs".to_owned(),
        api_key_file: "/key".to_owned(),
        api_host: None,
        recipients: vec!["a@example.org".to_owned(), "r7".to_owned()],
    };
    let trigger = honeycomb::trigger(&sink, &watched(3_600));
    let filters: Vec<String> = trigger["query"]["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| format!("{} {} {}", filter["column"], filter["op"], filter["value"]))
        .collect();
    assert_eq!(
        filters,
        [
            r#""spec" "=" "home""#,
            r#""host" "=" "desktop""#,
            r#""replication" "=" "safe""#,
            r#""success" "=" true"#,
        ]
    );
    assert_eq!(trigger["threshold"], json!({ "op": "<", "value": 1 }));
    assert_eq!(
        trigger["recipients"],
        json!([{ "type": "email", "target": "a@example.org" }, { "id": "r7" }])
    );
}

#[test]
fn a_key_that_may_not_is_told_with_what_to_do() {
    let service = triggers();
    let host = Host::new(|folder| {
        json!({ "honeycomb": {
            "dataset": "zfs", "api_key_file": file(folder, "key", "wrong"), "api_host": service.url,
            "recipients": ["admin@example.org"],
        } })
    });
    let output = host.run(&["alarm", "apply"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the alarm at honeycomb cannot be set up: it answered 401"), "{text}");
    assert!(text.contains("help: the key is wrong") && !text.contains("\"wrong\""), "{text}");
}

#[test]
fn a_check_of_healthchecks_goes_off_when_the_spec_says() {
    let service = Service::new(|request| {
        let check = request.json();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/v3/checks/"));
        assert_eq!(request.headers["x-api-key"], "sesame");
        assert_eq!(check["unique"], json!(["name"]), "so that the same check is meant each time");
        for time in ["timeout", "grace"] {
            assert!((60..=31_536_000).contains(&check[time].as_u64().unwrap()));
        }
        (201, json!({ "slug": check["slug"], "ping_url": "https://hc-ping.com/0c8d" }).to_string())
    });
    let host = Host::new(|_| json!({}));
    let says = |url: &str| {
        let folder = host.folder.path();
        host.write_spec(json!({ "ping": {
            "url_file": file(folder, "url", url),
            "healthchecks": { "api_url": format!("{}/api/v3", service.url), "api_key_file": file(folder, "key", "sesame") },
        } }));
        host.says(&["alarm", "apply"])
    };
    for url in ["https://hc-ping.com/key/{spec}-{host}-{replication}", "https://hc-ping.com/0c8d"] {
        assert_eq!(says(url), "healthchecks: check home-desktop-safe is as the spec says\n");
    }
    assert!(says("https://hc-ping.com/other").contains("but pings go elsewhere: write"));
    for alert_after in [120, 3_600, 100_000] {
        let check = healthchecks::check(&watched(alert_after));
        assert_eq!(check["timeout"].as_u64().unwrap() + check["grace"].as_u64().unwrap(), alert_after);
    }
}

#[test]
fn rules_for_prometheus_are_written_once() {
    let host = Host::new(
        |folder| json!({ "prometheus": { "textfile_dir": folder, "rules_file": folder.join("rules.yml") } }),
    );
    assert!(host.says(&["alarm", "apply"]).contains("wrote "));
    let written = std::fs::read_to_string(host.path("rules.yml")).unwrap();
    assert_eq!(written, prometheus::rules(&[watched(3_600)]));
    let expression = r#"expr: "time() - dormouse_last_success_timestamp_seconds{spec=\"home\",host=\"desktop\",replication=\"safe\"} > 3600 or absent("#;
    assert!(written.contains(expression), "{written}");
    assert!(host.says(&["alarm", "apply"]).contains("is as the spec says"));
    let mode = host.path("rules.yml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "Prometheus is another user");
}

#[test]
fn a_spec_without_an_alarm_says_what_to_add() {
    let host = Host::new(|_| json!({ "journald": true }));
    let output = host.run(&["alarm", "apply"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("names no alarm") && text.contains("rules_file"), "{text}");
}

#[test]
fn a_replication_that_is_late_is_told_to_everybody_once_until_all_have_heard() {
    let down = Arc::new(Mutex::new(true));
    let is_down = down.clone();
    let ntfy =
        Service::new(
            move |_| if *is_down.lock().unwrap() { (503, String::new()) } else { (200, String::new()) },
        );
    let host = Host::new(|folder| {
        json!({ "notify": {
            "mail": "root@example.org",
            "ntfy": { "url_file": file(folder, "url", &format!("{}/topic", ntfy.url)) },
            "command": ["tee", folder.join("told")],
        } })
    });
    host.program("sendmail", "echo \"$@\" >> \"$0.argv\"; cat >> \"$0.mail\"");
    let check = || {
        let output = host.run(&["alarm", "check"]);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = check();
    assert_eq!(code, 1, "it is late");
    assert!(stderr.contains("report to ntfy: it answered 503"), "{stderr}");
    let request = ntfy.next();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/topic"));
    assert_eq!(request.headers["title"], "desktop: backup safe is late");
    assert!(request.body.contains("no success yet"), "{request:?}");
    *down.lock().unwrap() = false;
    assert_eq!(check(), (1, String::new()));
    assert_eq!(check(), (1, String::new()));
    assert_eq!(ntfy.requests().len(), 1, "told again only until it has heard");
    let text = |name: &str| std::fs::read_to_string(host.path(name)).unwrap();
    assert_eq!(text("sendmail.argv"), "-i -- root@example.org\n".repeat(2));
    assert!(
        text("sendmail.mail").starts_with("To: root@example.org\nSubject: desktop: backup safe is late\n")
    );
    assert!(text("told").starts_with("desktop: backup safe is late\n"));
}
