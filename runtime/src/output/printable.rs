//! Text of other machines on a terminal.
//!
//! What an archiver prints ends up in tables and error texts. A terminal obeys escape sequences: they set its
//! title, write to the clipboard, and erase what stands there, to show a forged result instead.

use std::fmt::Write as _;

/// The text for people: everything that is not printable is shown as `\u{…}`, but for the ends of lines, which
/// are our own layout.
#[must_use]
pub fn printable(text: &str) -> String {
    escaped(text, |c, text| {
        let _ = write!(text, "{}", c.escape_unicode());
    })
}

/// JSON for machines, where the same is shown in JSON's own way. It escapes only what lies below U+0020, and
/// U+009B begins an escape sequence too.
#[must_use]
pub fn printable_json(json: &str) -> String {
    escaped(json, |c, json| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(json, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) {
            printable.push(c);
        } else {
            escape(c, &mut printable);
        }
    }
    printable
}

fn is_printable(c: char) -> bool {
    match c {
        '\n' | ' '..='~' => true,
        '\0'..='\x7f' => false,
        // After a letter, where `escape_debug` leaves accents as they are, it escapes what has no look.
        _ => {
            let mut pair = [b'x'; 5];
            let length = 1 + c.encode_utf8(&mut pair[1..]).len();
            std::str::from_utf8(&pair[..length]).is_ok_and(|pair| pair.escape_debug().count() == 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_what_people_write_stays() {
        let title = "\x1b]0;owned\x07 \x1b[2J\rnothing to do";
        assert_eq!(printable(title), r"\u{1b}]0;owned\u{7} \u{1b}[2J\u{d}nothing to do");
        // One character instead of ESC [, a delete, a tab, a text that turns round, and a separator of lines.
        assert_eq!(printable("\u{9b}2J\x7f\t\u{202e}\u{2028}"), r"\u{9b}2J\u{7f}\u{9}\u{202e}\u{2028}");
        let kept = "a \"b\" \\ 'c'\n  Grüße, e\u{301}, 日本, …, →, 🦔";
        assert_eq!(printable(kept), kept);
    }

    #[test]
    fn json_means_the_same_as_before() {
        let value = serde_json::json!({ "name": "\u{9b}2J\x1b\u{e0001} Grüße \"\n" });
        for json in [value.to_string(), format!("{value:#}")] {
            let shown = printable_json(&json);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert!(shown.contains(r"\u009b2J\u001b\udb40\udc01 Grüße"), "{shown}");
        }
    }
}
