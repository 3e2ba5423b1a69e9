//! Every wrong spec in `examples/invalid` gets exactly the text beside it.
//!
//! `DORMOUSE_BLESS=1 cargo test -p dormouse-generator` writes the texts anew; read the diff.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use dormouse_generator::spec::Spec;

#[test]
fn every_wrong_spec_gets_its_expected_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/invalid");
    let mut specs: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    specs.sort();
    let mut wrong = Vec::new();
    for path in &specs {
        let name = path.file_name().unwrap().to_str().unwrap();
        let problems = Spec::parse(name, &fs::read(path).unwrap()).expect_err(name);
        let text = format!("{}\n", problems.render(false));
        let expected = path.with_extension("expected");
        if std::env::var_os("DORMOUSE_BLESS").is_some() {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
