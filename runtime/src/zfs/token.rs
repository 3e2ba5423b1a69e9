//! What a resume token says, and whether the host can still continue from it.

use super::{Dataset, Guid};
use crate::exec;

/// The contents of a resume token, as `zfs send -n -v -t TOKEN` prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The snapshot that was under way.
    pub to: Guid,
    /// Its name, `dataset@snapshot`, when the transfer began.
    pub to_name: String,
    /// The increment's base; none for a full send.
    pub from: Option<Guid>,
    /// Bytes that the archiver keeps of it.
    pub bytes: u64,
    /// Whether the stream was raw.
    pub raw: bool,
}

/// Why a token is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The snapshot under way was deleted on the host.
    #[error("snapshot {0} was deleted on the host meanwhile")]
    SnapshotGone(String),
    /// The base of the increment was deleted, bookmarks included.
    #[error("the base of the increment to {0} was deleted on the host meanwhile")]
    BaseGone(String),
    /// The dataset has another name now, which `zfs send -t` cannot follow.
    #[error("it names {0}, which has another name now")]
    Renamed(String),
    /// The spec asks for the other kind of stream.
    #[error("it is for a {} stream, and a {} one is asked for", kind(.raw), kind(&!.raw))]
    Rawness {
        /// Whether the token's stream is raw.
        raw: bool,
    },
    /// `zfs send` cannot read it.
    #[error("zfs cannot read it: {0}")]
    Unreadable(String),
}

fn kind(raw: &bool) -> &'static str {
    if *raw { "raw" } else { "plain" }
}

impl Token {
    /// Reads what `zfs send -n -v -t TOKEN` prints: one `key = value` a line, numbers in hex.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut pairs = text.lines().filter_map(|line| line.trim().split_once(" = "));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.trim())
        };
        let number = |key: &str| {
            value(key).and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok())
        };
        Some(Self {
            to: Guid(number("toguid")?),
            to_name: value("toname")?.to_owned(),
            from: number("fromguid").filter(|guid| *guid != 0).map(Guid),
            bytes: number("bytes").unwrap_or(0),
            raw: value("rawok").is_some(),
        })
    }

    /// Why `zfs send` cannot take up a token, by what it says instead of the token's contents.
    #[must_use]
    pub fn unreadable(text: &str) -> Stale {
        let quoted = text.split('\'').nth(1).unwrap_or_default().to_owned();
        if text.contains("used in the initial send no longer exists") {
            Stale::SnapshotGone(quoted)
        } else {
            Stale::Unreadable(exec::text(text))
        }
    }

    /// Whether the host can continue the transfer into the dataset that it now calls `source`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, source: &Dataset, raw: bool) -> Result<(), Stale> {
        let Some(snapshot) = source.snapshot(self.to) else {
            return Err(Stale::SnapshotGone(self.to_name.clone()));
        };
        if self.to_name != format!("{}@{}", source.name, snapshot.name) {
            return Err(Stale::Renamed(self.to_name.clone()));
        }
        if let Some(from) = self.from
            && source.snapshot(from).is_none()
            && source.bookmark(from).is_none()
        {
            return Err(Stale::BaseGone(self.to_name.clone()));
        }
        if self.raw == raw { Ok(()) } else { Err(Stale::Rawness { raw: self.raw }) }
    }
}
