//! `docs/errors.md` is made from the code: every error with its text, its cause and what to do.
//!
//! `DORMOUSE_BLESS=1 cargo test -p dormouse --test errors` writes it anew; read the diff.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "errors/examples.rs"]
mod examples;

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::path::Path;

use dormouse::error::{Error, Exit};

use examples::{drill_troubles, errors, failures, problems, programs, refusals, restore_refusals, troubles};

const INTRODUCTION: &str = "# Errors

Made from the code by `DORMOUSE_BLESS=1 cargo test -p dormouse --test errors`, with names that stand
for yours. Each error says what failed, on which object and why, then what to do; where the data might
be in doubt, it says whether it is safe.

None of them means that a backup was lost. Nothing that Dormouse runs destroys a dataset or a pool, but for
the scratch dataset that `verify --deep` has made; a snapshot only where the spec says so (`retention`,
`follow_delete`); a volume goes with `down --destroy-data` only. Whatever failed can simply be run again.
";

/// An error as it is told.
struct Told {
    variant: String,
    text: String,
    help: String,
    exit: Option<Exit>,
}

fn told<E: Debug + Display>(error: &E, help: impl Into<String>, exit: Option<Exit>) -> Told {
    let variant = format!("{error:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
    Told { variant, text: error.to_string(), help: help.into(), exit }
}

/// The variants of an enum in a source file, with the first paragraph of their documentation.
fn variants(source: &str, name: &str) -> BTreeMap<String, String> {
    let source = source.split_once(&format!("pub enum {name} {{\n")).unwrap().1;
    let source = source.split_once("\n}\n").unwrap().0;
    let (mut found, mut documentation) = (BTreeMap::new(), Vec::new());
    for line in source.lines() {
        let Some(line) = line.strip_prefix("    ").filter(|line| !line.starts_with(' ')) else { continue };
        if let Some(text) = line.strip_prefix("/// ") {
            documentation.push(text.to_owned());
        } else if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            let variant = line.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            found.insert(variant.to_owned(), std::mem::take(&mut documentation).join(" "));
        }
    }
    found
}

/// A section: each variant of the enum, in the order of the examples.
fn section(title: &str, source: &str, name: &str, all: &[Told]) -> String {
    let documented = variants(source, name);
    let mut named: Vec<&String> = all.iter().map(|told| &told.variant).collect();
    named.sort();
    named.dedup();
    assert_eq!(
        named,
        documented.keys().collect::<Vec<_>>(),
        "{name}: an example of each, and of nothing else"
    );
    let mut text = format!("\n## {title}\n");
    for Told { variant, text: said, help, exit } in all {
        let exit = exit.map(|exit| format!(", exit code {}", exit as u8)).unwrap_or_default();
        text.push_str(&format!(
            "\n### {variant}\n\n{}\n\n```\nerror: {said}\n  help: {help}\n```\n",
            sentence(&documented[variant], &exit)
        ));
    }
    text
}

fn sentence(documentation: &str, exit: &str) -> String {
    format!("{}{exit}.", documentation.trim_end_matches('.'))
}

fn catalogue() -> String {
    let programs: Vec<Told> = programs()
        .into_iter()
        .map(|error| {
            let text = told(&error, "", None);
            let error = Error::Program(error);
            Told { variant: text.variant, ..told(&error, error.help(), Some(error.exit())) }
        })
        .collect();
    [
        INTRODUCTION.to_owned(),
        section("Commands", include_str!("../src/error.rs"), "Error", &errors()),
        section(
            "Conflicts between host and archiver",
            include_str!("../src/zfs/plan.rs"),
            "Refusal",
            &refusals(),
        ),
        section("Restores", include_str!("../src/restore/refusal.rs"), "Refusal", &restore_refusals()),
        section("Drills", include_str!("../src/drill/trouble.rs"), "Trouble", &drill_troubles()),
        section("Archivers on EC2", include_str!("../src/ec2/failure.rs"), "Failure", &failures()),
        section("What EC2 refuses", include_str!("../src/ec2/problem.rs"), "Kind", &problems()),
        section("Programs", include_str!("../src/exec.rs"), "Error", &programs),
        section("Reports", include_str!("../src/report/sink.rs"), "Trouble", &troubles()),
    ]
    .concat()
}

#[test]
fn the_catalogue_of_errors_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let wanted = catalogue();
    if std::env::var_os("DORMOUSE_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    let different = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "bless it and read the diff; it begins with {different:?}");
}

#[test]
fn every_error_says_what_to_do_in_one_breath() {
    let all =
        [errors(), failures(), problems(), refusals(), restore_refusals(), drill_troubles(), troubles()];
    for Told { variant, text, help, .. } in all.iter().flatten() {
        assert!(!text.is_empty() && !help.is_empty(), "{variant}");
        assert!(help.len() < 400 && !help.ends_with('.'), "{variant}: {help}");
        assert!(!help.contains("failed"), "{variant}: {help}");
    }
}
