//! The public files of every example are exactly those in `tests/golden`.
//!
//! `DORMOUSE_BLESS=1 cargo test -p dormouse-generator` writes them anew; read the diff.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Of a fleet, one host stands for the others; the manifest has the hashes of all.
fn is_shown(example: &str, path: &str) -> bool {
    let is_one_of_many = path.starts_with("hosts/") || path.starts_with("keys/hosts/");
    example != "fleet" || path != "spec.json" && (!is_one_of_many || path.contains("node07"))
}

fn read_all(folder: &Path, below: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            read_all(&entry.path(), &format!("{path}/"), found);
        } else {
            found.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn every_example_gives_its_golden_files() {
    for name in support::example_names() {
        let (mut public, _) = support::artifacts(&support::example(&name));
        public.retain(|path, _| is_shown(&name, path));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(&name);
        if std::env::var_os("DORMOUSE_BLESS").is_some() {
            let _absent = fs::remove_dir_all(&folder);
            support::write_all(&folder, &public);
        }
        let mut golden = BTreeMap::new();
        read_all(&folder, "", &mut golden);
        let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&golden), names(&public), "{name}");
        for (path, text) in public {
            assert_eq!(golden[&path], text, "{name}/{path}");
        }
    }
}

#[test]
fn no_secret_is_in_a_public_file() {
    for name in support::example_names() {
        let (mut public, secret) = support::artifacts(&support::example(&name));
        let keys: Vec<String> = secret
            .iter()
            .filter(|(path, _)| !path.ends_with(".pub") && !path.ends_with("user-data"))
            .map(|(_, key)| String::from_utf8(key.clone()).unwrap())
            .collect();
        assert!(!keys.is_empty());
        assert_eq!(leaks(&public, &keys), Vec::<String>::new(), "{name}");
        // The search finds what is there.
        let planted = format!("key = \"{}\";", keys[0].replace('\n', "\\n"));
        public.insert("planted".to_owned(), planted);
        assert_eq!(leaks(&public, &keys), ["planted"]);
    }
}

/// The files that hold a line of the middle of a key, or one that has a single line.
fn leaks(files: &BTreeMap<String, String>, keys: &[String]) -> Vec<String> {
    let secret_line = |key: &String| key.lines().nth(3).or(key.lines().next()).unwrap().to_owned();
    let lines: Vec<String> = keys.iter().map(secret_line).collect();
    let holds = |text: &String| text.contains("PRIVATE") || lines.iter().any(|line| text.contains(line));
    files.iter().filter(|(_, text)| holds(text)).map(|(path, _)| path.clone()).collect()
}

#[test]
fn no_host_gets_a_secret_of_an_archiver() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
    let mut given = BTreeMap::new();
    read_all(&units, "systemd/", &mut given);
    for name in support::example_names() {
        let (public, secret) = support::artifacts(&support::example(&name));
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let of =
            |folder: &str| secret.iter().filter(|(path, _)| path.starts_with(folder)).collect::<Vec<_>>();
        let keys = of("archivers/").into_iter().filter(|(path, _)| path.ends_with("key"));
        // The middle of a key; the first lines are the same in all.
        let lines: Vec<String> = keys.map(|(_, key)| text(key).lines().nth(3).unwrap().to_owned()).collect();
        assert!(!lines.is_empty());
        let hosts = of("hosts/").into_iter().map(|(path, bytes)| (path.clone(), text(bytes)));
        let hosts: BTreeMap<String, String> = hosts.collect();
        for (path, text) in &hosts {
            assert!(lines.iter().all(|line| !text.contains(line)), "{name}: {path}");
        }
        given.extend(public.into_iter().filter(|(path, _)| path.starts_with("hosts/")));
    }
    // Nor does anything that runs on a host ask for one.
    for (path, text) in &given {
        assert!(!text.contains("user-data") && !text.contains("ssh_host_ed25519_key"), "{path}");
    }
}

/// Of secret files, which belong into no repository, the hashes show that their bytes stay.
#[test]
fn secret_files_have_the_bytes_they_always_had() {
    for name in support::example_names() {
        let (_, secret) = support::artifacts(&support::example(&name));
        let sum = |(path, bytes): (&String, &Vec<u8>)| format!("{:x}  {path}\n", Sha256::digest(bytes));
        let sums: String = secret.iter().map(sum).collect();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/secrets/{name}.sha256"));
        if std::env::var_os("DORMOUSE_BLESS").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &sums).unwrap();
        }
        assert_eq!(fs::read_to_string(file).unwrap_or_default(), sums, "{name}");
    }
}
