//! Values as arguments of ssh_config.

use minijinja::{Error, ErrorKind, Value};

/// Characters that end or begin something in ssh_config: white space, quotes, comments.
const QUOTED_FOR: [char; 5] = [' ', '\t', '\'', '#', '='];

pub(crate) fn filter(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => quote(text),
        None if value.is_integer() => Ok(value.to_string()),
        None => {
            Err(Error::new(ErrorKind::BadEscape, format!("a {} is no argument of ssh_config", value.kind())))
        }
    }
}

/// A text as one argument. `%` begins a token, `"` and `${` cannot be written at all.
pub(crate) fn quote(text: &str) -> Result<String, Error> {
    if text.contains(['"', '\n', '\r']) || text.contains("${") {
        return Err(Error::new(ErrorKind::BadEscape, "ssh_config cannot express this text"));
    }
    let text = text.replace('%', "%%");
    Ok(if text.is_empty() || text.contains(QUOTED_FOR) { format!("\"{text}\"") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_quoted_and_percent_doubled() {
        assert_eq!(quote("~/a/b").unwrap(), "~/a/b");
        assert_eq!(quote("~/a b/100%").unwrap(), "\"~/a b/100%%\"");
        assert!(quote("a\"b").is_err());
        assert!(quote("${HOME}").is_err());
    }
}
