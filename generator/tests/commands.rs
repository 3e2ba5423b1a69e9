//! `--check`, `init`, `rotate` and `schema`.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::sandbox::Sandbox;

const SEED: &str = "home/.local/state/dormouse/home/seed";

#[test]
fn check_needs_no_seed_and_writes_nothing() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    fs::remove_dir_all(sandbox.path("home")).unwrap();
    let before = sandbox.state(".");
    sandbox.run(&["--check"]).is(0, &["12 files in generated are what the spec says\n"]);
    assert!(before == sandbox.state("."));
}

#[test]
fn check_shows_what_is_stale() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    sandbox.edit_spec("rpool/safe/tmp", "rpool/safe/cache");
    let before = sandbox.state(".");
    sandbox.run(&["--check"]).is(
        1,
        &[
            "--- found/hosts/desktop/nixos.nix\n+++ wanted/hosts/desktop/nixos.nix\n",
            "-      exclude = [ \"rpool/safe/tmp\" ];\n+      exclude = [ \"rpool/safe/cache\" ];\n",
            "error: generated is not what the spec says",
        ],
    );
    assert!(before == sandbox.state("."));
}

#[test]
fn check_sees_files_that_are_missing_or_too_many() {
    let sandbox = Sandbox::with("static");
    sandbox.generate();
    fs::remove_file(sandbox.path("generated/known_hosts")).unwrap();
    sandbox.run(&["--check"]).is(1, &["--- /dev/null\n+++ wanted/known_hosts\n"]);
    sandbox.run(&[]).is(0, &["created generated/known_hosts\n"]);
    sandbox.edit_spec("\"laptop\"", "\"renamed\"");
    sandbox
        .run(&["--check"])
        .is(1, &["--- found/hosts/laptop/nixos.nix\n+++ /dev/null\n", "not derived yet"]);
}

#[test]
fn check_sees_an_epoch_that_was_raised_but_not_generated() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    sandbox.run(&["rotate", "desktop"]).is(0, &["now run dormouse-generate"]);
    sandbox
        .run(&["--check"])
        .is(1, &["+++ wanted/keys/hosts/desktop.pub\n", "dormouse:home:host:desktop:2\n"]);
}

#[test]
fn check_with_a_seed_compares_the_keys() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    sandbox.run(&["--check", "--seed", SEED]).is(0, &[]);
    sandbox.write_seed("other", &[b'7'; 64]);
    sandbox.run(&["--check", "--seed", "other"]).is(1, &["+++ wanted/keys/admin.pub\n"]);
}

#[test]
fn check_before_the_first_generation_says_so() {
    let sandbox = Sandbox::with("home");
    sandbox.run(&["--check"]).is_one_error(1, &["generated is no folder"]);
}

#[test]
fn init_generate_and_check_work_one_after_the_other() {
    for arguments in [&["init"][..], &["init", "--static", "nas.lan", "--name", "office", "--host", "laptop"]]
    {
        let sandbox = Sandbox::with("home");
        fs::remove_file(sandbox.path("dormouse.json")).unwrap();
        fs::remove_dir_all(sandbox.path("home/.local")).unwrap();
        sandbox.run(arguments).is(0, &["created dormouse.json\n", "seed: back it up"]);
        sandbox.run(&[]).is(0, &["created generated/known_hosts\n"]);
        sandbox.run(&["--check"]).is(0, &[]);
        assert!(sandbox.modes("home/.local").values().all(|mode| mode & 0o077 == 0));
    }
}

#[test]
fn init_makes_another_seed_each_time() {
    let sandbox = Sandbox::with("home");
    for number in ["1", "2"] {
        sandbox.run(&["init", "--spec", number, "--seed", &format!("seed{number}")]).is(0, &[]);
    }
    let seeds = ["seed1", "seed2"].map(|file| fs::read(sandbox.path(file)).unwrap());
    assert_ne!(seeds[0], seeds[1]);
    assert_eq!(seeds[0].len(), 65);
}

#[test]
fn init_replaces_nothing() {
    let sandbox = Sandbox::with("home");
    let before = sandbox.state(".");
    sandbox.run(&["init"]).is_one_error(2, &["the seed", "exists"]);
    sandbox.run(&["init", "--spec", "new.json"]).is_one_error(2, &["the seed", "exists"]);
    sandbox.run(&["init", "--spec", "new.json", "--name", "Bad Name"]).is_one_error(2, &["cannot hold 'B'"]);
    assert!(before == sandbox.state("."));
}

#[test]
fn init_makes_the_seed_of_a_spec_that_is_there() {
    let sandbox = Sandbox::with("home");
    let spec = fs::read(sandbox.path("dormouse.json")).unwrap();
    fs::remove_dir_all(sandbox.path("home/.local")).unwrap();
    sandbox.run(&["init"]).is(0, &["dormouse.json stays as it is\n", "home/seed: back it up"]);
    assert!(fs::read(sandbox.path("dormouse.json")).unwrap() == spec);
    sandbox.run(&[]).is(0, &["created generated/known_hosts\n"]);
}

