//! A JSON value to a spec, past its mistakes.
//!
//! serde stops at the first mistake. Each one is therefore written down, the value that caused
//! it is taken out (or replaced where the type cannot do without), and the rest is read again.
//! The places are kept, so that nothing is reported that only follows from a repair.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use super::{shape, wording};
use crate::json_path::{JsonPath, Step};
use crate::problem::Problem;
use crate::spec::{Archiver, Ec2, Host, Spec, Static};

/// So many mistakes in one archiver or host are told; each costs one more reading.
const MAX_REPAIRS: usize = 100;

/// Mistakes and the places that were repaired.
#[derive(Default)]
pub(super) struct Log {
    pub(super) problems: Vec<Problem>,
    pub(super) damaged: BTreeSet<JsonPath>,
}

/// The spec, repaired where it had to be; none when its root is no object.
pub(super) fn spec(mut value: Value, log: &mut Log) -> Option<Spec> {
    let root = JsonPath::root();
    if !value.is_object() {
        let reason = format!("expected an object, found {}", shape::kind(&value));
        log.problems.push(Problem::new(root, reason, "write { \"version\": 1, … }"));
        return None;
    }
    let mut archivers = BTreeMap::new();
    let mut hosts = BTreeMap::new();
    if let Value::Object(object) = &mut value {
        // Names the schema for editors; it is no part of the spec.
        object.remove("$schema");
        for (name, value) in take_entries(object, "archivers") {
            let path = root.key("archivers").key(&name);
            archivers.extend(archiver(value, &path, log).map(|archiver| (name, archiver)));
        }
        for (name, value) in take_entries(object, "hosts") {
            let path = root.key("hosts").key(&name);
            hosts.extend(repaired::<Host>(value, &path, log).map(|(_, host)| (name, host)));
        }
    }
    let (_, spec) = repaired::<Spec>(value, &root, log)?;
    Some(Spec { archivers, hosts, ..spec })
}

/// Empties the object under `key` and returns what was in it, each entry to be read on its own:
/// a mistake in one then costs one more reading of that one.
fn take_entries(object: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    object.get_mut(key).and_then(Value::as_object_mut).map(std::mem::take).unwrap_or_default()
}

/// An archiver; its provider is read first, for serde forgets the path inside a tagged enum.
fn archiver(mut value: Value, path: &JsonPath, log: &mut Log) -> Option<Archiver> {
    if let Some(object) = value.get_mut("provider").and_then(Value::as_object_mut) {
        let at = path.key("provider");
        let kind = object.remove("type");
        let provider = Value::Object(std::mem::take(object));
        let read = match kind.as_ref().and_then(Value::as_str) {
            Some("ec2") => repaired::<Ec2>(provider, &at, log).map(|(value, _)| value),
            Some("static") => repaired::<Static>(provider, &at, log).map(|(value, _)| value),
            _ => {
                log.problems.push(wording::provider_type(at.key("type"), kind.as_ref()));
                log.damaged.insert(at);
                None
            }
        };
        match (kind, read) {
            (Some(kind), Some(Value::Object(mut fields))) => {
                fields.insert("type".to_owned(), kind);
                *object = fields;
            }
            _ => value["provider"] = placeholder("provider").unwrap_or_default(),
        }
    }
    repaired::<Archiver>(value, path, log).map(|(_, archiver)| archiver)
}

/// The value as a `T`, and the value that it was read from in the end; none when it cannot be
/// repaired, which counts as damage to all of it.
fn repaired<T: DeserializeOwned>(mut value: Value, at: &JsonPath, log: &mut Log) -> Option<(Value, T)> {
    let mut removed: BTreeMap<JsonPath, usize> = BTreeMap::new();
    for _ in 0..MAX_REPAIRS {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(read) => return Some((value, read)),
            Err(error) => error,
        };
        let mut inner = steps(error.path());
        let reason = error.into_inner().to_string();
        if let Some(field) = wording::missing_field(&reason) {
            inner.push(Step::Key(field.to_owned()));
        }
        let path = original(at, &inner, &removed);
        log.problems.push(wording::problem(&path, &reason));
        if !log.damaged.insert(path) || inner.is_empty() {
            break;
        }
        repair(&mut value, &inner, &mut removed, at);
    }
    log.damaged.insert(at.clone());
    None
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// The path in the file: list elements that were taken out count again.
fn original(at: &JsonPath, inner: &[Step], removed: &BTreeMap<JsonPath, usize>) -> JsonPath {
    inner.iter().fold(at.clone(), |path, step| match step {
        Step::Index(index) => path.index(index + removed.get(&path).copied().unwrap_or_default()),
        Step::Key(_) => path.then(step.clone()),
    })
}

/// Takes the value at `inner` out, or puts one there that can be read.
fn repair(value: &mut Value, inner: &[Step], removed: &mut BTreeMap<JsonPath, usize>, at: &JsonPath) {
    let Some((last, way)) = inner.split_last() else { return };
    let parent = way.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (parent, last) {
        (Some(Value::Object(object)), Step::Key(key)) => match placeholder(key) {
            Some(stand_in) => {
                object.insert(key.clone(), stand_in);
            }
            None => {
                object.remove(key);
            }
        },
        (Some(Value::Array(array)), Step::Index(index)) if *index < array.len() => {
            array.remove(*index);
            *removed.entry(original(at, way, removed)).or_default() += 1;
        }
        _ => {}
    }
}

/// What stands in for a required field, by its name: without it, one missing field would hide
/// all others. Validation skips what touches it.
fn placeholder(field: &str) -> Option<Value> {
    Some(match field {
        "version" => json!(1),
        "size_gib" => json!(500),
        "archivers" | "hosts" | "image" => json!({}),
        "pool" => json!({ "name": "pool" }),
        "provider" => json!({ "type": "static", "address": "address" }),
        "name" | "region" | "availability_zone" | "address" | "archiver" | "source" | "target"
        | "dataset" | "api_key_file" | "endpoint" | "url_file" | "textfile_dir" => json!("placeholder"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn required(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                let names = object.get("required").and_then(Value::as_array).into_iter().flatten();
                found.extend(names.filter_map(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| required(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| required(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_required_field_has_a_stand_in() {
        let mut names = BTreeSet::new();
        required(schemars::schema_for!(Spec).as_value(), &mut names);
        names.remove("type");
        assert!(names.len() > 10);
        for name in names {
            assert!(placeholder(&name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_repaired_is_damaged_as_a_whole() {
        let mut log = Log::default();
        let many: Vec<Value> = (0..1_000).map(Value::from).collect();
        let value = json!({ "archivers": { "nas": 5 }, "hosts": { "h": { "replications": { "r": many } } } });
        let _partial = spec(value, &mut log);
        assert!(log.damaged.contains(&JsonPath::of(&["archivers", "nas"])));

        let value = json!({ "archiver": "a", "source": "p", "target": "p", "exclude": many });
        assert!(repaired::<crate::spec::Replication>(value, &JsonPath::of(&["x"]), &mut log).is_none());
        assert!(log.damaged.contains(&JsonPath::of(&["x"])));
    }

    #[test]
    fn an_element_keeps_its_place_when_one_before_it_is_taken_out() {
        let value =
            json!({ "archiver": "a", "source": "p", "target": "p", "after": ["x", "hourly", "y", 3] });
        let mut log = Log::default();
        repaired::<crate::spec::Replication>(value, &JsonPath::root(), &mut log).unwrap();
        let paths: Vec<String> = log.damaged.iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["after[0]", "after[2]", "after[3]"]);
    }
}
