//! The planner, over every history of up to seven snapshots.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use dormouse::zfs::cursor::Cursors;
use dormouse::zfs::plan::{Base, Decision, Refusal, Stream, decide, decide_by_cursor};
use dormouse::zfs::schedule::Job;
use dormouse::zfs::{Bookmark, Dataset, Guid, Kind, Snapshot};
use dormouse_generator::name::DatasetName;

/// Longest history; 8 ^ LONGEST pairs of sides are tried.
const LONGEST: u32 = 7;

fn dataset(name: &str) -> Dataset {
    Dataset {
        name: DatasetName::new(name).unwrap(),
        guid: Guid(1),
        kind: Kind::Filesystem,
        encryption_root: None,
        token: None,
        changed: None,
        origin: None,
        stays: false,
        is_passive: false,
        partial: false,
        snapshots: vec![],
        unsent: vec![],
        bookmarks: vec![],
    }
}

fn snapshot(number: u64) -> Snapshot {
    Snapshot {
        name: format!("s{number}"),
        guid: Guid(1000 + number),
        createtxg: number,
        creation: number as i64,
        holds: 0,
        size: None,
    }
}

fn bookmark(number: u64, name: &str) -> Bookmark {
    Bookmark { name: name.to_owned(), guid: Guid(1000 + number), createtxg: number, creation: number as i64 }
}

/// Both sides of the history that `code` stands for: for each snapshot, whether the host has it, has it
/// but does not send it, has only a bookmark of it, or nothing (base 4), and whether the archiver has
/// it (base 2).
fn sides(length: u32, mut code: u32) -> (Dataset, Option<Dataset>) {
    let (mut source, mut target) = (dataset("tank/a"), dataset("vault/a"));
    for number in 1..=u64::from(length) {
        match code % 8 / 2 {
            0 => source.snapshots.push(snapshot(number)),
            1 => source.bookmarks.push(bookmark(number, &format!("b{number}"))),
            2 => source.unsent.push(snapshot(number)),
            _ => {}
        }
        if code % 2 == 1 {
            target.snapshots.push(snapshot(number));
        }
        code /= 8;
    }
    let exists = !target.snapshots.is_empty();
    (source, exists.then_some(target))
}

fn every_history(mut check: impl FnMut(&Dataset, Option<&Dataset>)) {
    for length in 1..=LONGEST {
        for code in 0..8_u32.pow(length) {
            let (source, target) = sides(length, code);
            check(&source, target.as_ref());
        }
    }
}

/// What `zfs receive` would do with a stream: refuse it unless its base is there, else add.
fn receive(target: &mut BTreeSet<Guid>, source: &Dataset, stream: &Stream) {
    let has = |guid: Guid| source.snapshot(guid).is_some();
    match stream {
        Stream::Full { to } => {
            assert!(target.is_empty(), "a full stream onto a dataset that exists");
            assert!(target.insert(to.guid));
        }
        Stream::Step { from, to } => {
            assert!(target.contains(&from.guid()), "an increment onto a base that is not there");
            assert!(matches!(from, Base::Bookmark(_)) || has(from.guid()));
            assert!(target.insert(to.guid), "sent again");
        }
        Stream::Run { from, to, count } => {
            assert!(target.contains(&from.guid) && has(from.guid));
            let all = source.snapshots.iter().chain(&source.unsent);
            let mut between = all.filter(|s| s.createtxg > from.createtxg && s.createtxg <= to.createtxg);
            let before = target.len();
            assert!(between.all(|s| target.insert(s.guid)), "sent again");
            assert_eq!(target.len(), before + count);
        }
    }
}

#[test]
fn every_plan_ends_with_the_newest_snapshot_and_sends_nothing_twice() {
    let mut sent = 0;
    every_history(|source, target| {
        let Decision::Send(streams) = decide(source, target) else { return };
        let before: BTreeSet<Guid> =
            target.into_iter().flat_map(|copy| &copy.snapshots).map(|s| s.guid).collect();
        let mut there = before.clone();
        streams.iter().for_each(|stream| receive(&mut there, source, stream));
        assert!(there.contains(&source.newest().unwrap().guid));
        let unsent = |guid: &Guid| source.unsent.iter().any(|snapshot| snapshot.guid == *guid);
        assert!(!there.difference(&before).any(unsent), "sent what is not to be sent");
        let few = streams.len() <= 2;
        assert!(few || !source.unsent.is_empty(), "one stream to start and one for the rest is all it takes");
        sent += 1;
    });
    assert!(sent > 1000, "only {sent} histories were sent");
}

