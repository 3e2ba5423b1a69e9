//! What several tests need.

#![allow(dead_code, clippy::panic, clippy::unwrap_used)]

pub mod nix;
pub mod sandbox;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dormouse_generator::secret::Seed;
use dormouse_generator::{Contents, Keyring, Spec, generate};

/// The seed of all golden files.
pub fn seed() -> Seed {
    Seed::new([0x42; Seed::BYTES])
}

/// The folder of the examples.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// The names of the examples, without `.json`.
pub fn example_names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 4);
    names
}

/// An example, which has no problem and no warning.
pub fn example(name: &str) -> Spec {
    let bytes = fs::read(examples().join(format!("{name}.json"))).unwrap();
    let parsed = Spec::parse(name, &bytes).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(parsed.warnings.is_empty(), "{}", parsed.warnings);
    parsed.spec
}

/// The public and the secret artifacts of a spec, by path.
pub fn artifacts(spec: &Spec) -> (BTreeMap<String, String>, BTreeMap<String, Vec<u8>>) {
    let (mut public, mut secret) = (BTreeMap::new(), BTreeMap::new());
    let artifacts = generate(spec, &Keyring::Seed(seed())).unwrap_or_else(|problems| panic!("{problems:?}"));
    for artifact in artifacts {
        let before = match artifact.contents {
            Contents::Public(text) => public.insert(artifact.path, text).is_some(),
            Contents::Secret(bytes) => secret.insert(artifact.path, bytes.expose().to_vec()).is_some(),
        };
        assert!(!before, "two artifacts have one path");
    }
    (public, secret)
}

/// Writes files below a folder.
pub fn write_all<T: AsRef<[u8]>>(folder: &Path, files: &BTreeMap<String, T>) {
    for (path, contents) in files {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, contents).unwrap();
        fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
}

/// Whether this program may be left out: `DORMOUSE_WITHOUT=nix-instantiate,sshd cargo test …`.
/// Otherwise its absence is a failure, so that nothing is skipped unseen.
pub fn is_without(program: &str) -> bool {
    let left_out = std::env::var("DORMOUSE_WITHOUT").unwrap_or_default();
    if left_out.split(',').any(|each| each == program) {
        return true;
    }
    let found =
        ["/usr/sbin", "/usr/local/sbin"].iter().any(|folder| Path::new(folder).join(program).exists())
            || std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .any(|folder| folder.join(program).exists());
    assert!(found, "{program} is not installed; install it, or say DORMOUSE_WITHOUT={program}");
    false
}

/// Runs a program and returns what it printed; it has to succeed.
pub fn run(command: &mut Command) -> String {
    let output = run_any(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program, which may fail.
pub fn run_any(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
