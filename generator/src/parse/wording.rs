//! serde's messages in the words of someone who writes a spec.

use serde_json::Value;

use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::suggest;

/// What serde calls a type, and what a writer of JSON calls it.
const TYPES: [(&str, &str); 10] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("a string", "a string"),
    ("string", "a string"),
    ("a boolean", "true or false"),
    ("a map", "an object"),
    ("a sequence", "a list"),
    ("option", "a value or null"),
    ("string or map", "a string"),
];

/// The field that a message says is missing.
pub(super) fn missing_field(reason: &str) -> Option<&str> {
    reason.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The problem that a message of serde stands for.
pub(super) fn problem(path: &JsonPath, reason: &str) -> Problem {
    let field = path.last_key().unwrap_or_default();
    if missing_field(reason).is_some() {
        return Problem::new(path.clone(), "this field is required", format!("add \"{field}\": …"));
    }
    if reason.starts_with("unknown field `") {
        return Problem::new(path.clone(), "there is no such field", unknown(field, reason)).on_key();
    }
    if let Some(found) = between(reason, "unknown variant `", "`, expected ") {
        return Problem::new(
            path.clone(),
            format!("{found:?} is none of the choices"),
            unknown(found, reason),
        );
    }
    if let Some((found, expected)) = reason.split_once(", expected ") {
        let found = found.trim_start_matches("invalid type: ").trim_start_matches("invalid value: ");
        let expected = type_name(expected);
        let reason = format!("expected {expected}, found {}", readable(found));
        let fix = match field {
            "linger" | "max_lifetime" | "timeout" | "alert_after" => "write a time such as \"2h\"".to_owned(),
            _ => format!("write {expected}"),
        };
        return Problem::new(path.clone(), reason, fix);
    }
    match reason.split_once(": write ") {
        Some((reason, fix)) => Problem::new(path.clone(), reason, format!("write {fix}")),
        None => Problem::new(path.clone(), reason, fix_for_name(field)),
    }
}

/// A provider without a type, or with one that does not exist.
pub(super) fn provider_type(path: JsonPath, kind: Option<&Value>) -> Problem {
    let known = ["ec2", "static"];
    match kind {
        None => Problem::new(path, "this field is required", r#"add "type": "ec2" or "type": "static""#),
        Some(Value::String(kind)) => {
            Problem::new(path, format!("{kind:?} is none of the choices"), suggest::one_of(kind, known))
        }
        Some(other) => {
            Problem::new(path, format!("expected a string, found {other}"), suggest::one_of("", known))
        }
    }
}

/// The fix for a word that is not in the list that the message ends with.
fn unknown(word: &str, reason: &str) -> String {
    let known = reason.rsplit_once("`, expected ").map_or("", |(_, list)| list);
    suggest::one_of(word, known.split('`').skip(1).step_by(2))
}

fn fix_for_name(field: &str) -> &'static str {
    match field {
        "source" | "target" | "exclude" => "write the name of a dataset, as `zfs list` prints it",
        "name" => "choose another pool name",
        _ => "write another value",
    }
}

fn type_name(expected: &str) -> &str {
    if expected.starts_with("struct ") || expected.starts_with("internally tagged") {
        return "an object";
    }
    TYPES.iter().find(|(serde, _)| *serde == expected).map_or(expected, |(_, ours)| ours)
}

/// ``integer `5` `` as `5`; `map` as `an object`.
fn readable(found: &str) -> String {
    match found {
        "unit value" => "null".to_owned(),
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" => "null".to_owned(),
        // A list that is too short for the fields of an object.
        _ if found.starts_with("invalid length ") => "a list".to_owned(),
        _ => {
            let found = found.strip_prefix("string ").unwrap_or(found);
            between(found, "`", "`").unwrap_or(found).to_owned()
        }
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.rfind(after).map(|end| &rest[..end])
}
