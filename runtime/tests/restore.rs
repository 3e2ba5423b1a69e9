//! What is brought back, and what is in the way.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write;

use dormouse::restore::choice::Wanted;
use dormouse::restore::plan::{Host, Piece, Plan, Request, Step, UnderWay, Why, step};
use dormouse::restore::refusal::Refusal;
use dormouse::zfs::Guid;
use dormouse::zfs::listing::{Datasets, Listing};
use dormouse::zfs::plan::Stream;
use dormouse::zfs::token::{Stale, Token};
use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;
use jiff::Timestamp;

fn name(text: &str) -> DatasetName {
    DatasetName::new(text).unwrap()
}

/// Datasets with snapshots `s<number>`, each with that GUID, as old as its number. A token follows a
/// `!`, the dataset whose key it has a `*`.
fn datasets(list: &[(&str, &[u64])]) -> Datasets {
    let mut text = String::new();
    for (dataset, snapshots) in list {
        let (dataset, token) = dataset.split_once('!').unwrap_or((dataset, "-"));
        let (dataset, key) = dataset.split_once('*').unwrap_or((dataset, "-"));
        writeln!(text, "{dataset}\tfilesystem\t1\t{key}\t{token}").unwrap();
        for number in *snapshots {
            writeln!(text, "{dataset}@s{number}\t{number}\t{number}\t{number}\t0\t9").unwrap();
        }
    }
    Listing::read(&text).unwrap()
}

fn request(wanted: Wanted) -> Request {
    Request {
        archiver: "nas".to_owned(),
        dataset: name("tank/safe"),
        copy: name("vault/safe"),
        root: name("vault/safe"),
        to: name("tank/safe"),
        wanted,
        only: false,
        raw: Raw::Auto,
        accepts_unencrypted: false,
    }
}

fn host(list: &[(&str, &[u64])], under_way: &[(&str, u64)]) -> Host {
    let until = |guid: &u64| UnderWay::read(&format!("{guid} s{guid}")).unwrap();
    Host {
        datasets: datasets(list),
        under_way: under_way.iter().map(|(dataset, guid)| (name(dataset), until(guid))).collect(),
        has_parent: true,
        ..Host::default()
    }
}

fn token(to: u64, from: Option<u64>) -> Token {
    let to_name = format!("vault/safe@s{to}");
    Token { to: Guid(to), to_name, from: from.map(Guid), bytes: 1, raw: false }
}

/// The streams as words.
fn words(step: &Step) -> String {
    let word = |stream: &Stream| match stream {
        Stream::Full { to } => format!("all of {}", to.name),
        Stream::Step { to, .. } => format!("on to {}", to.name),
        Stream::Run { from, to, count } => format!("{} to {} ({count})", from.name, to.name),
    };
    match step {
        Step::Streams(streams) => streams.iter().map(word).collect::<Vec<_>>().join(", "),
        Step::Resume(token) => format!("resume {token}"),
        Step::Done => "done".to_owned(),
    }
}

fn only(plan: Result<Plan, Refusal>) -> Piece {
    let mut pieces = plan.unwrap().pieces;
    assert_eq!(pieces.len(), 1);
    pieces.remove(0)
}

#[test]
fn the_oldest_comes_first_and_all_up_to_the_chosen_one_follow() {
    let copies = datasets(&[("vault/safe", &[1, 2, 3, 4])]);
    let at = Wanted::At(Timestamp::from_second(2).unwrap());
    let cases = [
        (Wanted::Newest, false, "all of s1, s1 to s4 (3)"),
        (Wanted::Named("s2".to_owned()), false, "all of s1, on to s2"),
        (at, false, "all of s1, on to s2"),
        (Wanted::Named("s1".to_owned()), false, "all of s1"),
        (Wanted::Named("s3".to_owned()), true, "all of s3"),
    ];
    for (wanted, single, expected) in cases {
        let request = Request { only: single, ..request(wanted) };
        let piece = only(Plan::new(&request, &copies, &host(&[], &[])));
        assert_eq!(words(&piece.step), expected);
    }
}

#[test]
fn an_encrypted_copy_comes_back_raw_if_its_key_is_one_of_the_hosts() {
    for (copy, raw) in [("vault/safe", false), ("vault/safe*vault/safe", true), ("vault/safe*vault", false)] {
        let copies = datasets(&[(copy, &[1])]);
        assert_eq!(only(Plan::new(&request(Wanted::Newest), &copies, &host(&[], &[]))).raw, raw, "{copy}");
    }
}

