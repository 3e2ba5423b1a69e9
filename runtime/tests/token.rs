//! Resume tokens, as OpenZFS prints them.

#![allow(clippy::unwrap_used, clippy::panic)]

use dormouse::zfs::token::{Stale, Token};
use dormouse::zfs::{Dataset, Guid, Kind, Snapshot};
use dormouse_generator::name::DatasetName;

const PRINTED: &str = "resume token contents:\nnvlist version: 0\n\tfromguid = 0x3e9\n\tobject = 0x2\n\toffset = 0x2c0000\n\t\
    bytes = 0x2d1f10\n\ttoguid = 0x3ea\n\ttoname = tank/a@s 2\n\tlargeblockok = 1\n\tembedok = 1\n\tcompressok = 1\n\
    incremental\ttank/a@s1\ttank/a@s 2\t5271048\nsize\t5271048\n";

fn source(numbers: &[u64]) -> Dataset {
    let snapshot = |number: &u64| Snapshot {
        name: format!("s {number}"),
        guid: Guid(1000 + number),
        createtxg: *number,
        creation: 0,
        holds: 0,
        size: None,
    };
    Dataset {
        guid: Guid(1),
        changed: None,
        origin: None,
        stays: false,
        is_passive: false,
        partial: false,
        name: DatasetName::new("tank/a").unwrap(),
        kind: Kind::Filesystem,
        encryption_root: None,
        token: None,
        snapshots: numbers.iter().map(snapshot).collect(),
        unsent: vec![],
        bookmarks: vec![],
    }
}

#[test]
fn a_token_whose_snapshot_is_gone_is_told_from_one_that_is_broken() {
    let gone = "cannot resume send: 'tank/a@s 1' used in the initial send no longer exists\n";
    assert_eq!(Token::unreadable(gone), Stale::SnapshotGone("tank/a@s 1".to_owned()));
    let broken = "cannot resume send: token is corrupt\n";
    assert_eq!(
        Token::unreadable(broken),
        Stale::Unreadable("cannot resume send: token is corrupt".to_owned())
    );
}

#[test]
fn a_token_is_read() {
    let token = Token::read(PRINTED).unwrap();
    let (to_name, from) = ("tank/a@s 2".to_owned(), Some(Guid(1001)));
    assert_eq!(token, Token { to: Guid(1002), to_name, from, bytes: 0x2d_1f10, raw: false });
    assert_eq!(Token::read("cannot resume send: token is corrupt\n"), None);
}

#[test]
fn a_token_is_stale_once_the_host_cannot_continue() {
    let token = Token::read(PRINTED).unwrap();
    assert_eq!(token.check(&source(&[1, 2, 3]), false), Ok(()));
    assert!(matches!(token.check(&source(&[1, 3]), false), Err(Stale::SnapshotGone(_))));
    assert!(matches!(token.check(&source(&[2, 3]), false), Err(Stale::BaseGone(_))));
    assert!(matches!(token.check(&source(&[1, 2]), true), Err(Stale::Rawness { raw: false })));
    let renamed = Dataset { name: DatasetName::new("tank/b").unwrap(), ..source(&[1, 2]) };
    assert!(matches!(token.check(&renamed, false), Err(Stale::Renamed(_))));
}
