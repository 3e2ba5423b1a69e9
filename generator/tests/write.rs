//! What is written, and what is left alone.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use support::sandbox::Sandbox;

const SECRETS: &str = "home/.local/state/dormouse/home/secrets";
const SECOND_HOST: &str = "\"laptop\": { \"replications\": {} },\n    \"desktop\"";

#[test]
fn an_unchanged_spec_touches_nothing() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    let before = (sandbox.state("generated"), sandbox.state(SECRETS));
    let folders = || {
        ["generated", "generated/hosts", SECRETS].map(|folder| {
            let metadata = sandbox.path(folder).metadata().unwrap();
            (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        })
    };
    let folders_before = folders();
    sandbox.run(&[]).is(0, &["0 created, 0 changed, 0 removed, 20 unchanged\n"]);
    assert!(before == (sandbox.state("generated"), sandbox.state(SECRETS)));
    assert_eq!(folders(), folders_before);
}

#[test]
fn only_what_changed_is_written() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    let before = sandbox.state("generated");
    sandbox.edit_spec("\"desktop\"", SECOND_HOST);
    sandbox.run(&[]).is(
        0,
        &[
            "created generated/hosts/laptop/ssh_config\n",
            "changed generated/manifest.json\n",
            "7 created, 2 changed, 0 removed, 18 unchanged\n",
        ],
    );
    let after = sandbox.state("generated");
    for file in ["hosts/desktop/nixos.nix", "archivers/archiver/configuration.nix", "known_hosts"] {
        let path = sandbox.path("generated").join(file);
        assert_eq!(before[&path], after[&path], "{file}");
    }
}

#[test]
fn files_of_a_host_that_left_the_spec_go_and_foreign_files_stay() {
    let sandbox = Sandbox::with("home");
    let one_host = fs::read(sandbox.path("dormouse.json")).unwrap();
    sandbox.edit_spec("\"desktop\"", SECOND_HOST);
    sandbox.generate();
    fs::write(sandbox.path("generated/README"), "mine").unwrap();
    fs::write(sandbox.path("generated/hosts/desktop/notes"), "mine").unwrap();
    std::os::unix::fs::symlink("README", sandbox.path("generated/link")).unwrap();
    fs::write(sandbox.path("dormouse.json"), one_host).unwrap();
    sandbox.run(&[]).is(0, &["removed generated/hosts/laptop/nixos.nix\n", " 7 removed, "]);
    assert!(!sandbox.path("generated/hosts/laptop").exists());
    assert_eq!(fs::read(sandbox.path("generated/README")).unwrap(), b"mine");
    assert_eq!(fs::read(sandbox.path("generated/link")).unwrap(), b"mine");
    assert_eq!(fs::read(sandbox.path("generated/hosts/desktop/notes")).unwrap(), b"mine");
}

#[test]
fn a_file_that_someone_changed_is_put_right() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    let before = sandbox.files("generated");
    fs::write(sandbox.path("generated/known_hosts"), "evil").unwrap();
    fs::write(sandbox.path("generated/manifest.json"), "{").unwrap();
    sandbox.run(&[]).is(0, &["changed generated/known_hosts\n", " 2 changed, "]);
    assert!(sandbox.files("generated") == before);
}

