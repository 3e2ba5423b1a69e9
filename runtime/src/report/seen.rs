//! What was last seen of replications and archivers, so that `status` need not wake anybody.

use std::path::Path;

use dormouse_generator::name::DatasetName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::alarm::notify::Told;
use super::event::Event;
use super::spool::{self, Folder};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::ec2::model::Instance;
use crate::error::Error;
use crate::zfs::argv;

/// How the last line of `zpool status` begins, and what it says of a pool that has lost nothing.
const ERRORS: &str = "errors: ";
const NO_ERRORS: &str = "No known data errors";

/// A pool, as an archiver last showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The pool's size in bytes.
    pub size: u64,
    /// Bytes of it that are in use.
    pub allocated: u64,
    /// Bytes of it that are free.
    pub free: u64,
    /// `ONLINE`, `DEGRADED`, `FAULTED`, …
    pub health: String,
    /// What `zpool status` says of the last scrub.
    pub scan: Option<String>,
    /// What it says of data that cannot be read any more; none where it knows of no such data.
    #[serde(default)]
    pub errors: Option<String>,
    /// Copies of this host's datasets that such data belong to, as far as the archiver says.
    #[serde(default)]
    pub damaged: Vec<String>,
}

impl Sight {
    /// The error of an archiver whose pool is not well.
    #[must_use]
    pub fn failing(&self, archiver: &str) -> Option<Error> {
        let detail = self.trouble()?;
        Some(Error::Pool { archiver: archiver.to_owned(), detail })
    }

    /// What is wrong with the pool, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let state = (self.health != "ONLINE").then(|| format!("it is {}", self.health));
        let damaged = (!self.damaged.is_empty()).then(|| format!("damaged: {}", self.damaged.join(", ")));
        let all: Vec<String> = state.into_iter().chain(self.errors.clone()).chain(damaged).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// An archiver on EC2, as this host last saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleep {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The instance that ran then; none when it was asleep.
    pub instance: Option<String>,
    /// When that was launched.
    pub launched: Option<i64>,
}

/// What a replication's last runs came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// When one last succeeded, in seconds since 1970.
    pub last_success_at: Option<i64>,
    /// The last one.
    pub event: Event,
}

/// Asks a connected archiver for its pool, and where that has lost data, which of these copies and those
/// below them are hit.
///
/// # Errors
/// When it cannot be asked or answers something else.
pub async fn look(
    archiver: &Archiver,
    pool: &str,
    copies: impl IntoIterator<Item = &DatasetName>,
    now: i64,
) -> Result<Sight, Error> {
    // In one command line, since each costs a round trip.
    let text = archiver.query_all(&questions(pool)).await?;
    let sight = read_pool(&text, now);
    let mut sight = sight.ok_or_else(|| std::io::Error::other("zpool list printed something else"))?;
    if sight.errors.is_some() {
        for copy in copies {
            // One that is not there is not hit.
            let text = archiver.command(&argv::list_damaged(copy)).await.unwrap_or_default();
            sight.damaged.extend(read_damaged(&text).map(str::to_owned));
        }
        sight.damaged.sort();
        sight.damaged.dedup();
    }
    Ok(sight)
}

/// Reads what else was said where something has just been done, if that is all of an answer to the
/// [`questions`], and of a pool without errors: which copies are hit is another question.
#[must_use]
pub fn overhear(lines: &[String], now: i64) -> Option<Sight> {
    let is_well = lines.iter().any(|line| line.strip_prefix(ERRORS) == Some(NO_ERRORS));
    read_pool(&lines.join("\n"), now).filter(|_| is_well)
}

/// Reads what [`argv::list_damaged`] prints. Datasets inherit the property; its value is the name of the one
/// that is meant.
fn read_damaged(text: &str) -> impl Iterator<Item = &str> {
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.filter_map(|(name, value)| (name == value).then_some(name))
}

/// What to ask an archiver for its pool; [`read_pool`] reads the answer.
#[must_use]
pub fn questions(pool: &str) -> [Vec<String>; 2] {
    [argv::measure(pool), argv::status(pool)]
}

/// Reads what the [`questions`] make the archiver print, one after the other.
#[must_use]
pub fn read_pool(text: &str, now: i64) -> Option<Sight> {
    let (first, status) = text.split_once('\n').unwrap_or((text, ""));
    let mut fields = first.split('\t');
    let mut number = || fields.next()?.parse().ok();
    let (size, allocated, free) = (number()?, number()?, number()?);
    let health = fields.next()?.to_owned();
    let scan = status.lines().find_map(|line| line.trim_start().strip_prefix("scan: "));
    let errors = status.lines().find_map(|line| line.strip_prefix(ERRORS));
    let errors = errors.filter(|errors| *errors != NO_ERRORS);
    let [scan, errors] = [scan, errors].map(|text| text.map(str::to_owned));
    Some(Sight { at: now, size, allocated, free, health, scan, errors, damaged: vec![] })
}