#[test]
fn a_plan_refuses_only_where_nothing_is_in_common() {
    let mut refused = 0;
    every_history(|source, target| {
        let in_common = target.is_some_and(|copy| {
            copy.snapshots
                .iter()
                .any(|s| source.snapshot(s.guid).is_some() || source.bookmark(s.guid).is_some())
        });
        match decide(source, target) {
            Decision::Refused(_) => {
                refused += 1;
                assert!(!in_common && target.is_some());
            }
            Decision::NothingToSend => assert!(source.snapshots.is_empty()),
            Decision::UpToDate(newest) => {
                let newest_there = target.unwrap().newest().unwrap().createtxg;
                assert!(target.unwrap().snapshot(newest.guid).is_some() || newest_there > newest.createtxg);
            }
            Decision::Send(streams) => assert!(!streams.is_empty() && (target.is_none() || in_common)),
            Decision::Resume { .. } | Decision::Placeholder => {
                panic!("no history here has a token or children")
            }
        }
    });
    assert!(refused > 100);
}

/// As far as the archiver is known to have everything up to a cursor, the plan is the same whether
/// the archiver's snapshots are looked at or not.
#[test]
fn a_plan_by_cursor_is_the_plan_by_histories() {
    let cursors = Cursors::new("home", "archiver");
    let mut same = 0;
    every_history(|source, target| {
        let Some(copy) = target else { return };
        let Some(last) = copy.newest() else { return };
        // The run before acknowledged the archiver's newest; the host may have pruned it since.
        let mut source = source.clone();
        source.bookmarks.retain(|bookmark| bookmark.createtxg != last.createtxg);
        source.bookmarks.push(Bookmark {
            name: format!("dormouse_home_archiver_{}", last.guid),
            guid: last.guid,
            createtxg: last.createtxg,
            creation: 0,
        });
        source.bookmarks.sort_by_key(|bookmark| bookmark.createtxg);
        let acknowledged = cursors.acknowledged(&source).unwrap();
        // Of snapshots that are not sent, the listing keeps one.
        let later = source.unsent.iter().rfind(|unsent| unsent.createtxg > last.createtxg).cloned();
        let listed = Dataset { unsent: later.into_iter().collect(), ..source.clone() };
        match decide_by_cursor(&listed, copy, acknowledged) {
            None => assert!(source.snapshots.is_empty()),
            // As a base, its bookmark is as good.
            Some(_) if source.unsent.iter().any(|unsent| unsent.guid == acknowledged) => {}
            Some(decision) => {
                assert_eq!(decision, decide(&source, target));
                same += 1;
            }
        }
    });
    assert!(same > 1000, "only {same} histories");
}

#[test]
fn a_cursor_is_not_enough_for_what_was_not_listed_or_is_half_received() {
    let (source, copy) = (
        Dataset { snapshots: vec![snapshot(2)], bookmarks: vec![bookmark(1, "b")], ..dataset("tank/a") },
        dataset("vault/a"),
    );
    assert!(decide_by_cursor(&source, &copy, Guid(1001)).is_some());
    assert!(decide_by_cursor(&source, &copy, Guid(1000)).is_none());
    assert!(decide_by_cursor(&Dataset { partial: true, ..source.clone() }, &copy, Guid(1001)).is_none());
    let half = Dataset { token: Some("1-a".to_owned()), ..copy };
    assert!(decide_by_cursor(&source, &half, Guid(1001)).is_none());
}

#[test]
fn a_partial_receive_comes_first() {
    let (source, mut target) = (sides(1, 0).0, dataset("vault/a"));
    target.token = Some("1-a".to_owned());
    assert_eq!(decide(&source, Some(&target)), Decision::Resume { token: "1-a".to_owned() });
}

#[test]
fn the_same_name_with_another_guid_is_refused() {
    let (mut source, mut target) = (dataset("tank/a"), dataset("vault/a"));
    source.snapshots = vec![snapshot(1), snapshot(2)];
    target.snapshots = vec![snapshot(1), Snapshot { guid: Guid(7), ..snapshot(2) }];
    let Decision::Refused(refusal) = decide(&source, Some(&target)) else { panic!() };
    let text = "the archiver has another snapshot named @s2 (guid 7 there, 1002 here)";
    assert_eq!(refusal.to_string(), text);
}

