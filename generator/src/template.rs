//! Templates: they only print, and every hole goes through a filter that escapes.
//!
//! A hole without one is refused when it is rendered, an unknown name too.

mod nix;
mod ssh;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

pub(crate) use ssh::quote as ssh_quote;

/// The templates by the name of their file.
const TEMPLATES: [(&str, &str); 6] = [
    ("configuration.nix.j2", include_str!("../../templates/configuration.nix.j2")),
    ("gate.sh.j2", include_str!("../../templates/gate.sh.j2")),
    ("home.nix.j2", include_str!("../../templates/home.nix.j2")),
    ("nixos.nix.j2", include_str!("../../templates/nixos.nix.j2")),
    ("prune.nix.j2", include_str!("../../templates/prune.nix.j2")),
    ("ssh_config.j2", include_str!("../../templates/ssh_config.j2")),
];

/// The templates, ready to be filled in.
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    /// # Errors
    /// When a template cannot be parsed.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build()?);
        environment.set_formatter(|output, _, value| {
            if !value.is_safe() {
                return Err(Error::new(ErrorKind::BadEscape, "a hole without a filter that escapes"));
            }
            output.write_str(value.as_str().unwrap_or_default()).map_err(Error::from)
        });
        environment.add_filter("nix", |value: &Value| nix::expression(value).map(Value::from_safe_string));
        environment.add_filter("attr", |value: &Value| nix::attribute(value).map(Value::from_safe_string));
        environment.add_filter("nix_text", |value: &Value| nix::text(value).map(Value::from_safe_string));
        environment.add_filter("shell", |value: &Value| shell(value).map(Value::from_safe_string));
        environment.add_filter("ssh", |value: &Value| ssh::filter(value).map(Value::from_safe_string));
        environment.add_filter("line", |value: &Value| line(value).map(Value::from_safe_string));
        environment.add_filter("comment", |value: &Value| comment(value).map(Value::from_safe_string));
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        Ok(Self(environment))
    }

    /// # Errors
    /// When the template wants what `values` lacks.
    pub(crate) fn render(&self, name: &str, values: Value) -> Result<String, Error> {
        self.0.get_template(name)?.render(values)
    }
}

/// A word of a shell.
fn shell(value: &Value) -> Result<String, Error> {
    let text = value.as_str().filter(|text| !text.contains(char::is_control));
    let quoted = text.and_then(|text| shlex::try_quote(text).ok());
    quoted.map(Into::into).ok_or_else(|| Error::new(ErrorKind::BadEscape, "this is not one line of text"))
}

/// Text that was escaped already, as one line.
fn line(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) if !text.contains(char::is_control) => Ok(text.to_owned()),
        _ => Err(Error::new(ErrorKind::BadEscape, "this is not one line of text")),
    }
}

/// A checked name inside a comment of any format.
fn comment(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => Ok(text.to_owned()),
        _ => Err(Error::new(ErrorKind::BadEscape, "a comment holds checked names only")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    fn environment_with(text: &'static str) -> Environment<'static> {
        let mut environment = Templates::new().unwrap().0;
        environment.add_template("test", text).unwrap();
        environment
    }

    fn render(text: &'static str) -> Result<String, Error> {
        let environment = environment_with(text);
        environment.get_template("test").unwrap().render(minijinja::context! { name => "a\"b" })
    }

    #[test]
    fn a_hole_without_a_filter_is_refused() {
        assert!(render("{{ name }}").is_err());
        assert_eq!(render("{{ name | nix }}").unwrap(), r#""a\"b""#);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(render("{{ nmae | nix }}").is_err());
    }

    #[test]
    fn the_table_is_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".j2"))
            .collect();
        assert_eq!(files, TEMPLATES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}
