//! Command lines, as text.

#![allow(clippy::unwrap_used, clippy::panic)]

use dormouse::exec::display;
use dormouse::ssh::line;
use dormouse::zfs::argv::Make;
use dormouse::zfs::plan::{Base, Stream};
use dormouse::zfs::{Bookmark, Guid, Kind, Snapshot, argv};
use dormouse_generator::name::DatasetName;

fn name(text: &str) -> DatasetName {
    DatasetName::new(text).unwrap()
}

fn snapshot(text: &str) -> Snapshot {
    Snapshot { name: text.to_owned(), guid: Guid(1), createtxg: 1, creation: 1, holds: 0, size: None }
}

#[test]
fn streams() {
    let (dataset, to) = (name("tank/a b"), snapshot("2"));
    let bookmark = Bookmark { name: "m".to_owned(), guid: Guid(1), createtxg: 1, creation: 1 };
    let cases = [
        (Stream::Full { to: to.clone() }, "'tank/a b@2'"),
        (
            Stream::Step { from: Base::Snapshot(snapshot("1")), to: to.clone() },
            "-i 'tank/a b@1' 'tank/a b@2'",
        ),
        (Stream::Step { from: Base::Bookmark(bookmark), to: to.clone() }, "-i 'tank/a b#m' 'tank/a b@2'"),
        (Stream::Run { from: snapshot("1"), to, count: 3 }, "-I 'tank/a b@1' 'tank/a b@2'"),
    ];
    for (stream, text) in cases {
        assert_eq!(display(&argv::send(&dataset, &stream, false)), format!("zfs send -L -c {text}"));
        assert_eq!(display(&argv::send(&dataset, &stream, true)), format!("zfs send -L -c -w {text}"));
        assert_eq!(
            display(&argv::estimate(&dataset, &stream, false)),
            format!("zfs send -n -P -L -c {text}")
        );
    }
}

#[test]
fn what_is_mounted_for_reading_gives_no_rights() {
    let mount = argv::mount(&name("tank/a"), "s", "/run/m").join(" ");
    assert_eq!(mount, "mount -t zfs -o ro,nosuid,nodev,noexec tank/a@s /run/m");
    assert_eq!(argv::FOR_READING, "ro,nosuid,nodev,noexec", "and so on the archiver");
}

const PASSIVE: Make = Make { passive: true, keyless: false };

#[test]
fn nothing_is_ever_received_by_force_or_mounted() {
    let filesystem = argv::receive(&name("vault/a"), Kind::Filesystem, PASSIVE);
    let volume = argv::receive(&name("vault/a"), Kind::Volume, PASSIVE);
    assert_eq!(
        filesystem.join(" "),
        "zfs receive -s -u -x mountpoint -o canmount=noauto -o readonly=on vault/a"
    );
    assert_eq!(volume.join(" "), "zfs receive -s -u -o volmode=none -o readonly=on vault/a");
    let keyless = argv::receive(&name("vault/a"), Kind::Volume, Make { keyless: true, ..PASSIVE });
    assert_eq!(
        keyless.join(" "),
        "zfs receive -s -u -o encryption=off -o volmode=none -o readonly=on vault/a"
    );
    let back = argv::receive_back(&name("tank/a b"), "one", &snapshot("two three"), false);
    assert_eq!(display(&back), "zfs receive -s -u -o 'dormouse:restoring=1 two three' 'tank/a b@one'");
    assert_eq!(argv::receive_further(&name("tank/a"), "two").join(" "), "zfs receive -s -u tank/a@two");
    let several = argv::receives(&name("vault/a"), Kind::Volume, PASSIVE, 3);
    assert_eq!(several[0], volume);
    assert_eq!(
        several[1..].iter().map(|command| command.join(" ")).collect::<Vec<_>>(),
        ["zfs receive -s -u vault/a"; 2]
    );
    assert_eq!(argv::receives(&name("vault/a"), Kind::Volume, Make::default(), 2), several[1..]);
    let owned = Make { passive: false, keyless: true };
    let owned = argv::receive(&name("vault/a"), Kind::Volume, owned);
    assert_eq!(owned.join(" "), "zfs receive -s -u -o encryption=off vault/a");
    let placeholder =
        |passive| argv::create_placeholder(&name("vault/a"), Make { passive, keyless: false }).join(" ");
    let mark = "-o dormouse:placeholder=vault/a vault/a";
    assert_eq!(
        placeholder(true),
        format!("zfs create -o canmount=off -o mountpoint=none -o readonly=on {mark}")
    );
    assert_eq!(placeholder(false), format!("zfs create -u {mark}"));
    let kept = argv::create_kept(&name("vault/a")).join(" ");
    let unmounted =
        "-o canmount=off -o com.sun:auto-snapshot=false -o mountpoint=none -o readonly=on -o volmode=none";
    assert_eq!(kept, format!("zfs create {unmounted} vault/a"));
    for command in [filesystem, volume, keyless, back, several[1].clone(), argv::abandon(&name("vault/a"))] {
        assert!(command.iter().all(|word| !word.starts_with('-') || !word.contains('F')), "{command:?}");
    }
}

#[test]
fn commands_there_are_quoted_words_joined_by_and() {
    let receives =
        [argv::receive(&name("vault/it is"), Kind::Volume, PASSIVE), argv::abandon(&name("vault/b"))];
    let expected =
        "zfs receive -s -u -o 'volmode=none' -o 'readonly=on' 'vault/it is' && zfs receive -A vault/b";
    assert_eq!(line(&receives).unwrap(), expected);
    let hostile = vec![vec!["a\nb; $(c) `d` 'e' && f".to_owned()]];
    assert_eq!(shlex::split(&line(&hostile).unwrap()).unwrap(), hostile[0]);
    assert!(line(&[vec!["a\0b".to_owned()]]).is_err());
}

#[test]
fn a_listing_of_snapshots_asks_for_nothing_slow() {
    let text = argv::list_snapshots(&name("tank/a"), true).join(" ");
    assert_eq!(text, "zfs list -H -p -r -t snapshot -o name,guid,createtxg tank/a");
    let text = argv::list_datasets(&name("tank/a"), false, &["dormouse:x", "y"]).join(" ");
    let columns = "name,type,guid,encryptionroot,receive_resume_token,dormouse:x,y";
    assert_eq!(text, format!("zfs list -H -p -d 0 -t filesystem,volume -o {columns} tank/a"));
}

#[test]
fn what_is_being_brought_back_is_told_by_properties_of_its_own() {
    let listed = argv::list_restoring(&name("tank/a")).join(" ");
    let get = "zfs get -H -p -r -t filesystem,volume -s local -o name,value";
    assert_eq!(listed, format!("{get} dormouse:restoring tank/a"));
    assert_eq!(argv::restored(&name("tank/a")).join(" "), "zfs inherit dormouse:restoring tank/a");
}

#[test]
fn only_a_bookmark_or_a_single_snapshot_can_be_destroyed() {
    assert_eq!(argv::destroy_bookmark(&name("tank/a"), "x"), ["zfs", "destroy", "tank/a#x"]);
    let snapshot = argv::destroy_snapshot(&name("vault/a"), "x");
    assert_eq!(snapshot, ["zfs", "destroy", "vault/a@x"], "never what depends on it");
    // No bookmark is empty and names hold no separator, so the argument always names a bookmark.
    assert!(argv::destroy_bookmark(&name("tank/a"), "").last().unwrap().ends_with('#'));
}
