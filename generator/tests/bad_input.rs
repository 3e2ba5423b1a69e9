//! Bad input: one clear error, a non-zero exit code, and what was there before is unharmed.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use dormouse_generator::reach;
use support::sandbox::{Ran, Sandbox};

const SECRETS: &str = "home/.local/state/dormouse/home/secrets";
const SEED: &str = "home/.local/state/dormouse/home/seed";

/// Generates, spoils something, runs again: the run fails like this and changes nothing.
fn spoiled(spoil: impl Fn(&Sandbox), arguments: &[&str], check: impl Fn(&Ran)) {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    let before = (sandbox.state("generated"), sandbox.state(SECRETS));
    spoil(&sandbox);
    check(&sandbox.run(arguments));
    assert!(before == (sandbox.state("generated"), sandbox.state(SECRETS)), "the output was touched");
    assert!(!sandbox.path(".generated.new").exists());
}

fn spec_is(contents: &'static [u8]) -> impl Fn(&Sandbox) {
    move |sandbox| fs::write(sandbox.path("dormouse.json"), contents).unwrap()
}

#[test]
fn malformed_json() {
    spoiled(spec_is(b"{ \"version\": 1, }"), &[], |ran| {
        ran.is_one_error(2, &["trailing comma", "dormouse.json:1:17"]);
    });
}

#[test]
fn an_unknown_field() {
    spoiled(
        |sandbox| sandbox.edit_spec("\"pool\"", "\"pol\": 1, \"pool\""),
        &[],
        |ran| {
            ran.is_one_error(2, &["archivers.archiver.pol", "did you mean \"pool\"?"]);
        },
    );
}

#[test]
fn a_wrong_type() {
    spoiled(
        |sandbox| sandbox.edit_spec("500", "\"500\""),
        &[],
        |ran| {
            ran.is_one_error(2, &["archivers.archiver.volume.size_gib", "found \"500\""]);
        },
    );
}

#[test]
fn a_value_out_of_range() {
    spoiled(
        |sandbox| sandbox.edit_spec("500", "99999"),
        &[],
        |ran| {
            ran.is_one_error(2, &["125 to 16384 GiB, not 99999"]);
        },
    );
}

#[test]
fn a_key_that_occurs_twice() {
    spoiled(
        |sandbox| sandbox.edit_spec("\"version\": 1", "\"version\": 1, \"version\": 1"),
        &[],
        |ran| {
            ran.is_one_error(2, &["version: this key occurs twice"]);
        },
    );
}

#[test]
fn a_file_of_100_mb_is_refused_unread() {
    let spoil = |sandbox: &Sandbox| {
        fs::File::create(sandbox.path("dormouse.json")).unwrap().set_len(100_000_000).unwrap();
    };
    spoiled(spoil, &[], |ran| ran.is_one_error(2, &["has more than 16777216 bytes"]));
}

#[test]
fn a_file_without_end_is_refused() {
    spoiled(|_| (), &["--spec", "/dev/zero"], |ran| ran.is_one_error(2, &["has more than 16777216 bytes"]));
}

#[test]
fn a_file_that_is_not_utf_8() {
    spoiled(spec_is(b"{ \"name\": \"\xff\" }"), &[], |ran| {
        ran.is_one_error(2, &["not UTF-8 from byte 11 on"]);
    });
}

#[test]
fn nesting_without_end() {
    let spoil = |sandbox: &Sandbox| fs::write(sandbox.path("dormouse.json"), "[".repeat(1_000_000)).unwrap();
    spoiled(spoil, &[], |ran| ran.is_one_error(2, &["recursion limit exceeded"]));
}

#[test]
fn a_missing_spec() {
    spoiled(
        |sandbox| fs::remove_file(sandbox.path("dormouse.json")).unwrap(),
        &[],
        |ran| {
            ran.is_one_error(2, &["cannot read the spec dormouse.json", "dormouse-generate init"]);
        },
    );
}

#[test]
fn a_spec_that_is_a_folder() {
    spoiled(|_| (), &["--spec", "home"], |ran| ran.is_one_error(2, &["the spec home is a folder"]));
}

#[test]
fn an_unknown_option() {
    spoiled(
        |_| (),
        &["--sped", "x"],
        |ran| {
            ran.is(2, &["--sped"]);
        },
    );
}

#[test]
fn a_missing_seed() {
    spoiled(
        |sandbox| fs::remove_file(sandbox.path(SEED)).unwrap(),
        &[],
        |ran| {
            ran.is_one_error(2, &["cannot read the seed", "no such file", "backup"]);
        },
    );
}