/// Remembers which instance an archiver has, or that it has none; unwritten, `status` knows less.
pub fn note(context: &Context, archiver: &str, instance: Option<&Instance>) {
    let sleep = Sleep {
        at: jiff::Timestamp::now().as_second(),
        instance: instance.map(|instance| instance.id.clone()),
        launched: instance.map(|instance| instance.launched),
    };
    let _unwritten = Folder::of(&context.spec.name).and_then(|folder| folder.see_sleep(archiver, &sleep));
}

impl Folder {
    /// Remembers an archiver's pool.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn see_pool(&self, archiver: &str, sight: &Sight) -> Result<(), Error> {
        self.write(&format!("{archiver}.pool"), sight)
    }

    /// An archiver's pool, as last seen.
    #[must_use]
    pub fn pool(&self, archiver: &str) -> Option<Sight> {
        self.read(&format!("{archiver}.pool"))
    }

    /// Remembers whether an archiver sleeps.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn see_sleep(&self, archiver: &str, sleep: &Sleep) -> Result<(), Error> {
        self.write(&format!("{archiver}.sleep"), sleep)
    }

    /// Whether an archiver sleeps, as last seen.
    #[must_use]
    pub fn sleep(&self, archiver: &str) -> Option<Sleep> {
        self.read(&format!("{archiver}.sleep"))
    }

    /// Remembers a run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn see_run(&self, event: &Event) -> Result<(), Error> {
        let last = LastRun { last_success_at: event.last_success_at, event: event.clone() };
        self.write(&format!("{}.run", event.replication), &last)
    }

    /// A replication's last run.
    #[must_use]
    pub fn last_run(&self, replication: &str) -> Option<LastRun> {
        self.read(&format!("{replication}.run"))
    }

    /// Remembers that a replication was told to be late, or is late no longer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn see_told(&self, replication: &str, told: Option<Told>) -> Result<(), Error> {
        self.write(&format!("{replication}.told"), &told)
    }

    /// Whether a replication was told to be late.
    #[must_use]
    pub fn told(&self, replication: &str) -> Option<Told> {
        self.read(&format!("{replication}.told"))
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        spool::write(&self.seen.join(format!("{name}.json")), value)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        read(&self.seen.join(format!("{name}.json")))
    }
}

/// What cannot be read was not seen.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenZFS 2.3 prints it.
    const PRINTED: &str = "536870912000\t12884901888\t523986010112\tONLINE\n  pool: vault\n state: ONLINE\n  scan: scrub repaired 0B in 00:41:07 with 0 errors on Sun Nov  1 02:41:08 2026\nconfig:\n\n\tNAME        STATE     READ WRITE CKSUM\n\tvault       ONLINE       0     0     0\n\nerrors: No known data errors\n";

    #[test]
    fn a_pool_is_read_as_zpool_prints_it() {
        let sight = read_pool(PRINTED, 7).unwrap();
        assert_eq!((sight.at, sight.size, sight.allocated), (7, 536_870_912_000, 12_884_901_888));
        assert_eq!((sight.free, sight.health.as_str()), (523_986_010_112, "ONLINE"));
        assert!(sight.scan.as_ref().unwrap().starts_with("scrub repaired 0B in 00:41:07 with 0 errors"));
        assert_eq!(sight.trouble(), None);
        let rotten = PRINTED.replace("No known data errors", "2 data errors, use '-v' for a list");
        let rotten = read_pool(&rotten, 7).unwrap();
        assert_eq!(rotten.trouble().as_deref(), Some("2 data errors, use '-v' for a list"));
        let both = Sight { health: "SUSPENDED".to_owned(), ..rotten };
        assert_eq!(both.trouble().as_deref(), Some("it is SUSPENDED; 2 data errors, use '-v' for a list"));
        let damaged =
            "vault/home\tvault/home\nvault/home/a\tvault/home\nvault/home/b\tvault/home/b\nvault/c\t-\n";
        let damaged = read_damaged(damaged).map(str::to_owned).collect();
        let named = Sight { damaged, health: "ONLINE".to_owned(), ..both };
        let said = "2 data errors, use '-v' for a list; damaged: vault/home, vault/home/b";
        assert_eq!(named.trouble().as_deref(), Some(said));
    }

    #[test]
    fn what_is_overheard_counts_when_it_is_whole_and_of_a_pool_without_errors() {
        let lines: Vec<String> = PRINTED.lines().map(str::to_owned).collect();
        assert_eq!(overhear(&lines, 7), read_pool(PRINTED, 7));
        assert!(overhear(&lines, 7).is_some());
        for heard in 0..lines.len() {
            assert_eq!(overhear(&lines[..heard], 7), None);
        }
        assert_eq!(overhear(&lines[1..], 7), None);
        let rotten = PRINTED.replace(NO_ERRORS, "2 data errors, use '-v' for a list");
        let rotten: Vec<String> = rotten.lines().map(str::to_owned).collect();
        assert_eq!(overhear(&rotten, 7), None);
    }

    #[test]
    fn a_pool_without_a_scrub_and_something_else_than_a_pool() {
        assert_eq!(read_pool("1\t2\t3\tDEGRADED\n  pool: p\n", 0).unwrap().scan, None);
        for text in ["", "cannot open 'vault': no such pool\n", "1\t2\t-\tONLINE"] {
            assert_eq!(read_pool(text, 0), None, "{text:?}");
        }
    }
}