#[test]
fn rotate_changes_one_number_and_no_other_byte() {
    let sandbox = Sandbox::with("home");
    let before = fs::read_to_string(sandbox.path("dormouse.json")).unwrap();
    sandbox.run(&["rotate", "archiver"]).is(0, &["archivers.archiver: epoch 1 -> 2\n"]);
    let after = fs::read_to_string(sandbox.path("dormouse.json")).unwrap();
    assert_eq!(after, before.replacen("\"provider\"", "\"epoch\": 2,\n      \"provider\"", 1));
    sandbox.run(&["rotate", "archiver"]).is(0, &["epoch 2 -> 3\n"]);
    let again = fs::read_to_string(sandbox.path("dormouse.json")).unwrap();
    assert_eq!(again, after.replacen("\"epoch\": 2", "\"epoch\": 3", 1));
    let keys = |sandbox: &Sandbox| fs::read_to_string(sandbox.path("generated/known_hosts")).unwrap();
    sandbox.generate();
    let old = keys(&sandbox);
    sandbox.run(&["rotate", "archiver"]).is(0, &[]);
    sandbox.generate();
    assert_ne!(keys(&sandbox), old);
}

#[test]
fn rotate_gives_the_administrator_a_new_key() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    let key = |sandbox: &Sandbox| fs::read_to_string(sandbox.path("generated/keys/admin.pub")).unwrap();
    let old = key(&sandbox);
    sandbox.run(&["rotate", "--admin"]).is(0, &["admin: epoch 1 -> 2\n", "dormouse up"]);
    sandbox.run(&["rotate", "--admin"]).is(0, &["admin: epoch 2 -> 3\n"]);
    sandbox.generate();
    let new = key(&sandbox);
    assert!(new != old && new.trim_end().ends_with(":admin:3"), "{new}");
    let configuration = sandbox.path("generated/archivers/archiver/configuration.nix");
    let configuration = fs::read_to_string(configuration).unwrap();
    let half = |key: &str| key.split(' ').nth(1).unwrap().to_owned();
    assert!(configuration.contains(&half(&new)) && !configuration.contains(&half(&old)));
    sandbox.run(&["rotate", "--admin", "desktop"]).is(2, &[]);
    sandbox.run(&["rotate"]).is(2, &[]);
}

#[test]
fn keys_of_a_host_that_left_the_spec_are_removed_and_nothing_else() {
    let sandbox = Sandbox::with("fleet");
    sandbox.generate();
    let name = &support::example("fleet").name;
    let hosts = format!("home/.local/state/dormouse/{name}/secrets/hosts");
    let of = |path: &str| sandbox.path(&format!("{hosts}/{path}"));
    let host = fs::read_dir(sandbox.path(&hosts)).unwrap().next().unwrap().unwrap().file_name();
    let host = host.to_string_lossy().into_owned();
    // What is not ours, or another system's, stays.
    fs::create_dir(of("other")).unwrap();
    let public = fs::read_to_string(of(&format!("{host}/id_ed25519.pub"))).unwrap();
    fs::write(of("other/id_ed25519.pub"), public.replace("dormouse:", "dormouse:x")).unwrap();
    fs::write(of("other/id_ed25519"), "another system's").unwrap();
    fs::create_dir(of("gone")).unwrap();
    for file in ["id_ed25519", "record_key", "notes"] {
        fs::write(of(&format!("gone/{file}")), "x").unwrap();
    }
    fs::write(of("gone/id_ed25519.pub"), public.replace(&format!(":{host}:"), ":gone:")).unwrap();
    sandbox.run(&[]).is(0, &["removed", "hosts/gone/id_ed25519\n", "3 removed"]);
    assert!(!of("gone/id_ed25519").exists() && !of("gone/record_key").exists());
    assert!(of("gone/notes").exists() && of("other/id_ed25519").exists());
    assert!(of(&format!("{host}/id_ed25519")).exists());
}

#[test]
fn rotate_asks_where_a_name_means_two_things() {
    let sandbox = Sandbox::with("home");
    sandbox.edit_spec("\"desktop\"", "\"archiver\"");
    sandbox.run(&["rotate", "archiver"]).is_one_error(2, &["--archiver or --host"]);
    sandbox.run(&["rotate", "--host", "archiver"]).is(0, &["hosts.archiver: epoch 1 -> 2"]);
    sandbox.run(&["rotate", "archiver", "--archiver"]).is(0, &["archivers.archiver: epoch 1 -> 2"]);
    sandbox
        .run(&["rotate", "nobody"])
        .is_one_error(2, &["neither an archiver nor a host", "known: archiver"]);
}

#[test]
fn rotate_leaves_alone_what_it_cannot_change() {
    let sandbox = Sandbox::with("fleet");
    let before = sandbox.state("dormouse.json");
    sandbox.run(&["rotate", "nas"]).is_one_error(2, &["host_key"]);
    sandbox.run(&["--check", "rotate", "node01"]).is_one_error(2, &["--check goes with no command"]);
    assert!(before == sandbox.state("dormouse.json"));
}

#[test]
fn the_schema_is_json_and_knows_every_section() {
    let sandbox = Sandbox::with("home");
    let ran = sandbox.run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    for field in ["version", "name", "archivers", "hosts", "$schema"] {
        assert!(schema["properties"][field].is_object(), "{field}");
    }
}

#[test]
fn packagers_get_manual_pages_and_completions() {
    let sandbox = Sandbox::with("home");
    sandbox.run(&["share", "share"]).is(0, &[]);
    let page = fs::read_to_string(sandbox.path("share/man/man1/dormouse-generate-rotate.1")).unwrap();
    assert!(page.contains("epoch"));
    assert!(sandbox.path("share/fish/vendor_completions.d/dormouse-generate.fish").is_file());
}
