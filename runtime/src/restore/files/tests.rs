//! Archives of a hostile archiver, and folders of a hostile user.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::stage::{Stage, Trouble, check};
use super::unpack;
use crate::restore::refusal::Refusal;

/// A member of an archive: its name, kind (tar(5), `typeflag`), mode, link target and contents.
struct Member(&'static str, u8, u32, &'static str, &'static str);

/// A header of the ustar format, and the contents.
fn packed(Member(name, kind, mode, target, text): &Member) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, value: &str| header[at..at + value.len()].copy_from_slice(value.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    put(108, &format!("{user:07o}"));
    put(116, &format!("{group:07o}"));
    put(124, &format!("{:011o}", text.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(157, target);
    put(257, "ustar\x0000");
    // The first disk; a name without a number, as overlayfs has it, for a character device.
    put(329, if *kind == b'4' { "0000010" } else { "0000000" });
    put(337, "0000000");
    header[156] = *kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = text.len().next_multiple_of(512) - text.len();
    [header, text.as_bytes().to_vec(), vec![0; padding]].concat()
}

/// Unpacks an archive as a restore does; `Err` with what it says.
fn restore(members: &[Member], asked: &[&str], into: &Path) -> Result<(), String> {
    let asked: Vec<String> = asked.iter().map(|path| (*path).to_owned()).collect();
    let stage = Stage::within(into).map_err(|trouble| format!("{trouble:?}"))?;
    let argv = unpack(&stage.folder(), &asked);
    let mut tar = Command::new(&argv[0]);
    let mut tar = tar.args(&argv[1..]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let archive: Vec<u8> = members.iter().flat_map(packed).chain([0; 10240]).collect();
    tar.stdin.take().unwrap().write_all(&archive).unwrap();
    let output = tar.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    stage.settle(&asked).map_err(|trouble| format!("{trouble:?}"))
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_come_to_their_places_in_a_folder_that_is_made_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("found");
    let letter = || Member("./anna/a b", b'0', 0o640, "", "dear");
    restore(&[letter(), Member("other", b'0', 0o644, "", "")], &["./anna/a b"], &into).unwrap();
    assert_eq!(fs::read_to_string(into.join("anna/a b")).unwrap(), "dear");
    assert_eq!((mode(&into), mode(&into.join("anna")), mode(&into.join("anna/a b"))), (0o700, 0o700, 0o640));
    // What was not asked for is not written, and what was unpacked leaves nothing.
    assert_eq!(names(&into), ["anna"]);
    // Another file beside it, a folder, and the whole dataset.
    let two = [Member("anna/b", b'0', 0o600, "", "b"), Member("docs/c", b'0', 0o600, "", "c")];
    restore(&two, &["anna/b", "docs"], &into).unwrap();
    assert_eq!(
        (names(&into), names(&into.join("anna"))),
        (vec!["anna".into(), "docs".into()], vec!["a b".into(), "b".into()])
    );
    let all = folder.path().join("all");
    restore(&[Member("./", b'5', 0o777, "", ""), Member("./x", b'0', 0o600, "", "")], &["."], &all).unwrap();
    assert_eq!((names(&all), mode(&all)), (vec!["x".to_owned()], 0o700));
    // What exists stays.
    let again = restore(&[letter()], &["./anna/a b"], &into).unwrap_err();
    assert!(again.contains("FileExists"), "{again}");
}

#[test]
fn an_archive_gives_nobody_the_rights_of_another_user() {
    let folder = tempfile::tempdir().unwrap();
    let members = [
        Member("bin", b'5', 0o6755, "", ""),
        Member("bin/sh", b'0', 0o6755, "", "#!/bin/sh"),
        Member("bin/hard", b'1', 0o6755, "bin/sh", ""),
    ];
    restore(&members, &["bin"], folder.path()).unwrap();
    for name in ["bin", "bin/sh", "bin/hard"] {
        assert_eq!(mode(&folder.path().join(name)), 0o755, "{name}");
    }
}

#[test]
fn an_archive_makes_no_device() {
    for (kind, name) in [(b'4', "sda"), (b'3', "null")] {
        let folder = tempfile::tempdir().unwrap();
        let refused = restore(&[Member("sda", kind, 0o666, "", "")], &["sda"], folder.path());
        let refused = refused.unwrap_err();
        assert!(
            refused.contains("Operation not permitted") || refused.contains("is a device"),
            "{name}: {refused}"
        );
        assert!(names(folder.path()).is_empty(), "{name}");
    }
}

#[test]
fn a_link_leads_nowhere_whoever_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let (into, outside) = (folder.path().join("found"), folder.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::DirBuilder::new().create(&into).unwrap();
    let letter = || Member("anna/letter", b'0', 0o600, "", "");
    // One that was there before.
    symlink(&outside, into.join("anna")).unwrap();
    let refused = restore(&[letter()], &["anna/letter"], &into).unwrap_err();
    assert!(refused.contains("cannot write anna/letter"), "{refused}");
    // Ones of the archive, over which it writes.
    fs::remove_file(into.join("anna")).unwrap();
    for target in [outside.to_str().unwrap().to_owned().leak() as &str, "../outside", "../../../outside"] {
        let _either = restore(&[Member("anna", b'2', 0o777, target, ""), letter()], &["anna"], &into);
        let _either = restore(&[Member("anna", b'2', 0o777, target, ""), letter()], &["anna/letter"], &into);
        let hard = Member("hard", b'1', 0o777, target, "");
        let _either = restore(&[hard], &["hard"], &into);
    }
    assert!(names(&outside).is_empty());
}

#[test]
fn a_folder_that_others_control_gets_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, link, open) =
        (folder.path().join("ours"), folder.path().join("link"), folder.path().join("open"));
    fs::create_dir(&ours).unwrap();
    symlink(&ours, &link).unwrap();
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
    // A slash at the end follows a link.
    for path in [open, link.join("."), link.join(""), link] {
        assert!(matches!(check(&path), Err(Refusal::IntoNotOurs { .. })), "{}", path.display());
        assert!(matches!(Stage::within(&path), Err(Trouble::Refused(Refusal::IntoNotOurs { .. }))));
    }
    assert!(check(&ours).is_ok() && check(&folder.path().join("new")).is_ok());
    if !rustix::process::geteuid().is_root() {
        assert!(check(Path::new("/")).is_err(), "root's");
    }
}
