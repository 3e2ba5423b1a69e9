//! The event of a run says what its outcome says.

#![allow(clippy::unwrap_used, clippy::panic)]

use dormouse::error::Exit;
use dormouse::replicate::outcome::{DatasetOutcome, Outcome, Result as Fate};
use dormouse::report::clock::{Phase, Span};
use dormouse::report::event::{Begun, DatasetVerdict, Event, Lag, Usage, Verdict};
use dormouse::report::run::{Identity, ServiceEnd};

fn begun() -> Begun {
    let identity = Identity { run: "0".repeat(32), trigger: "person".to_owned(), is_service: false };
    Begun {
        identity,
        spec: "home".to_owned(),
        host: "desktop".to_owned(),
        replication: "safe".to_owned(),
        archiver: "archiver".to_owned(),
        audit: true,
        started_at: 1_000,
    }
}

fn outcome(fates: &[(&str, Fate)]) -> Outcome {
    let dataset = |(name, result): &(&str, Fate)| DatasetOutcome {
        dataset: (*name).to_owned(),
        target: format!("vault/{name}"),
        result: *result,
        snapshots: 2,
        bytes: 100,
        resumed: false,
        unfinished: *result == Fate::Failed,
        newest: None,
        guid: None,
        message: (*result == Fate::Failed).then(|| "the connection was lost".to_owned()),
        help: (*result == Fate::Failed).then(|| "run it again".to_owned()),
    };
    Outcome {
        replication: "safe".to_owned(),
        archiver: "archiver".to_owned(),
        contacted: true,
        connection_lost: false,
        datasets: fates.iter().map(dataset).collect(),
        bytes: 200,
        seconds: 9.0,
        warnings: vec![],
    }
}

fn spans() -> Vec<Span> {
    let span = |phase, start_s, seconds| Span { phase, start_s, seconds };
    vec![
        span(Phase::Plan, 0.0, 1.0),
        span(Phase::Wake, 1.0, 30.0),
        span(Phase::Plan, 31.0, 2.0),
        span(Phase::Send, 33.0, 7.0),
    ]
}

#[test]
fn a_good_run_is_a_success_with_its_durations_and_its_cost() {
    let outcome =
        outcome(&[("tank/a", Fate::Sent), ("tank/b", Fate::UpToDate), ("tank/c", Fate::NoSnapshots)]);
    let usage = Usage {
        sleep: Some(Span { phase: Phase::Sleep, start_s: 41.0, seconds: 9.0 }),
        instance: Some("i-1".to_owned()),
        instance_seconds: Some(50),
        cost_usd: Some(0.0004),
        ..Usage::default()
    };
    let event = Event::ended(&begun(), Ok(&outcome), &[], spans(), usage, 1_050);
    assert_eq!((event.verdict, event.success, event.exit), (Verdict::Sent, true, Some(0)));
    assert_eq!((event.sent, event.skipped, event.failed), (1, 2, 0));
    assert_eq!(
        (event.plan_s, event.wake_s, event.send_s, event.sleep_s),
        (Some(3.0), Some(30.0), Some(7.0), Some(9.0))
    );
    assert_eq!((event.seconds, event.instance_seconds, event.cost_usd), (50.0, Some(50), Some(0.0004)));
    assert_eq!((event.service, event.oldest_unreplicated_s), (ServiceEnd::exited(0), None));
    assert_eq!((event.bytes, event.snapshots, event.audit), (200, 6, true));
}

#[test]
fn a_dataset_that_failed_is_told_with_the_age_of_what_is_missing() {
    let outcome = outcome(&[("tank/a", Fate::Sent), ("tank/b", Fate::Failed)]);
    let lag = |dataset: &str, oldest| Lag { dataset: dataset.to_owned(), oldest };
    let lags = [lag("tank/a", None), lag("tank/b", Some(400)), lag("tank/new", Some(900))];
    let event = Event::ended(&begun(), Ok(&outcome), &lags, spans(), Usage::default(), 1_000);
    assert_eq!((event.verdict, event.success, event.exit), (Verdict::Partial, false, Some(3)));
    assert_eq!(event.oldest_unreplicated_s, Some(600));
    assert_eq!(event.error.as_deref(), Some("tank/b: the connection was lost"));
    let ages: Vec<_> =
        event.datasets.iter().map(|one| (one.result, one.oldest_unreplicated_s, one.unfinished)).collect();
    assert_eq!(
        ages,
        [
            (DatasetVerdict::Sent, None, false),
            (DatasetVerdict::Failed, Some(600), true),
            (DatasetVerdict::Untried, Some(100), false),
        ]
    );
}

#[test]
fn an_instance_that_may_still_run_makes_a_good_run_a_failure() {
    let outcome = outcome(&[("tank/a", Fate::Sent)]);
    let error = Some((Exit::StillRunning, "i-1 may still be running".to_owned(), "end it".to_owned()));
    let event =
        Event::ended(&begun(), Ok(&outcome), &[], spans(), Usage { error, ..Usage::default() }, 1_000);
    assert_eq!((event.verdict, event.success, event.exit), (Verdict::StillRunning, false, Some(6)));
    assert_eq!(event.error.as_deref(), Some("i-1 may still be running"));
}

#[test]
fn a_run_that_could_not_begin_still_tells_what_is_missing() {
    let lags = [Lag { dataset: "tank/a".to_owned(), oldest: Some(0) }];
    let error = Err((Exit::Unreachable, "it cannot be reached", "try ssh"));
    let event = Event::ended(&begun(), error, &lags, vec![], Usage::default(), 5_000);
    assert_eq!((event.verdict, event.exit), (Verdict::Unreachable, Some(5)));
    assert_eq!((event.oldest_unreplicated_s, event.help.as_deref()), (Some(5_000), Some("try ssh")));
}

#[test]
fn a_killed_run_ends_as_systemd_saw_it() {
    let end = ServiceEnd {
        service_result: Some("oom-kill".to_owned()),
        exit_code: Some("killed".to_owned()),
        exit_status: Some("KILL".to_owned()),
    };
    let event = Event::killed(&begun(), end.clone(), &[], 1_090);
    assert_eq!((event.verdict, event.exit, event.seconds), (Verdict::Killed, None, 90.0));
    assert_eq!(event.error.as_deref(), Some("the run ended before it could report: oom-kill (killed, KILL)"));
    assert_eq!(event.service, end);
    let event = Event::killed(&begun(), ServiceEnd::exited(0), &[], 1_090);
    assert!(event.success && event.error.is_none(), "it could only not write its event");
}

#[test]
fn long_errors_are_cut_where_a_character_ends() {
    let error = "ß".repeat(5_000);
    let event = Event::ended(&begun(), Err((Exit::Failed, &error, "")), &[], vec![], Usage::default(), 0);
    assert_eq!(event.error.unwrap().chars().count(), 2_001);
}

#[test]
fn what_is_kept_is_small_and_what_is_read_is_what_was_written() {
    let outcome = outcome(&[("tank/a", Fate::UpToDate), ("tank/b", Fate::Failed)]);
    let event = Event::ended(&begun(), Ok(&outcome), &[], spans(), Usage::default(), 1_000);
    let read: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
    assert_eq!(read, event);
    let kept = event.to_keep();
    assert_eq!(kept.datasets.len(), 1);
    assert_eq!(kept.datasets[0].dataset, "tank/b");
}
