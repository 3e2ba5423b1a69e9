//! A spec's text: its lines, and where each of its values stands.

use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::json_path::{JsonPath, Step};

/// A spec as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
}

/// The part of a source that is shown for a place.
pub(crate) struct View<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) span: Range<usize>,
    pub(crate) is_whole_line: bool,
}

impl Source {
    /// This text, which messages call `name`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// What messages call it: the path of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with this epoch in the entry `name` of `section`; all other bytes stay. None when
    /// there is no such entry.
    #[must_use]
    pub fn with_epoch(&self, section: &str, name: &str, epoch: u32) -> Option<String> {
        let document = self.document();
        let Some(Value::Object(root)) = &document.root else { return None };
        let entry =
            last_property(root, section)?.value.as_object().and_then(|all| last_property(all, name))?;
        Some(self.with_field(entry.value.as_object()?, "epoch", &epoch.to_string()))
    }

    /// The text with this epoch of the administrator's key; all other bytes stay. None if the spec is not an object.
    #[must_use]
    pub fn with_admin_epoch(&self, epoch: u32) -> Option<String> {
        let document = self.document();
        let Some(Value::Object(root)) = &document.root else { return None };
        Some(match last_property(root, "admin") {
            Some(entry) => self.with_field(entry.value.as_object()?, "epoch", &epoch.to_string()),
            None => self.with_field(root, "admin", &format!("{{ \"epoch\": {epoch} }}")),
        })
    }

    /// The text with this value of a field, which is added in front where it is missing.
    fn with_field(&self, object: &Object<'_>, field: &str, value: &str) -> String {
        let (place, text) = match (last_property(object, field), object.properties.first()) {
            (Some(present), _) => (bytes(&present.value), value.to_owned()),
            (None, Some(first)) => {
                // As far from the brace, or on a line of its own, as the first field is.
                let between = &self.text[object.start() + 1..first.start()];
                let gap = if between.is_empty() { " " } else { between };
                (first.start()..first.start(), format!("\"{field}\": {value},{gap}"))
            }
            (None, None) => (bytes(object), format!("{{ \"{field}\": {value} }}")),
        };
        let mut edited = self.text.clone();
        edited.replace_range(place, &text);
        edited
    }

    /// The tree of values with their places; empty when the text is no JSON.
    pub(crate) fn document(&self) -> Document<'_> {
        let tree = parse_to_ast(&self.text, &CollectOptions::default(), &strict());
        Document { text: &self.text, root: tree.ok().and_then(|tree| tree.value) }
    }

    /// The byte offset of a line and a byte column, both counted from 1.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        self.char_start((start + column.saturating_sub(1)).min(self.text.len()))
    }

    /// The line that `span` begins in, or `width` characters of it where it is longer.
    pub(crate) fn view(&self, span: &Range<usize>, width: usize) -> View<'_> {
        let start = self.char_start(span.start.min(self.text.len()));
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let is_whole_line = line_end - line_start <= width;
        let (from, to) = if is_whole_line {
            (line_start, line_end)
        } else {
            let from = self.char_start(start.saturating_sub(width / 2).max(line_start));
            (from, self.char_start((from + width).min(line_end)))
        };
        let end = span.end.clamp(start, to);
        View {
            text: &self.text[from..to],
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start - from..end - from,
            is_whole_line,
        }
    }

    /// The beginning of the character that holds this byte.
    fn char_start(&self, offset: usize) -> usize {
        (0..=offset).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// JSON and nothing more.
const fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// A source's values with their places.
pub(crate) struct Document<'a> {
    text: &'a str,
    root: Option<Value<'a>>,
}

impl<'a> Document<'a> {
    /// The place of the value at `path` (of its key where the value is an object or a list),
    /// else of the nearest value around it that exists.
    pub(crate) fn span(&self, path: &JsonPath, on_key: bool) -> Range<usize> {
        let mut best = self.first_token();
        let mut value = self.root.as_ref();
        for (depth, step) in path.steps().iter().enumerate() {
            match (value, step) {
                (Some(Value::Object(object)), Step::Key(key)) => {
                    let Some(property) = last_property(object, key) else { return best };
                    let is_scalar = !matches!(property.value, Value::Object(_) | Value::Array(_));
                    let is_last = depth + 1 == path.steps().len();
                    best = if is_scalar && !(on_key && is_last) {
                        bytes(&property.value)
                    } else {
                        bytes(&property.name)
                    };
                    value = Some(&property.value);
                }
                (Some(Value::Array(array)), Step::Index(index)) => {
                    let Some(element) = array.elements.get(*index) else { return best };
                    best = bytes(element);
                    value = Some(element);
                }
                _ => return best,
            }
        }
        best
    }

