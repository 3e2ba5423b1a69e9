//! Which snapshot is wanted.

use std::fmt;

use dormouse_generator::name::DatasetName;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use crate::zfs::{Dataset, Snapshot};

/// Which snapshot of each dataset is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest.
    Newest,
    /// The one of this name.
    Named(String),
    /// The last, in the order in which they were received, before the first that is younger than this.
    At(Timestamp),
}

impl Wanted {
    /// The wanted snapshot of a dataset, if there is one.
    #[must_use]
    pub fn of<'a>(&self, dataset: &'a Dataset) -> Option<&'a Snapshot> {
        match self {
            Self::Newest => dataset.newest(),
            Self::Named(name) => dataset.snapshots.iter().find(|snapshot| snapshot.name == *name),
            Self::At(time) => {
                // A stream says when its snapshot was made, so its sender can date it back. The order in which
                // they were received cannot be forged by a host.
                let old = |snapshot: &&Snapshot| snapshot.creation <= time.as_second();
                dataset.snapshots.iter().take_while(old).last()
            }
        }
    }
}

/// Snapshots that say to be older than one that was received before them, for a warning.
#[must_use]
pub fn backdated(dataset: &Dataset) -> Vec<String> {
    let (mut warnings, mut youngest) = (Vec::new(), None::<&Snapshot>);
    for snapshot in &dataset.snapshots {
        match youngest {
            Some(before) if before.creation > snapshot.creation => warnings.push(format!(
                "{}@{} was received after @{}, but its creation time is earlier: a clock was wrong, or an attacker wrote it",
                dataset.name, snapshot.name, before.name
            )),
            _ => youngest = Some(snapshot),
        }
    }
    warnings
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("snapshot at all"),
            Self::Named(name) => write!(f, "snapshot @{name}"),
            Self::At(time) => write!(f, "snapshot that is as old as {time}"),
        }
    }
}

/// Reads a time: `2026-11-01 12:00` in this place's time zone, or one that names its own.
///
/// # Errors
/// The reason in words.
pub fn time(text: &str) -> Result<Timestamp, String> {
    time_in(text, TimeZone::system())
}

fn time_in(text: &str, zone: TimeZone) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(time) = text.parse::<ZonedDateTime>() {
        return Ok(time.timestamp());
    }
    let local: DateTime = text.parse().map_err(|_| "a time is like 2026-11-01 12:00".to_owned())?;
    local.to_zoned_datetime(zone).map(|time| time.timestamp()).map_err(|error| error.to_string())
}

/// A dataset of the host, perhaps with the name of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The dataset.
    pub dataset: DatasetName,
    /// What follows the `@`.
    pub snapshot: Option<String>,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (dataset, snapshot) = match text.split_once('@') {
            Some((dataset, snapshot)) => (dataset, Some(snapshot.to_owned())),
            None => (text, None),
        };
        if snapshot.as_deref() == Some("") {
            return Err("no name follows the @".to_owned());
        }
        Ok(Self { dataset: DatasetName::new(dataset)?, snapshot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::listing::Listing;

    #[test]
    fn a_snapshot_is_found_by_name_by_time_or_as_the_newest() {
        let text = "vault/a\tfilesystem\t1\t-\t-\nvault/a@one\t1\t1\t100\t0\t9\n\
            vault/a@two\t2\t2\t200\t0\t9\nvault/a@three\t3\t3\t300\t0\t9\n";
        let dataset = Listing::read(text).unwrap().into_values().next().unwrap();
        let at = |second| Wanted::At(Timestamp::from_second(second).unwrap());
        let cases = [
            (Wanted::Newest, Some("three")),
            (Wanted::Named("two".to_owned()), Some("two")),
            (Wanted::Named("four".to_owned()), None),
            (at(99), None),
            (at(100), Some("one")),
            (at(299), Some("two")),
            (at(1000), Some("three")),
        ];
        for (wanted, expected) in cases {
            assert_eq!(wanted.of(&dataset).map(|snapshot| snapshot.name.as_str()), expected, "{wanted:?}");
        }
    }

    #[test]
    fn a_snapshot_that_is_dated_back_is_not_chosen_by_time_and_is_told() {
        // Received after the break-in, dated before @three.
        let text = "vault/a\tfilesystem\t1\t-\t-\nvault/a@one\t1\t1\t100\t0\t9\n\
            vault/a@two\t2\t2\t200\t0\t9\nvault/a@three\t3\t3\t300\t0\t9\nvault/a@evil\t4\t4\t250\t0\t9\n";
        let dataset = Listing::read(text).unwrap().into_values().next().unwrap();
        let at = |second| Wanted::At(Timestamp::from_second(second).unwrap());
        let chosen = |second| at(second).of(&dataset).map(|snapshot| snapshot.name.clone());
        assert_eq!(chosen(260).as_deref(), Some("two"));
        let [warning] = &backdated(&dataset)[..] else { panic!("{:?}", backdated(&dataset)) };
        assert!(warning.starts_with("vault/a@evil was received after @three"), "{warning}");
        assert!(backdated(&dataset.only_snapshots(|snapshot| snapshot.name != "evil")).is_empty());
    }

    #[test]
    fn a_time_is_that_of_this_place_unless_it_says_otherwise() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let read = |text| time_in(text, zone.clone()).map(|time| time.to_string());
        let noon = Ok("2026-11-01T10:00:00Z".to_owned());
        assert_eq!(read("2026-11-01 12:00"), noon);
        assert_eq!(read("2026-11-01T12:00:00"), noon);
        assert_eq!(read("2026-11-01 10:00Z"), noon);
        assert_eq!(read("2026-11-01T11:00+01:00"), noon);
        assert_eq!(read("2026-11-01"), Ok("2026-10-31T22:00:00Z".to_owned()));
        assert!(read("yesterday").is_err());
    }

    #[test]
    fn a_place_is_a_dataset_and_perhaps_a_snapshot() {
        let place =
            |text: &str| text.parse::<Place>().map(|place| (place.dataset.to_string(), place.snapshot));
        assert_eq!(place("tank/a b"), Ok(("tank/a b".to_owned(), None)));
        assert_eq!(place("tank/a@x"), Ok(("tank/a".to_owned(), Some("x".to_owned()))));
        assert!(place("tank/a@").is_err() && place("/tank").is_err());
    }
}
