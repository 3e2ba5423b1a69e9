//! Shapes that serde takes and the format does not have: an object written as the list of its
//! fields, a choice written as an object.
//!
//! Such a value comes back in another shape when the spec is written again.

use serde_json::Value;

use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::spec::Spec;

/// The values of the file that are of another kind than those of the spec read from it.
pub(super) fn check(file: &Value, spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Ok(canonical) = serde_json::to_value(spec) {
        compare(file, &canonical, &JsonPath::root(), &mut problems);
    }
    problems
}

fn compare(file: &Value, canonical: &Value, path: &JsonPath, problems: &mut Vec<Problem>) {
    match (file, canonical) {
        (Value::Object(file), Value::Object(canonical)) => {
            for (key, value) in file {
                if let Some(canonical) = canonical.get(key) {
                    compare(value, canonical, &path.key(key), problems);
                }
            }
        }
        (Value::Array(file), Value::Array(canonical)) => {
            for (index, (value, canonical)) in file.iter().zip(canonical).enumerate() {
                compare(value, canonical, &path.index(index), problems);
            }
        }
        _ if kind(file) != kind(canonical) => {
            let expected = kind(canonical);
            let reason = format!("expected {expected}, found {}", kind(file));
            problems.push(Problem::new(path.clone(), reason, format!("write {expected}")));
        }
        _ => {}
    }
}

/// What a writer of JSON calls a value like this.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
