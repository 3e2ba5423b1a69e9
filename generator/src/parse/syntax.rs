//! Bytes to a JSON value: size, UTF-8, syntax, keys that occur twice.

use serde_json::Value;

use super::MAX_SPEC_BYTES;
use crate::json_path::JsonPath;
use crate::problem::{Problem, Problems};
use crate::source::Source;

/// The bytes as text.
pub(super) fn text(name: &str, bytes: &[u8]) -> Result<Source, Problems> {
    let refuse = |reason: String, fix: &str| {
        Err(Problems::new(Source::new(name, ""), vec![Problem::new(JsonPath::root(), reason, fix)]))
    };
    if bytes.len() as u64 > MAX_SPEC_BYTES {
        return refuse(
            format!("the file has {} bytes, a spec has at most {MAX_SPEC_BYTES}", bytes.len()),
            "name the spec's file; this is some other file",
        );
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => refuse(
            format!("the file is not UTF-8 from byte {} on", error.valid_up_to()),
            "save it as UTF-8; other files than JSON are no specs",
        ),
    }
}

/// The text as a value, and the keys that occur twice in an object.
pub(super) fn value(source: &Source) -> Result<(Value, Vec<Problem>), Problems> {
    let value = serde_json::from_str(source.text()).map_err(|error| malformed(source, &error))?;
    let duplicates = source.document().duplicates().into_iter().map(|(path, first, second)| {
        let line = source.view(&first, usize::MAX).line;
        let reason = format!("this key occurs twice, first on line {line}");
        Problem::new(path, reason, "remove or rename one of the two").at(second)
    });
    Ok((value, duplicates.collect()))
}

fn malformed(source: &Source, error: &serde_json::Error) -> Problems {
    let offset = source.offset(error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let problem = Problem::new(JsonPath::root(), format!("not JSON: {what}"), fix(source, what));
    Problems::new(source.clone(), vec![problem.at(offset..offset + 1)])
}

/// What to do about a message of serde_json.
fn fix(source: &Source, what: &str) -> &'static str {
    if source.text().starts_with('\u{feff}') {
        return "save the file as UTF-8 without a byte order mark";
    }
    if source.text().trim().is_empty() {
        return "the file is empty: `dormouse-generate init` writes a spec to start from";
    }
    match what {
        "trailing comma" => "remove the comma before this bracket",
        "trailing characters" => "remove what follows the spec's last bracket",
        "key must be a string" => "write the key in double quotes; JSON has no comments",
        "recursion limit exceeded" => "a spec is nested eight levels deep at most",
        "number out of range" => "write a smaller number",
        _ if what.starts_with("EOF") => "the file ends too early: close what is still open",
        _ if what.starts_with("expected `,`") => "write a comma between two entries, or close the bracket",
        _ => "write JSON here; it has neither comments nor single quotes",
    }
}
