//! The mark that says that there is nothing to do, against every small change to a tree.

#![allow(clippy::unwrap_used, clippy::panic)]

use dormouse::zfs::listing::{Datasets, Listing};
use dormouse::zfs::mark::{Mark, property};
use dormouse_generator::spec::Replication;

const TREE: &str = "tank/safe\tfilesystem\t11\t-\t-\t-\t-\t1000\t-\n\
    tank/safe/a\tfilesystem\t12\t-\t-\t-\t-\t-\t-\n\
    tank/safe/b\tvolume\t13\t-\t-\t-\t-\t1001\t-\n";

fn tree(text: &str) -> Datasets {
    Listing::read(text).unwrap()
}

fn replication(target: &str) -> Replication {
    let json = format!(r#"{{ "archiver": "nas", "source": "tank/safe", "target": "{target}" }}"#);
    serde_json::from_str(&json).unwrap()
}

fn is_valid(kept: &str, text: &str, now: i64) -> bool {
    Mark::is_valid(kept, &tree(text), &replication("vault/a"), now)
}

#[test]
fn a_mark_holds_until_anything_changes() {
    let kept = Mark::new(&tree(TREE), &replication("vault/a"), 1002).unwrap().to_string();
    assert!(is_valid(&kept, TREE, 1002) && is_valid(&kept, TREE, 999_999));
    for (before, after) in [
        ("\t1000\t", "\t1002\t"),
        ("\t-\t-\n", "\t1002\t-\n"),
        ("\t1001\t", "\t-\t"),
        ("\t-\t1001", "\ttank/x@y\t1001"),
        ("\t12\t", "\t14\t"),
        ("safe/a", "safe/c"),
    ] {
        let changed = TREE.replacen(before, after, 1);
        assert_ne!(changed, TREE, "{before:?}");
        assert!(!is_valid(&kept, &changed, 2000), "{before:?} to {after:?}");
    }
    let fewer: String = TREE.lines().take(2).map(|line| format!("{line}\n")).collect();
    assert!(!is_valid(&kept, &fewer, 2000));
    assert!(!Mark::is_valid(&kept, &tree(TREE), &replication("vault/b"), 2000), "another copy");
}

#[test]
fn a_mark_knows_its_datasets_whatever_happens_to_their_snapshots() {
    let kept = Mark::new(&tree(TREE), &replication("vault/a"), 1002).unwrap().to_string();
    let is_of = |text: &str, target: &str| Mark::is_of(&kept, &tree(text), &replication(target));
    let later = TREE.replace("\t1000\t", "\t1002\t").replace("\t1001\t", "\t1003\t");
    assert!(is_of(TREE, "vault/a") && is_of(&later, "vault/a"));
    assert!(!is_of(TREE, "vault/b"));
    for (before, after) in
        [("\t12\t", "\t14\t"), ("safe/a", "safe/c"), ("\t-\t1001", "\ttank/x@y\t1001"), ("tank/safe/a\t", "")]
    {
        let changed: Vec<&str> =
            TREE.lines().filter(|line| !after.is_empty() || !line.contains(before)).collect();
        let changed = changed.join("\n").replacen(before, after, 1);
        assert!(!is_of(&changed, "vault/a"), "{before:?} to {after:?}");
    }
    let former = kept.rsplitn(3, ':').last().unwrap();
    assert!(is_valid(former, TREE, 2000) && !Mark::is_of(former, &tree(TREE), &replication("vault/a")));
}

#[test]
fn a_mark_knows_its_target_whatever_happens_to_the_datasets() {
    let kept = Mark::new(&tree(TREE), &replication("vault/a"), 1002).unwrap().to_string();
    assert!(!Mark::is_elsewhere(&kept, &replication("vault/a")));
    assert!(Mark::is_elsewhere(&kept, &replication("vault/b")));
    let former = kept.rsplit_once(':').unwrap().0;
    assert!(!Mark::is_elsewhere(former, &replication("vault/b")), "it does not say");
}

#[test]
fn there_is_no_mark_for_the_second_of_the_last_change() {
    assert!(Mark::new(&tree(TREE), &replication("vault/a"), 1001).is_none());
    assert!(Mark::new(&tree(TREE), &replication("vault/a"), 1002).is_some());
    let never = TREE.replace("1000", "-").replace("1001", "-");
    assert!(Mark::new(&tree(&never), &replication("vault/a"), 1002).is_none(), "no time, no mark");
}

#[test]
fn a_mark_from_the_future_or_of_another_kind_proves_nothing() {
    let kept = Mark::new(&tree(TREE), &replication("vault/a"), 1002).unwrap().to_string();
    assert!(!is_valid(&kept, TREE, 1001), "the clock was set back");
    for other in ["", "-", "1002", "x:y", "1002:"] {
        assert!(!is_valid(other, TREE, 2000), "{other:?}");
    }
}

#[test]
fn each_replication_has_a_property_of_its_own() {
    assert_eq!(property("home", "nas", "safe"), "dormouse:home.nas.safe");
}