#[test]
fn a_short_seed() {
    spoiled(
        |sandbox| sandbox.write_seed(SEED, b"0123456789abcdef\n"),
        &[],
        |ran| {
            ran.is_one_error(2, &["is no seed", "this has 16 bytes"]);
        },
    );
}

#[test]
fn a_garbled_seed_is_not_shown() {
    let line = "xyz".repeat(21) + "!\n";
    spoiled(
        |sandbox| sandbox.write_seed(SEED, line.as_bytes()),
        &[],
        |ran| {
            ran.is_one_error(2, &["is no seed", "hexadecimal"]);
            assert!(!ran.stderr.contains("xyz"));
        },
    );
}

#[test]
fn a_seed_that_others_can_read() {
    let spoil = |sandbox: &Sandbox| {
        fs::set_permissions(sandbox.path(SEED), fs::Permissions::from_mode(0o640)).unwrap();
    };
    spoiled(spoil, &[], |ran| ran.is_one_error(2, &["can be read by others (mode 0640)", "chmod 600"]));
}

#[test]
fn a_seed_that_is_a_folder() {
    spoiled(|_| (), &["--seed", "home"], |ran| ran.is_one_error(2, &["the seed home is a folder"]));
}

#[test]
fn an_output_folder_that_is_a_file() {
    spoiled(
        |_| (),
        &["--out", "dormouse.json/x"],
        |ran| {
            ran.is_one_error(1, &["dormouse.json", "does not exist"]);
        },
    );
    spoiled(
        |sandbox| fs::write(sandbox.path("taken"), "").unwrap(),
        &["--out", "taken"],
        |ran| {
            ran.is_one_error(1, &["--out taken is a file"]);
        },
    );
}

#[test]
fn an_output_folder_that_is_a_link() {
    spoiled(
        |sandbox| symlink("generated", sandbox.path("link")).unwrap(),
        &["--out", "link"],
        |ran| {
            ran.is_one_error(1, &["--out link is a symbolic link"]);
        },
    );
}

#[test]
fn an_output_folder_without_a_parent() {
    spoiled(
        |_| (),
        &["--out", "no/such/generated"],
        |ran| {
            ran.is_one_error(1, &["the folder no/such", "mkdir -p no/such"]);
        },
    );
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    // Not even root makes folders there.
    spoiled(
        |_| (),
        &["--out", "/proc/generated"],
        |ran| ran.is_one_error(1, &["cannot write /proc/generated"]),
    );
}

#[test]
fn an_output_folder_around_the_spec() {
    spoiled(|_| (), &["--out", "."], |ran| ran.is_one_error(2, &["name a folder of its own"]));
}

#[test]
fn a_file_size_limit_halfway() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    let before = (sandbox.state("generated"), sandbox.state(SECRETS));
    sandbox.edit_spec("\"provider\"", "\"epoch\": 2, \"provider\"");
    // 8 KiB: enough for the keys, too little for the user data.
    let program = env!("CARGO_BIN_EXE_dormouse-generate");
    let ran = Sandbox::ran(&mut sandbox.command_of("sh", &["-c", &format!("ulimit -f 16; exec {program}")]));
    ran.is_one_error(1, &["cannot write", "file too large", "unharmed"]);
    assert!(before == (sandbox.state("generated"), sandbox.state(SECRETS)));
    sandbox.run(&[]).is(0, &["changed"]);
}

#[test]
fn a_full_disk_halfway() {
    if support::is_without("unshare") {
        return;
    }
    let sandbox = Sandbox::with("fleet");
    // A file system with room for the first generation but not for a second one beside it.
    let script = format!(
        "set -e; mkdir full; mount -t tmpfs -o size=900k none full
         {program} --out full/generated >/dev/null
         cp -a full/generated before
         sed -i 's,rpool/data,rpool/more,' dormouse.json
         dd if=/dev/zero of=full/ballast bs=4k 2>/dev/null || true
         set +e; {program} --out full/generated; code=$?
         diff -r before full/generated && echo the same
         ls -A full
         rm full/ballast; {program} --out full/generated | tail -n 1
         exit $code",
        program = env!("CARGO_BIN_EXE_dormouse-generate")
    );
    let mut command = sandbox.command_of("unshare", &["--map-root-user", "--mount", "sh", "-c", &script]);
    let ran = Sandbox::ran(&mut command);
    ran.is_one_error(
        1,
        &["cannot write full/generated: no space left on device", "the same\n", " changed, "],
    );
    assert!(!ran.stdout.contains(".generated.new"));
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    support::run(&mut sandbox.command_of("git", arguments));
}