#[test]
fn a_name_that_has_no_room_at_the_target_is_refused_once_it_is_to_be_sent() {
    let target = DatasetName::new(format!("vault/{}", "d".repeat(243))).unwrap();
    let (mut source, copy) = (dataset("tank/a"), Dataset { name: target.clone(), ..dataset("vault/a") });
    source.snapshots = vec![snapshot(1), Snapshot { name: "right".to_owned(), ..snapshot(2) }];
    let plan = |source: &Dataset, copy| {
        Job::by_histories(source.clone(), target.clone(), Some(copy), false, None).decision
    };
    let has_first = Dataset { snapshots: vec![snapshot(1)], ..copy.clone() };
    assert!(matches!(plan(&source, has_first.clone()), Decision::Send(_)));
    source.snapshots[1].name.push('x');
    let refusal = Refusal::NameTooLong { name: "rightx".to_owned(), bytes: 256 };
    assert_eq!(plan(&source, has_first), Decision::Refused(refusal.clone()));
    assert_eq!(refusal.to_string(), "the copy of @rightx would have a name of 256 bytes, and ZFS takes 255");
    // What the archiver has is none of its business.
    let has_both = Dataset { snapshots: source.snapshots.clone(), ..copy };
    assert!(matches!(plan(&source, has_both.clone()), Decision::UpToDate(_)));
    source.snapshots.push(snapshot(3));
    assert!(matches!(plan(&source, has_both), Decision::Send(_)));
}

#[test]
fn refusals_name_what_each_side_has() {
    let (mut source, mut target) = (dataset("tank/a"), dataset("vault/a"));
    source.snapshots = (1..=9).map(snapshot).collect();
    let Decision::Refused(occupied) = decide(&source, Some(&target)) else { panic!() };
    assert_eq!(
        occupied.to_string(),
        "the target exists and has no snapshot, so it was not made by a replication"
    );
    target.snapshots = vec![snapshot(20), snapshot(21)];
    let Decision::Refused(refusal) = decide(&source, Some(&target)) else { panic!() };
    let text =
        "host and archiver have no snapshot in common (host: @s1 … @s9, 9 snapshots; archiver: @s20 @s21)";
    assert_eq!(refusal.to_string(), text);
}

/// Plays a cursor's life against a model of the host's bookmarks.
fn apply(dataset: &mut Dataset, changes: &dormouse::zfs::cursor::Changes) {
    for (name, bookmark) in &changes.make {
        let snapshot = dataset.snapshots.iter().find(|s| s.name == *name).unwrap();
        let (guid, createtxg, creation) = (snapshot.guid, snapshot.createtxg, snapshot.creation);
        dataset.bookmarks.push(Bookmark { name: bookmark.clone(), guid, createtxg, creation });
    }
    dataset.bookmarks.retain(|bookmark| !changes.destroy.contains(&bookmark.name));
}

#[test]
fn a_cursor_acknowledges_only_what_was_seen() {
    let cursors = Cursors::new("home", "archiver");
    let mut source = dataset("tank/a");
    for number in 1..=4 {
        source.snapshots.push(snapshot(number));
        let listed = source.clone();
        let made = cursors.before_send(&source, &snapshot(number));
        apply(&mut source, &made);
        assert_eq!(cursors.acknowledged(&source), None, "under way is not acknowledged");
        // A run that is killed here makes nothing twice in its next attempt.
        assert!(cursors.before_send(&source, &snapshot(number)).make.is_empty());
        let seen = cursors.after_receive(&listed, &snapshot(number), &made);
        apply(&mut source, &seen);
        assert_eq!(cursors.acknowledged(&source), Some(snapshot(number).guid));
        assert_eq!(source.bookmarks.len(), 1);
    }
}

#[test]
fn cursors_of_others_are_left_alone() {
    let cursors = Cursors::new("home", "archiver");
    let mut source = dataset("tank/a");
    source.snapshots.push(snapshot(1));
    source.bookmarks = vec![bookmark(1, "mine"), bookmark(1, "dormouse_home_nas_1001")];
    let seen = cursors.after_receive(&source, &snapshot(1), &Default::default());
    apply(&mut source, &seen);
    assert_eq!((source.bookmarks.len(), seen.destroy.len()), (3, 0));
    assert_eq!(cursors.acknowledged(&source), Some(snapshot(1).guid));
}

#[test]
fn a_host_takes_each_snapshot_of_a_run_by_itself() {
    let source = Dataset { snapshots: (1..=4).map(snapshot).collect(), ..dataset("tank/a") };
    let all = dormouse::zfs::plan::streams(&source, None);
    let single = dormouse::zfs::plan::single_steps(&source, &all);
    let words: Vec<_> = single
        .iter()
        .map(|stream| match stream {
            Stream::Full { to } => format!("all of {}", to.name),
            Stream::Step { from: Base::Snapshot(from), to } => format!("{} to {}", from.name, to.name),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(words.len(), all.iter().map(Stream::count).sum::<usize>());
    assert_eq!(words, ["all of s1", "s1 to s2", "s2 to s3", "s3 to s4"]);
}