#[test]
fn what_is_plain_below_a_raw_one_comes_back_without_its_key() {
    let copies = datasets(&[
        ("vault/safe*vault/safe", &[1]),
        ("vault/safe/inner*vault/safe", &[1]),
        ("vault/safe/open", &[1]),
        ("vault/safe/open/below", &[1]),
    ]);
    let plan = |home: &[(&str, &[u64])], request: &Request| {
        Plan::new(request, &copies, &Host { home: datasets(home), ..host(&[], &[]) })
    };
    let asked = request(Wanted::Newest);
    // An archiver could say so of what was encrypted.
    let refused = plan(&[], &asked);
    assert!(
        matches!(&refused, Err(Refusal::Unencrypted { dataset, .. }) if *dataset == name("tank/safe/open"))
    );
    let home: [(&str, &[u64]); 2] = [("tank/safe/open", &[]), ("tank/safe/open/below", &[])];
    assert!(plan(&home, &asked).is_ok());
    let plan = plan(&[], &Request { accepts_unencrypted: true, ..asked }).unwrap();
    let keyless: Vec<bool> = plan.pieces.iter().map(|piece| piece.keyless).collect();
    assert_eq!(keyless, [false, false, true, false]);
}

#[test]
fn what_was_encrypted_at_home_does_not_come_back_plain_unasked() {
    let copies = datasets(&[("vault/safe", &[1])]);
    let plan = |home: &str, raw, lands_encrypted, accepts_unencrypted| {
        let home = if home.is_empty() { Datasets::new() } else { datasets(&[(home, &[])]) };
        let request = Request { raw, accepts_unencrypted, ..request(Wanted::Newest) };
        let request = Request { to: name("tank/back"), ..request };
        let host = Host { home, lands_encrypted, ..host(&[], &[]) };
        match Plan::new(&request, &copies, &host) {
            Ok(_) => true,
            Err(Refusal::Unencrypted { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let (secret, open) = ("tank/safe*tank/safe", "tank/safe");
    for raw in [Raw::Auto, Raw::Always] {
        assert!(!plan(secret, raw, true, false) && plan(secret, raw, false, true));
        assert!(plan(open, raw, false, false));
    }
    assert!(!plan("", Raw::Always, false, false) && plan("", Raw::Auto, false, false));
    assert!(!plan(secret, Raw::Never, false, false) && plan(secret, Raw::Never, true, false));
    assert!(plan("", Raw::Never, false, false));
}

#[test]
fn what_only_holds_others_is_made_for_them() {
    let copies = datasets(&[
        ("vault/safe*vault/safe", &[1]),
        ("vault/safe/empty", &[]),
        ("vault/safe/holder", &[]),
        ("vault/safe/holder/inner", &[]),
        ("vault/safe/holder/inner/leaf", &[1]),
    ]);
    let asked = Request { accepts_unencrypted: true, ..request(Wanted::Newest) };
    let plan = Plan::new(&asked, &copies, &host(&[], &[])).unwrap();
    let pieces: Vec<_> = plan.pieces.iter().map(|piece| piece.name.as_str()).collect();
    assert_eq!(pieces, ["tank/safe", "tank/safe/holder/inner/leaf"]);
    let holders: Vec<_> = plan.holders.iter().map(|each| (each.name.as_str(), each.keyless)).collect();
    assert_eq!(holders, [("tank/safe/holder", true), ("tank/safe/holder/inner", false)]);
    assert_eq!(plan.left.iter().map(|left| left.name.as_str()).collect::<Vec<_>>(), ["tank/safe/empty"]);
    let made = host(&[("tank/safe/holder", &[])], &[]);
    let plan = Plan::new(&asked, &copies, &made).unwrap();
    assert_eq!(
        plan.holders.iter().map(|each| each.name.as_str()).collect::<Vec<_>>(),
        ["tank/safe/holder/inner"]
    );
}

#[test]
fn a_tree_leaves_out_what_lacks_the_snapshot_or_a_place() {
    let copies = datasets(&[
        ("vault/safe", &[1, 2]),
        ("vault/safe/a", &[1, 2]),
        ("vault/safe/a.aside-20261125T031500Z", &[1]),
        ("vault/safe/late", &[2]),
        ("vault/safe/late/old", &[1]),
    ]);
    let plan = Plan::new(&request(Wanted::Named("s1".to_owned())), &copies, &host(&[], &[])).unwrap();
    let names: Vec<_> = plan.pieces.iter().map(|piece| piece.name.as_str()).collect();
    assert_eq!(names, ["tank/safe", "tank/safe/a"]);
    let left: Vec<_> = plan.left.iter().map(|left| (left.name.as_str(), left.why.clone())).collect();
    let wanted = [
        ("tank/safe/a.aside-20261125T031500Z", Why::Aside),
        ("tank/safe/late", Why::NoSnapshot("snapshot @s1".to_owned())),
        ("tank/safe/late/old", Why::NoParent(name("tank/safe/late"))),
    ];
    assert_eq!(left, wanted);
    let none = Plan::new(&request(Wanted::Named("s9".to_owned())), &copies, &host(&[], &[]));
    assert!(matches!(none, Err(Refusal::NoSnapshot { .. })));
    let none = Plan::new(&request(Wanted::Newest), &datasets(&[]), &host(&[], &[]));
    assert!(matches!(none, Err(Refusal::NoCopy { .. })));
    let nowhere = Host { has_parent: false, ..host(&[], &[]) };
    let none = Plan::new(&request(Wanted::Newest), &datasets(&[("vault/safe", &[1])]), &nowhere);
    assert!(matches!(none, Err(Refusal::NoParent { .. })));
}

#[test]
fn what_exists_is_refused_even_if_it_is_empty_or_a_part_of_the_copy() {
    let copies = datasets(&[("vault/safe", &[1, 2, 3]), ("vault/safe/a", &[1, 2, 3])]);
    for here in [&[][..], &[1], &[1, 2, 3], &[7]] {
        for place in ["tank/safe", "tank/safe/a", "tank/safe!1-abc"] {
            let plan = Plan::new(&request(Wanted::Newest), &copies, &host(&[(place, here)], &[]));
            assert!(matches!(plan, Err(Refusal::Exists { .. })), "{place} {here:?}");
        }
    }
    // What is below is nothing to a restore of one dataset.
    let one = datasets(&[("vault/safe", &[1, 2, 3])]);
    let ended = Plan::new(&request(Wanted::Newest), &one, &host(&[("tank/other", &[])], &[]));
    assert_eq!(words(&only(ended).step), "all of s1, s1 to s3 (2)");
}

#[test]
fn an_interrupted_restore_goes_on_where_it_was() {
    let copies = datasets(&[("vault/safe", &[1, 2, 3, 4])]);
    let plan = |host: &Host| Plan::new(&request(Wanted::Newest), &copies, host);
    let mark = [("tank/safe", 4)];
    let between = host(&[("tank/safe", &[1, 2])], &mark);
    assert_eq!(words(&only(plan(&between)).step), "s2 to s4 (2)");
    // A snapshot that somebody took meanwhile is no base.
    let snapped = host(&[("tank/safe", &[1, 2, 70])], &mark);
    assert_eq!(words(&only(plan(&snapped)).step), "s2 to s4 (2)");
    assert_eq!(words(&only(plan(&host(&[("tank/safe", &[1, 2, 3, 4])], &mark))).step), "done");
    let with = |here: &[u64], read| {
        let mut host = host(&[("tank/safe!1-abc", here)], &mark);
        host.tokens.insert(name("tank/safe"), read);
        plan(&host)
    };
    assert_eq!(words(&only(with(&[], Ok(token(1, None)))).step), "resume 1-abc");
    assert_eq!(words(&only(with(&[1], Ok(token(2, Some(1))))).step), "resume 1-abc");
    let snapped = with(&[1, 70], Ok(token(2, Some(1))));
    assert!(matches!(&snapped, Err(Refusal::Snapshotted { snapshots, .. }) if snapshots == &["@s70"]));
    for strange in [token(9, None), token(2, None), token(2, Some(9))] {
        let refused = with(&[1], Ok(strange));
        assert!(matches!(refused, Err(Refusal::OtherUnderWay { .. })), "{refused:?}");
    }
    for stale in [Err(Stale::SnapshotGone("x".to_owned())), Ok(Token { raw: true, ..token(1, None) })] {
        assert!(matches!(with(&[], stale), Err(Refusal::Stale { .. })));
    }
}

#[test]
fn a_restore_of_another_snapshot_is_refused_and_nothing_is_destroyed() {
    let copies = datasets(&[("vault/safe", &[1, 2, 3, 4])]);
    let host = host(&[("tank/safe", &[1])], &[("tank/safe", 3)]);
    let plan = Plan::new(&request(Wanted::Newest), &copies, &host);
    let Err(refusal @ Refusal::OtherUnderWay { .. }) = plan else { panic!("{plan:?}") };
    assert_eq!(refusal.to_string(), "tank/safe holds an unfinished restore of @s3, not of @s4");
    assert!(refusal.help().contains("--to tank/safe-restored"), "{}", refusal.help());
}

#[test]
fn what_is_back_of_an_interrupted_tree_is_left_as_it_is() {
    let copies = datasets(&[("vault/safe", &[1, 2]), ("vault/safe/a", &[1, 2]), ("vault/safe/b", &[2])]);
    let here: [(&str, &[u64]); 2] = [("tank/safe", &[1, 2]), ("tank/safe/a", &[1])];
    let under_way = host(&here, &[("tank/safe/a", 2)]);
    let plan = Plan::new(&request(Wanted::Newest), &copies, &under_way).unwrap();
    let steps: Vec<_> = plan.pieces.iter().map(|piece| words(&piece.step)).collect();
    assert_eq!(steps, ["done", "on to s2", "all of s2"]);
    // The control: by itself it is something that exists.
    assert!(matches!(step(&plan.pieces[0], &under_way, false), Err(Refusal::Exists { .. })));
}
