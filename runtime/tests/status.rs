//! What `dormouse status` says of what was last seen, without starting anything.

#![allow(clippy::unwrap_used, clippy::panic)]

mod host;

use host::{Host, INVOCATION, stderr};
use serde_json::{Value, json};

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
    let (before, after) = text.split_once(" s ago: cannot list").unwrap_or((&text, ""));
    let (line, seconds) = before.rsplit_once(' ').unwrap();
    assert_eq!(line, "safe -> nas: LATE: last success 2 h ago (alarm after 60 min); last run", "{text}");
    assert!(seconds.parse::<u32>().is_ok() && !after.is_empty(), "{text}");
    assert!(stderr(&output).contains("cannot list"), "the datasets cannot be shown");
    let document: Value = serde_json::from_slice(&host.run(&["--json", "status"]).stdout).unwrap();
    let safe = &document["replications"][0];
    assert_eq!((&safe["late"], &safe["last_run"]["verdict"]), (&json!(true), &json!("failed")));
}
