//! Values as Nix expressions.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Words that are no identifiers.
const KEYWORDS: [&str; 9] = ["assert", "else", "if", "in", "inherit", "let", "rec", "then", "with"];

/// A string, number, boolean, null, or a list of them.
pub(super) fn expression(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String => Ok(string(value.as_str().unwrap_or_default())),
        ValueKind::Number if value.is_integer() => Ok(value.to_string()),
        ValueKind::Bool => Ok(value.is_true().to_string()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Seq => list(value),
        kind => Err(Error::new(ErrorKind::BadEscape, format!("a {kind} is no simple value of Nix"))),
    }
}

fn list(value: &Value) -> Result<String, Error> {
    let elements = value.try_iter()?.map(|element| expression(&element)).collect::<Result<Vec<_>, _>>()?;
    Ok(if elements.is_empty() { "[ ]".to_owned() } else { format!("[ {} ]", elements.join(" ")) })
}

/// Many lines as an indented string of Nix, within a set that is indented by two (Nix manual, "String literal").
pub(super) fn text(value: &Value) -> Result<String, Error> {
    let Some(text) = value.as_str() else {
        return Err(Error::new(ErrorKind::BadEscape, "only a string is a text"));
    };
    let escaped = text.replace("''", "'''").replace("${", "''${");
    let lines =
        escaped.lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}") });
    Ok(format!("''\n{}\n  ''", lines.collect::<Vec<_>>().join("\n")))
}

/// A string as the name of an attribute: bare where Nix allows it.
pub(super) fn attribute(value: &Value) -> Result<String, Error> {
    let Some(name) = value.as_str() else {
        return Err(Error::new(ErrorKind::BadEscape, "only a string names an attribute"));
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let is_bare = starts_well && is_plain && !KEYWORDS.contains(&name);
    Ok(if is_bare { name.to_owned() } else { string(name) })
}

/// A string literal: only `"`, `\`, `${` and line ends mean something between double quotes.
fn string(text: &str) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace("${", r"\${")
        .replace('\n', r"\n")
        .replace('\r', r"\r")
        .replace('\t', r"\t");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nix_would_interpret_is_escaped() {
        for (text, literal) in [
            ("plain", r#""plain""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("${x} $${y} $z", r#""\${x} $\${y} $z""#),
            ("''\n\r\t", r#""''\n\r\t""#),
        ] {
            assert_eq!(string(text), literal);
        }
    }

    #[test]
    fn an_attribute_is_quoted_where_it_is_no_identifier() {
        for (name, written) in [("a-b", "a-b"), ("1a", "\"1a\""), ("if", "\"if\""), ("a b", "\"a b\"")] {
            assert_eq!(attribute(&Value::from(name)).unwrap(), written);
        }
    }

    #[test]
    fn lists_and_numbers_are_values_too() {
        let value = Value::from(vec![Value::from("a b"), Value::from(3), Value::from(true)]);
        assert_eq!(expression(&value).unwrap(), r#"[ "a b" 3 true ]"#);
        assert_eq!(expression(&Value::from(Vec::<String>::new())).unwrap(), "[ ]");
        assert!(expression(&Value::from(1.5)).is_err());
    }
}
