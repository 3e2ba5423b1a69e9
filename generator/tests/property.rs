//! What holds for every spec, not only for the examples.

#![allow(clippy::unwrap_used)]

#[path = "support/fuzz.rs"]
mod fuzz;
mod support;

use std::collections::BTreeMap;
use std::process::Command;

use dormouse_generator::{Contents, Keyring, Spec, generate};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn parse(text: &str) -> Option<Spec> {
    Spec::parse("spec", text.as_bytes()).ok().map(|parsed| parsed.spec)
}

/// All artifacts as text, or none when a limit is passed.
fn artifacts(spec: &Spec) -> Option<BTreeMap<String, Vec<u8>>> {
    let artifacts = generate(spec, &Keyring::Seed(support::seed())).ok()?;
    let bytes = |contents| match contents {
        Contents::Public(text) => text.into_bytes(),
        Contents::Secret(secret) => secret.expose().to_vec(),
    };
    Some(artifacts.into_iter().map(|artifact| (artifact.path, bytes(artifact.contents))).collect())
}

/// The document as text, with the keys of every object in the opposite order.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", json!(key), backwards(value));
            format!("{{{}}}", object.iter().rev().map(entry).collect::<Vec<_>>().join(",\n"))
        }
        Value::Array(array) => format!("[{}]", array.iter().map(backwards).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
}

fn archiver() -> impl Strategy<Value = Value> {
    let ec2 =
        (any::<bool>(), 125..16_384_u32, 30..600_u32, 1..9_u32).prop_map(|(bake, size, linger, epoch)| {
            json!({
                "epoch": epoch,
                "provider": { "type": "ec2", "region": "us-west-2", "availability_zone": "us-west-2b",
                              "image": { "nixos": "26.05", "bake": bake } },
                "volume": { "type": "sc1", "size_gib": size },
                "pool": { "name": "pool" },
                "linger": format!("{linger}s")
            })
        });
    let fixed = ("[a-z]{1,9}\\.lan", 1..=u16::MAX).prop_map(|(address, port)| {
        json!({ "provider": { "type": "static", "address": address }, "pool": { "name": "pool" },
                "ssh_port": port })
    });
    prop_oneof![ec2, fixed]
}

/// A printable string of one line, with what other languages give a meaning.
fn line() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("${".to_owned()),
        Just("''".to_owned()),
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("$$".to_owned()),
        Just("{{ x }}".to_owned()),
        Just("{% raw %}".to_owned()),
        Just("#".to_owned()),
        "[ -~]{1,8}",
        "[äöü🐭✂]{1,3}",
    ];
    proptest::collection::vec(part, 1..8).prop_map(|parts| format!("x{}", parts.concat()))
}

fn spec() -> impl Strategy<Value = Value> {
    let archivers = proptest::collection::btree_map(name(), archiver(), 1..4);
    let hosts =
        proptest::collection::btree_map(name(), (any::<prop::sample::Index>(), line(), 1..5_u32), 0..6);
    (name(), archivers, hosts).prop_map(|(name, archivers, hosts)| {
        let names: Vec<&String> = archivers.keys().collect();
        let hosts: Map<String, Value> = hosts
            .into_iter()
            .map(|(host, (archiver, command, epoch))| {
                let replication = json!({
                    "archiver": names[archiver.index(names.len())], "source": "rpool/safe",
                    "target": format!("pool/{host}/safe"), "exec_start_pre": [command]
                });
                (host, json!({ "epoch": epoch, "replications": { "safe": replication } }))
            })
            .collect();
        json!({ "version": 1, "name": name, "archivers": archivers, "hosts": hosts })
    })
}

/// Puts `value` somewhere into `target`, as the numbers lead.
fn graft(target: &mut Value, way: &[usize], value: Value) {
    let step =
        |length: usize| way.first().map(|number| number % (length + 1)).filter(|index| *index < length);
    match target {
        Value::Object(object) => {
            if let Some(index) = step(object.len()) {
                return graft(object.values_mut().nth(index).unwrap(), &way[1..], value);
            }
        }
        Value::Array(array) => {
            if let Some(index) = step(array.len()) {
                return graft(&mut array[index], &way[1..], value);
            }
        }
        _ => {}
    }
    *target = value;
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, {}])),
        Just(json!({ "type": "ec2" })),
        Just(json!({ "": "" })),
        "[a-z/@-]{0,70}".prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(fuzz::config("tests/property.seeds", 64))]

    #[test]
    fn a_spec_that_is_taken_generates_the_same_bytes_twice_whatever_the_order_of_its_keys(value in spec()) {
        let spec = parse(&value.to_string());
        prop_assume!(spec.is_some());
        let spec = spec.unwrap();
        let again = parse(&backwards(&value)).unwrap();
        prop_assert_eq!(&spec, &again);
        let first = artifacts(&spec);
        prop_assert!(first.is_some());
        prop_assert!(first == artifacts(&again), "two runs differ");
    }

    #[test]
    fn generated_json_parses_and_the_canonical_spec_is_the_spec(value in spec()) {
        let spec = parse(&value.to_string());
        prop_assume!(spec.is_some());
        let spec = spec.unwrap();
        for (path, bytes) in artifacts(&spec).unwrap() {
            if path.ends_with(".json") {
                prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok(), "{}", path);
            }
            if path == "spec.json" {
                prop_assert_eq!(parse(std::str::from_utf8(&bytes).unwrap()), Some(spec.clone()));
            }
        }
    }

    #[test]
    fn a_spec_with_anything_anywhere_is_taken_or_refused_with_a_place(
        value in spec(),
        grafts in proptest::collection::vec((proptest::collection::vec(0..9_usize, 0..7), anything()), 1..4),
    ) {
        let mut value = value;
        for (way, graft_value) in grafts {
            graft(&mut value, &way, graft_value);
        }
        let text = serde_json::to_string_pretty(&value).unwrap();
        match Spec::parse("spec", text.as_bytes()) {
            Ok(parsed) => drop(artifacts(&parsed.spec)),
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                let drawn = problems.render(false);
                prop_assert!(drawn.contains("--> spec:"), "{}", drawn);
                prop_assert!(drawn.contains("help: "), "{}", drawn);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_spec_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Spec::parse("spec", &bytes).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4) })]

    #[test]
    fn any_line_of_text_comes_back_from_nix(lines in proptest::collection::vec(line(), 50..51)) {
        if support::is_without("nix-instantiate") {
            return Ok(());
        }
        let mut value = json!({
            "version": 1, "name": "n", "hosts": { "h": { "replications": { "safe": {
                "archiver": "a", "source": "rpool/safe", "target": "pool/safe" } } } },
            "archivers": { "a": { "provider": { "type": "static", "address": "a" }, "pool": { "name": "pool" } } },
        });
        value["hosts"]["h"]["replications"]["safe"]["exec_stop_post"] = json!(lines);
        let (public, _) = support::artifacts(&parse(&value.to_string()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        support::write_all(folder.path(), &public);
        let file = folder.path().join("hosts/h/nixos.nix");
        let expression = format!("(import {} {{ }}).services.dormouse.replications.safe.execStopPost", file.display());
        let mut nix = Command::new("nix-instantiate");
        for (variable, below) in [("NIX_STORE_DIR", "store"), ("NIX_STATE_DIR", "var"), ("NIX_LOG_DIR", "log")] {
            nix.env(variable, folder.path().join(below));
        }
        let found = support::run(nix.args(["--eval", "--strict", "--json", "-E", &expression]));
        prop_assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), json!(lines));
    }
}
