//! The journal, with structured fields (systemd.journal-fields(7)), by its native protocol
//! (systemd documentation, "Native Journal Protocol"): `journalctl DORMOUSE_REPLICATION=safe`.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::Trouble;
use crate::report::event::Event;

/// Where the journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// Names the kind of entry; made for it with `systemd-id128 new`.
const MESSAGE_ID: &str = "6f0c3a6c9a1b4f6b8d0c0f5f2d1e7a94";

/// How much the event's JSON may have, in bytes: an entry has to fit into one datagram, which the
/// system limits to some 200 KiB (`net.core.wmem_default`).
const MAX_JSON: usize = 128 * 1024;

/// Priorities of syslog(3).
const ERR: &str = "3";
const INFO: &str = "6";

/// Sends an entry.
///
/// # Errors
/// [`Trouble::File`].
pub fn send(event: &Event, socket: impl AsRef<Path>) -> Result<(), Trouble> {
    let failed = |source| Trouble::File { path: PathBuf::from(socket.as_ref()), source };
    let datagram = UnixDatagram::unbound().map_err(failed)?;
    datagram.send_to(&entry(event), &socket).map_err(failed)?;
    Ok(())
}

/// Whether the journal listens.
///
/// # Errors
/// [`Trouble::File`].
pub fn check(socket: impl AsRef<Path>) -> Result<(), Trouble> {
    let failed = |source| Trouble::File { path: PathBuf::from(socket.as_ref()), source };
    UnixDatagram::unbound().and_then(|datagram| datagram.connect(&socket)).map_err(failed)
}

/// The entry: fields of words and numbers, and all of it as JSON.
fn entry(event: &Event) -> Vec<u8> {
    let mut entry = Vec::new();
    let priority = if event.success { INFO } else { ERR };
    for (name, value) in [
        ("MESSAGE", event.summary().as_str()),
        ("MESSAGE_ID", MESSAGE_ID),
        ("PRIORITY", priority),
        ("SYSLOG_IDENTIFIER", "dormouse"),
    ] {
        push(&mut entry, name, value);
    }
    let value = serde_json::to_value(event).unwrap_or_default();
    for (name, value) in value.as_object().into_iter().flatten() {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => value.to_string(),
            _ => continue,
        };
        push(&mut entry, &format!("DORMOUSE_{}", name.to_ascii_uppercase()), &value);
    }
    let json = value.to_string();
    if json.len() <= MAX_JSON {
        push(&mut entry, "DORMOUSE_EVENT", &json);
    }
    entry
}

/// A field on one line, or with its length before it when it has several.
fn push(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend(name.as_bytes());
    if value.contains('\n') {
        entry.push(b'\n');
        entry.extend((value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend(value.as_bytes());
    entry.push(b'\n');
}