#[test]
fn secrets_in_a_git_work_tree_that_does_not_ignore_them() {
    if support::is_without("git") {
        return;
    }
    let sandbox = Sandbox::with("home");
    git(&sandbox, &["init", "--quiet"]);
    let arguments = ["--secrets", "secrets", "--seed", SEED];
    sandbox.run(&arguments).is_one_error(2, &["the seed", "which does not ignore it", ".gitignore"]);
    fs::write(sandbox.path(".gitignore"), "/home/\n").unwrap();
    sandbox.run(&arguments).is_one_error(2, &["the secrets folder secrets", "which does not ignore it"]);
    assert!(!sandbox.path("secrets").exists() && !sandbox.path("generated").exists());
    fs::write(sandbox.path(".gitignore"), "/home/\n/secrets/\n").unwrap();
    sandbox.run(&arguments).is(0, &["created secrets/hosts/desktop/id_ed25519\n"]);
}

#[test]
fn secrets_inside_the_flake_even_where_git_ignores_them() {
    let sandbox = Sandbox::with("home");
    git(&sandbox, &["init", "--quiet"]);
    fs::write(sandbox.path(".gitignore"), "/home/\n/secrets/\n").unwrap();
    fs::write(sandbox.path("flake.nix"), "{ }").unwrap();
    let outside = tempfile::tempdir().unwrap();
    let seed = outside.path().join("seed");
    fs::copy(sandbox.path(SEED), &seed).unwrap();
    sandbox.run(&[]).is_one_error(2, &["the seed", "inside the flake"]);
    sandbox
        .run(&["--seed", seed.to_str().unwrap(), "--secrets", "secrets"])
        .is_one_error(2, &["the secrets folder secrets", "inside the flake"]);
}

#[test]
fn a_secrets_folder_that_is_open_to_others() {
    let sandbox = Sandbox::with("home");
    fs::create_dir(sandbox.path("open")).unwrap();
    fs::set_permissions(sandbox.path("open"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.run(&["--secrets", "open"]).is_one_error(2, &["open to others (mode 0755)", "chmod 700 open"]);
}

#[test]
fn hundreds_of_hosts_share_an_image() {
    let sandbox = Sandbox::with("home");
    let host = |number: u32| {
        format!(
            "\"host-{number:03}\": {{ \"replications\": {{ \"safe\": {{ \"archiver\": \"archiver\", \
             \"source\": \"rpool/safe\", \"target\": \"archive/{number:03}/safe\" }} }} }},\n"
        )
    };
    let hosts: String = (0..300).map(host).collect();
    sandbox.edit_spec("\"desktop\"", &format!("{hosts}\"desktop\""));
    sandbox.run(&["--secrets", "secrets"]).is(0, &[]);
    let user_data = fs::metadata(sandbox.path("secrets/archivers/archiver/user-data")).unwrap();
    assert!(user_data.len() < 1024, "{}", user_data.len());
}

#[test]
fn user_data_that_ec2_would_not_take() {
    let sandbox = Sandbox::with("home");
    let replication = |number: u32| {
        format!(
            "\"r{number:03}\": {{ \"archiver\": \"archiver\", \"source\": \"rpool/{number:03}\", \
             \"target\": \"archive/desktop/{:016x}\" }},\n",
            u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    };
    let replications: String = (0..900).map(replication).collect();
    sandbox.edit_spec("\"replications\": {", &format!("\"replications\": {{\n{replications}"));
    sandbox.edit_spec("\"nixos\": \"26.05\"", "\"nixos\": \"26.05\", \"bake\": false");
    sandbox.run(&[]).is_one_error(2, &["its user data would have", "EC2 accepts 16384", "leave `bake` out"]);
    assert!(!sandbox.path("generated").exists());
}

#[test]
fn two_hosts_whose_users_would_have_the_same_number() {
    let mut known = std::collections::BTreeMap::new();
    let pair = (0..).map(|n| format!("host-{n}")).find_map(|name| {
        let other = known.insert(reach::uid(&name), name.clone())?;
        Some((other, name))
    });
    let (one, two) = pair.unwrap();
    let host = |name: &str| {
        format!(
            "\"{name}\": {{ \"replications\": {{ \"safe\": {{ \"archiver\": \"archiver\", \
             \"source\": \"rpool/safe\", \"target\": \"archive/{name}/safe\" }} }} }},\n"
        )
    };
    spoiled(
        |sandbox| sandbox.edit_spec("\"desktop\"", &format!("{}{}\"desktop\"", host(&one), host(&two))),
        &[],
        |ran| {
            ran.is_one_error(2, &["would have the number of", &one, &two, "rename one of the two hosts"]);
        },
    );
}

#[test]
fn the_version_is_told() {
    let text = support::run(Command::new(env!("CARGO_BIN_EXE_dormouse-generate")).arg("--version"));
    assert_eq!(text, format!("dormouse-generate {}\n", env!("CARGO_PKG_VERSION")));
}
