//! Large datasets are sent several at a time, and what comes of it is the same as one after the other.

#![allow(clippy::unwrap_used, clippy::panic)]

mod sides;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sides::{LARGE, Sides, ended};

const SIX: [&str; 6] = ["d1", "d2", "d3", "d4", "d5", "d6"];

fn held(parallel_streams: u32, datasets: &[&str]) -> Sides {
    let sides = Sides::new(parallel_streams, datasets);
    datasets.iter().for_each(|dataset| sides.hold(dataset));
    sides
}

#[test]
fn four_large_datasets_are_under_way_at_once_and_never_more() {
    let sides = held(4, &SIX);
    let run = sides.start(&[]);
    assert_eq!(sides.begun(4), SIX[..4], "the first ones");
    sides.go();
    let run = ended(run);
    assert_eq!((run.code, sides.most_at_once()), (Some(0), 4), "{}", run.stderr);
    assert_eq!(run.each("result"), SIX.map(|name| (name.to_owned(), "sent".to_owned())));
    assert_eq!(run.each("bytes")[0].1.parse::<u64>().unwrap() / 1000, 1, "each counts its own bytes");
    assert_eq!(sides.noted("login").len(), 4, "each has a connection of its own");
}

#[test]
fn one_after_the_other_comes_to_the_same() {
    let at_once = |bound: u32| {
        let sides = Sides::new(bound, &SIX);
        let run = sides.run();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let outcomes = ["result", "snapshots", "bytes", "newest"].map(|field| run.each(field));
        (sides.most_at_once(), sides.noted("login").len(), (sides.copies(), outcomes))
    };
    let ((most, logins, one), (_, _, four)) = (at_once(1), at_once(4));
    assert_eq!((most, logins), (1, 1));
    assert_eq!(one, four);
}

#[test]
fn children_wait_for_their_parents() {
    let sides = held(4, &["a", "a/b", "c"]);
    let run = sides.start(&[]);
    assert_eq!(sides.begun(2), ["a", "c"]);
    sides.go();
    assert_eq!(ended(run).code, Some(0));
    let log = sides.log();
    let at = |word: &str, name: &str| {
        log.iter().position(|each| *each == (word.to_owned(), format!("vault/safe/{name}"))).unwrap()
    };
    assert!(at("end", "a") < at("begin", "a/b"), "{log:?}");
}

#[test]
fn one_that_fails_leaves_the_others() {
    let sides = held(4, &["d1", "d2", "d2/below", "d3", "d4"]);
    sides.write("full/vault/safe/d2", "");
    let run = sides.start(&[]);
    assert_eq!(sides.begun(3), ["d1", "d3", "d4"]);
    sides.go();
    let run = ended(run);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let results = ["sent", "failed", "failed", "sent", "sent"];
    assert_eq!(run.each("result").iter().map(|(_, result)| result).collect::<Vec<_>>(), results);
    assert!(run.each("message")[1].1.contains("out of space"), "{:?}", run.datasets);
    assert!(run.each("message")[2].1.contains("does not exist"), "{:?}", run.datasets);
    std::fs::remove_file(sides.path("full/vault/safe/d2")).unwrap();
    assert_eq!(sides.run().code, Some(0), "the next run brings the rest");
}

#[test]
fn large_increments_do_not_wait_for_each_other() {
    let sides = Sides::new(4, &SIX[..4]);
    assert_eq!(sides.run().code, Some(0));
    sides.forget_log();
    for (guid, name) in (20..).zip(&SIX[..4]) {
        sides.snapshot(&format!("tank/safe/{name}"), "s2", guid, LARGE, 80 << 20);
        sides.hold(name);
    }
    let run = sides.start(&[]);
    assert_eq!(sides.begun(4), SIX[..4], "none of them has ended");
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(kib > 1024 && kib < 64 * 1024, "what is under way lies in pipes: {kib} KiB");
    sides.go();
    let run = ended(run);
    assert_eq!((run.code, sides.most_at_once()), (Some(0), 4), "{}", run.stderr);
    assert_eq!(
        run.each("result"),
        SIX[..4].iter().map(|name| ((*name).to_owned(), "sent".to_owned())).collect::<Vec<_>>()
    );
    assert_eq!(sides.noted("end").len(), 4, "nothing is sent twice");
}

#[test]
fn an_archiver_that_refuses_further_connections_gets_all_over_the_first() {
    let sides = held(4, &SIX[..4]);
    sides.write("logins", "1");
    let run = sides.start(&[]);
    assert_eq!(sides.begun(4), SIX[..4]);
    sides.go();
    let run = ended(run);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(sides.noted("login").len() > 1, "it was asked");
}

#[test]
fn a_connection_of_its_own_that_breaks_takes_one_dataset_with_it() {
    let sides = held(4, &SIX[..4]);
    let run = sides.start(&[]);
    sides.begun(4);
    sides.write("lost-2", "");
    sides.wait_for("end of a connection", || (sides.noted("lost").len() > 1).then_some(()));
    sides.go();
    let run = ended(run);
    let mut results: Vec<String> = run.each("result").into_iter().map(|(_, result)| result).collect();
    results.sort();
    assert_eq!(
        (run.code, results),
        (Some(3), ["failed", "sent", "sent", "sent"].map(str::to_owned).to_vec())
    );
}

#[test]
fn a_lost_network_ends_all_streams() {
    let sides = held(4, &SIX);
    let run = sides.start(&[]);
    sides.begun(4);
    (0..4).for_each(|number| sides.write(&format!("lost-{number}"), ""));
    sides.wait_for("end of all", || (sides.noted("lost").len() == 8).then_some(()));
    sides.go();
    let run = ended(run);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.each("result").iter().all(|(_, result)| result == "failed"), "{:?}", run.datasets);
    assert_eq!(sides.noted("begin").len(), 5, "nothing begins after that: the small one above them and four");
}

#[test]
fn a_signal_ends_all_streams() {
    let sides = held(4, &SIX[..4]);
    let run = sides.start(&[]);
    sides.begun(4);
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    let run = ended(run);
    assert!(run.stderr.contains("SIGTERM"), "{}", run.stderr);
    for process in sides.noted("pid") {
        let path = format!("/proc/{process}");
        sides.wait_for("end of each process", || (!Path::new(&path).exists()).then_some(()));
    }
}

#[test]
fn a_limit_is_for_all_of_them_together() {
    let sides = Sides::new(4, &[]);
    for (guid, name) in (2..).zip(&SIX[..4]) {
        sides.snapshot(&format!("tank/safe/{name}"), "s1", guid, LARGE, 1 << 20);
    }
    let begin = Instant::now();
    let run = ended(sides.start(&["--limit-mib", "1"]));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(begin.elapsed() > Duration::from_secs(3), "4 MiB at 1 MiB/s");
}