    /// The keys that an object has twice, each with the object's path and both places.
    pub(crate) fn duplicates(&self) -> Vec<(JsonPath, Range<usize>, Range<usize>)> {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            collect_duplicates(root, &JsonPath::root(), &mut found);
        }
        found
    }

    fn first_token(&self) -> Range<usize> {
        let start = self.text.len() - self.text.trim_start().len();
        start..(start + 1).min(self.text.len())
    }
}

/// The property that serde sees: the last one of this name.
fn last_property<'v, 'a>(object: &'v Object<'a>, key: &str) -> Option<&'v ObjectProp<'a>> {
    object.properties.iter().rev().find(|property| property.name.as_str() == key)
}

fn bytes(node: &impl Ranged) -> Range<usize> {
    node.start()..node.end()
}

fn collect_duplicates(
    value: &Value<'_>,
    path: &JsonPath,
    found: &mut Vec<(JsonPath, Range<usize>, Range<usize>)>,
) {
    match value {
        Value::Object(object) => {
            let mut seen = std::collections::HashMap::new();
            for property in &object.properties {
                let key = property.name.as_str();
                let inner = path.key(key);
                if let Some(first) = seen.insert(key, bytes(&property.name)) {
                    found.push((inner.clone(), first, bytes(&property.name)));
                }
                collect_duplicates(&property.value, &inner, found);
            }
        }
        Value::Array(array) => {
            for (index, element) in array.elements.iter().enumerate() {
                collect_duplicates(element, &path.index(index), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_path() {
        let source = Source::new("x", r#"{ "a": { "b": [1, "two"] } }"#);
        let document = source.document();
        let text = |path: JsonPath| &source.text()[document.span(&path, false)];
        assert_eq!(text(JsonPath::of(&["a", "b"]).index(1)), r#""two""#);
        assert_eq!(text(JsonPath::of(&["a", "b"])), r#""b""#);
        assert_eq!(text(JsonPath::of(&["a", "missing"])), r#""a""#);
        assert_eq!(text(JsonPath::of(&["missing"])), "{");
    }

    #[test]
    fn an_epoch_is_raised_or_added_in_the_style_of_the_file() {
        for (before, after) in [
            (r#"{"hosts":{"a":{"epoch" : 1 }}}"#, r#"{"hosts":{"a":{"epoch" : 2 }}}"#),
            (r#"{"hosts":{"a":{"x":1}}}"#, r#"{"hosts":{"a":{"epoch": 2, "x":1}}}"#),
            (r#"{"hosts":{"a":{ }}}"#, r#"{"hosts":{"a":{ "epoch": 2 }}}"#),
            (
                "{\"hosts\":{\"a\":{\n\t\t\"x\":1\n}}}",
                "{\"hosts\":{\"a\":{\n\t\t\"epoch\": 2,\n\t\t\"x\":1\n}}}",
            ),
        ] {
            assert_eq!(Source::new("x", before).with_epoch("hosts", "a", 2).as_deref(), Some(after));
        }
        assert_eq!(Source::new("x", "{}").with_epoch("hosts", "a", 2), None);
        for (before, after) in [
            ("{ \"name\": 1 }", "{ \"admin\": { \"epoch\": 2 }, \"name\": 1 }"),
            ("{\n  \"admin\": {}\n}", "{\n  \"admin\": { \"epoch\": 2 }\n}"),
            ("{ \"admin\": { \"epoch\": 1 } }", "{ \"admin\": { \"epoch\": 2 } }"),
        ] {
            assert_eq!(Source::new("x", before).with_admin_epoch(2).as_deref(), Some(after));
        }
        assert_eq!(Source::new("x", "[]").with_admin_epoch(2), None);
    }

    #[test]
    fn a_long_line_is_shown_in_part_with_its_true_column() {
        let text = format!("{{ \"a\": \"{}\", \"ü\": 1 }}", "x".repeat(1000));
        let source = Source::new("x", text);
        let span = source.document().span(&JsonPath::of(&["ü"]), false);
        let view = source.view(&span, 40);
        assert_eq!(&view.text[view.span.clone()], "1");
        assert_eq!((view.line, view.column), (1, 1017));
        assert!(view.text.len() <= 42);
    }
}