#[test]
fn secrets_are_for_their_owner_alone() {
    let sandbox = Sandbox::with("home");
    sandbox.generate();
    for (path, mode) in sandbox.modes(SECRETS) {
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    let key = sandbox.path(SECRETS).join("hosts/desktop/id_ed25519");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    sandbox.run(&[]).is(0, &["changed ", "hosts/desktop/id_ed25519\n", " 1 changed, "]);
    assert_eq!(sandbox.modes(SECRETS)[&key], 0o600);
}

#[test]
fn no_mode_prints_a_secret() {
    let sandbox = Sandbox::with("home");
    let mut printed = String::new();
    for arguments in
        [&[][..], &[], &["--check"], &["--check", "--seed", "home/.local/state/dormouse/home/seed"]]
    {
        let ran = sandbox.run(arguments);
        printed.push_str(&format!("{}{}", ran.stdout, ran.stderr));
    }
    sandbox.run(&["rotate", "desktop"]).is(0, &["epoch 1 -> 2"]);
    let ran = sandbox.run(&["--check"]);
    printed.push_str(&ran.stdout);
    let holds_secret = |text: &str| {
        sandbox
            .files(SECRETS)
            .iter()
            .filter(|(path, _)| path.ends_with("_key") || path.ends_with("id_ed25519"))
            .any(|(_, key)| {
                String::from_utf8_lossy(key).lines().skip(1).take(4).any(|line| text.contains(line))
            })
    };
    assert!(!holds_secret(&printed), "{printed}");
    // The search finds what is there.
    let key = fs::read_to_string(sandbox.path(SECRETS).join("admin/id_ed25519")).unwrap();
    assert!(holds_secret(&format!("{printed}{key}")));
}

#[test]
fn ssh_config_and_secrets_elsewhere_are_noted_once() {
    let sandbox = Sandbox::with("home");
    let ran = sandbox.run(&["--secrets", "elsewhere"]);
    ran.is(0, &["note: secrets are written to elsewhere", "~/.local/state/dormouse/home/secrets"]);
    assert_eq!(ran.stderr.matches("note: ").count(), 1);
    assert_eq!(sandbox.run(&[]).stderr, "");
}

#[test]
fn xdg_state_home_is_followed() {
    let sandbox = Sandbox::with("home");
    fs::rename(sandbox.path("home/.local/state"), sandbox.path("state")).unwrap();
    let ran = Sandbox::ran(sandbox.command(&[]).env("XDG_STATE_HOME", sandbox.path("state")));
    ran.is(0, &["20 created"]);
    assert!(sandbox.path("state/dormouse/home/secrets/admin/id_ed25519").exists());
}

/// The small numbers that a random generator needs, without one.
fn pseudo_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn killed_at_any_moment_the_output_is_the_old_or_the_new() {
    let sandbox = Sandbox::with("fleet");
    let one = fs::read(sandbox.path("dormouse.json")).unwrap();
    sandbox.generate();
    let first = sandbox.files("generated");
    sandbox.edit_spec("\"node07\"", "\"laptop\": {}, \"node07\"");
    sandbox.edit_spec("\"linger\": \"5m\"", "\"linger\": \"6m\"");
    let two = fs::read(sandbox.path("dormouse.json")).unwrap();
    let started = std::time::Instant::now();
    sandbox.generate();
    let length = started.elapsed().as_micros();
    let second = sandbox.files("generated");
    assert!(first != second);

    let mut state = 0x9e37_79b9_7f4a_7c15;
    let (mut old, mut new) = (0, 0);
    for round in 0..50 {
        let (spec, before, after) =
            if round % 2 == 0 { (&one, &second, &first) } else { (&two, &first, &second) };
        fs::write(sandbox.path("dormouse.json"), spec).unwrap();
        let mut child = sandbox.command(&[]).stdout(std::process::Stdio::null()).spawn().unwrap();
        let delay = u128::from(pseudo_random(&mut state)) % (length * 12 / 10);
        std::thread::sleep(Duration::from_micros(u64::try_from(delay).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = sandbox.files("generated");
        if found == *before {
            old += 1;
        } else {
            assert!(found == *after, "neither the old nor the new tree after {delay} µs");
            new += 1;
        }
        sandbox.run(&[]).is(0, &[]);
        assert!(sandbox.files("generated") == *after);
    }
    assert!(old > 0 && new > 0, "killed too early or too late to tell: {old} old, {new} new");
    let left: Vec<_> =
        fs::read_dir(sandbox.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(!sandbox.path("home/.local/state/dormouse/fleet/secrets/.staging").exists());
}

#[test]
fn two_runs_at_once_take_turns() {
    let sandbox = Sandbox::with("fleet");
    let runs: Vec<_> =
        (0..4).map(|_| sandbox.command(&[]).stdout(std::process::Stdio::null()).spawn().unwrap()).collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    sandbox.run(&["--check"]).is(0, &["are what the spec says"]);
}
