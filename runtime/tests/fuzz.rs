//! What programs print may be cut, garbled or something else: it is read, or it is an error, and never
//! something in between.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../generator/tests/support/fuzz.rs"]
mod random;

use dormouse::report::seen;
use dormouse::zfs::listing::Listing;
use dormouse::zfs::retention::{self, decide};
use dormouse::zfs::token::Token;
use dormouse::zfs::{estimate, follow, stderr};
use dormouse_generator::spec::SnapshotClass;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

/// Real texts of each kind, from which others are made.
const SEEDS: &[&str] = &[
    "tank/a\tfilesystem\t11\t-\t-\t-\t-\t1700000201\t1:abc\ntank/a/b c\tvolume\t12\ttank\t1-abc\toff\ttank/a@b\t-\t1:abc\n\
     tank/a@b\t22\t9\t1700000200\t1\t4096\ntank/a@zfs-auto-snap_hourly-2026-11-01-12h00\t21\t7\n\
     tank/a#dormouse_home_nas_21\t21\t7\t1700000100\t-\t-\n",
    "v/a@zfs-auto-snap_hourly-4\t9000\t0\t\nv/a@by-hand\t8000\t0\t\nv/a@zfs-auto-snap_daily-1\t4000\t1\tv/clone\n",
    "t@a\tuserrefs\t0\nt@a\tdormouse:missed\t-\nt@b\tuserrefs\t2\nt@b\tdormouse:missed\t100\n",
    "resume token contents:\nnvlist version: 0\n\tobject = 0x2\n\toffset = 0x60000\n\tbytes = 0x6a8f0\n\t\
     toguid = 0x7b5b3b7c6d1f2a9e\n\ttoname = tank/a@b\n\tfromguid = 0x1\n\trawok = 1\nfull\ttank/a@b\t4242\nsize\t4242\n",
    "incremental\ttank/a@b\ttank/a@c\t624\nsize\t624\n",
    "536870912000\t12884901888\t523986010112\tONLINE\n  pool: vault\n state: ONLINE\n  scan: scrub repaired 0B in \
     00:41:07 with 0 errors on Sun Nov  1 02:41:08 2026\nerrors: No known data errors\n",
    "cannot receive incremental stream: destination vault/a has been modified\nsince most recent snapshot\n",
    "cannot open 'vault/a': dataset does not exist\nHost key verification failed.\n",
];

/// A change to a text.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Drop(Index),
    Put(Index, char),
    /// Lines change places.
    Swap(Index, Index),
    Repeat(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let odd = prop::sample::select("\t\n@#/-0x18446744073709551616é\0 =%'".chars().collect::<Vec<_>>());
    prop_oneof![
        any::<Index>().prop_map(Change::Cut),
        any::<Index>().prop_map(Change::Drop),
        (any::<Index>(), odd).prop_map(|(at, put)| Change::Put(at, put)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
        any::<Index>().prop_map(Change::Repeat),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut signs: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.lines().collect();
    if signs.is_empty() || lines.is_empty() {
        return text.to_owned();
    }
    match change {
        Change::Cut(at) => signs.truncate(at.index(signs.len())),
        Change::Drop(at) => drop(signs.remove(at.index(signs.len()))),
        Change::Put(at, put) => signs.insert(at.index(signs.len()), *put),
        Change::Swap(one, other) => {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
            return lines.join("\n") + "\n";
        }
        Change::Repeat(at) => {
            lines.push(lines[at.index(lines.len())]);
            return lines.join("\n") + "\n";
        }
    }
    signs.into_iter().collect()
}

#[test]
fn whatever_programs_print_is_read_whole_or_not_at_all() {
    let mut runner = TestRunner::new(random::config("tests/fuzz.seeds", 20_000));
    let seeds = prop::sample::select(SEEDS.to_vec());
    let texts = (seeds, prop::collection::vec(change(), 0..6));
    let texts = texts.prop_map(|(seed, changes)| {
        changes.iter().fold(seed.to_owned(), |text, change| apply(&text, change))
    });
    runner.run(&texts, |text| check(&text)).unwrap();
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let lines = text.lines().count();
    // A listing that is shorter than what was printed would be taken for deletions.
    if let Ok(datasets) = Listing::read(text) {
        let held: usize = datasets.values().map(|each| 1 + each.snapshots.len() + each.bookmarks.len()).sum();
        prop_assert_eq!(held, lines);
    }
    let all = SnapshotClass::all().into_iter().map(|class| (class, 0)).collect();
    if let Ok(verdicts) = decide(text, &all, i64::MAX) {
        prop_assert_eq!(verdicts.len(), lines);
        let goes = |verdict: &&retention::Verdict| verdict.destroy;
        let is_ours = |verdict: &retention::Verdict| verdict.snapshot.contains("@zfs-auto-snap_");
        prop_assert!(verdicts.iter().filter(goes).all(is_ours), "{:?}", verdicts);
    }
    if let Some(missed) = follow::read(text) {
        prop_assert!(missed.len() <= lines);
    }
    if let Some(token) = Token::read(text) {
        prop_assert!(text.contains(&token.to_name));
    }
    if let Some(sight) = seen::read_pool(text, 0) {
        prop_assert!(text.contains(&sight.health));
    }
    let _ = (estimate::read(text), stderr::meaning(text), Token::unreadable(text));
    Ok(())
}
