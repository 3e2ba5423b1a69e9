//! Events on the disk: written before anybody is told, moved once everybody was, kept for a while.
//!
//! - `running/`: one file for each run that has begun and not come to its event
//! - `spool/`: events that somebody has yet to hear of
//! - `kept/`: those that everybody has; `status` counts cost from them
//! - `seen/`: what was last seen, see [`super::seen`]
//!
//! A file is named by when the run began, its replication and the run, so that there is exactly
//! one event for each run whoever writes it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::event::{Begun, Event};
use crate::error::Error;
use crate::folder;

/// For how long events are kept: a month's cost and the longest month.
const KEPT: Duration = Duration::from_secs(62 * 86_400);

/// How long and how many events wait for a service that is down. At a run each quarter of an hour
/// that is ten days; what is older is of no use to an alarm.
const WAIT: Duration = Duration::from_secs(30 * 86_400);
const MOST_WAITING: usize = 1_000;

/// An event that somebody has yet to hear of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The sinks that have it not yet, by name.
    pub waiting: Vec<String>,
    /// The event.
    pub event: Event,
}

/// A run that has begun, and the process that does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The run.
    #[serde(flatten)]
    pub begun: Begun,
    /// Its process.
    pub process: Process,
}

/// A process, told from a later one that got its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it was started, in the kernel's ticks after the boot (proc_pid_stat(5), field 22).
    pub started: u64,
    /// That boot.
    pub boot: String,
}

/// Where a spec's events are on this host.
#[derive(Clone, Debug)]
pub struct Folder {
    running: PathBuf,
    spool: PathBuf,
    kept: PathBuf,
    pub(super) seen: PathBuf,
}

impl Folder {
    /// The folder of a spec, in the folder of state.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn of(spec: &str) -> Result<Self, Error> {
        Self::at(&folder::state()?.join("reports").join(spec))
    }

    /// A folder at this place.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn at(root: &Path) -> Result<Self, Error> {
        let it = Self::below(root);
        for path in [&it.running, &it.spool, &it.kept, &it.seen] {
            folder::make(path.clone())?;
        }
        Ok(it)
    }

    /// A folder at this place, to be read.
    pub(super) fn below(root: &Path) -> Self {
        let path = |name| root.join(name);
        Self { running: path("running"), spool: path("spool"), kept: path("kept"), seen: path("seen") }
    }

    /// Notes that a run has begun.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, begun: &Begun) -> Result<(), Error> {
        let Some(process) = Process::this() else { return Ok(()) };
        let path = self.running.join(file(begun.started_at, &begun.replication, &begun.identity.run));
        write(&path, &Marker { begun: begun.clone(), process })
    }

    /// The runs that have begun and not come to an event.
    #[must_use]
    pub fn running(&self) -> Vec<Marker> {
        files(&self.running).iter().filter_map(|path| read(path)).collect()
    }

    /// Whether a run has its event.
    #[must_use]
    pub fn has(&self, replication: &str, run: &str) -> bool {
        let end = file_end(replication, run);
        let has = |folder: &Path| files(folder).iter().any(|path| path.to_string_lossy().ends_with(&end));
        has(&self.spool) || has(&self.kept)
    }

    /// Puts a run's event on the disk, unless it has one; its run has then come to its end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, event: &Event, waiting: Vec<String>) -> Result<(), Error> {
        let name = file(event.started_at, &event.replication, &event.run);
        if !self.has(&event.replication, &event.run) {
            match waiting.is_empty() {
                true => write_new(&self.kept.join(&name), &event.clone().to_keep())?,
                false => write_new(&self.spool.join(&name), &Entry { waiting, event: event.clone() })?,
            }
        }
        let end = file_end(&event.replication, &event.run);
        for path in files(&self.running).iter().filter(|path| path.to_string_lossy().ends_with(&end)) {
            let _gone = fs::remove_file(path);
        }
        Ok(())
    }

    /// The events that somebody has yet to hear of, the newest first.
    #[must_use]
    pub fn waiting(&self) -> Vec<(PathBuf, Entry)> {
        let mut paths = files(&self.spool);
        paths.reverse();
        paths.into_iter().filter_map(|path| Some((path.clone(), read(&path)?))).collect()
    }

    /// Notes who has heard of an event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn update(&self, path: &Path, entry: &Entry) -> Result<(), Error> {
        if !entry.waiting.is_empty() {
            return write(path, entry);
        }
        if let Some(name) = path.file_name() {
            write(&self.kept.join(name), &entry.event.clone().to_keep())?;
        }
        fs::remove_file(path).map_err(|source| Error::Folder { path: path.to_owned(), source })
    }

    /// The events of runs that began at this time or later, those not sent among them.
    #[must_use]
    pub fn since(&self, from: i64) -> Vec<Event> {
        let recent = |folder: &Path| -> Vec<PathBuf> {
            files(folder).into_iter().filter(|path| begun_at(path).is_some_and(|at| at >= from)).collect()
        };
        let mut events: Vec<Event> = recent(&self.kept).iter().filter_map(|path| read(path)).collect();
        let entries = recent(&self.spool);
        events.extend(entries.iter().filter_map(|path| read::<Entry>(path)).map(|entry| entry.event));
        events.sort_by_key(|event| event.started_at);
        events
    }

    /// Removes what has waited or was kept for too long.
    pub fn tidy(&self, now: SystemTime) {
        let old = |path: &Path, longest: Duration| {
            let age = fs::metadata(path).and_then(|data| data.modified());
            age.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > longest))
        };
        let waiting = files(&self.spool);
        let too_many = waiting.len().saturating_sub(MOST_WAITING);
        for (index, path) in waiting.iter().enumerate() {
            if index < too_many || old(path, WAIT) {
                let _gone = fs::remove_file(path);
            }
        }
        for path in files(&self.kept).iter().filter(|path| old(path, KEPT)) {
            let _gone = fs::remove_file(path);
        }
    }
}

impl Process {
    /// This process.
    #[must_use]
    pub fn this() -> Option<Self> {
        Self::of(std::process::id())
    }

    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in brackets, which may hold anything.
        let started = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim_end().to_owned();
        Some(Self { pid, started, boot })
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|found| found == *self)
    }
}

/// Ordered by name: the earliest run first.
fn file(started_at: i64, replication: &str, run: &str) -> String {
    format!("{started_at:012}{}", file_end(replication, run))
}

/// Names of replications hold no dot (`dormouse_generator::validate`).
fn file_end(replication: &str, run: &str) -> String {
    format!(".{replication}.{run}.json")
}

fn begun_at(path: &Path) -> Option<i64> {
    path.file_name()?.to_str()?.split('.').next()?.parse().ok()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    paths.sort();
    paths
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a file as a whole or not at all.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let failed = |source| Error::Folder { path: path.to_owned(), source };
    temporary(path, value)
        .and_then(|file| file.persist(path).map_err(|error| error.error))
        .map_err(failed)?;
    Ok(())
}

/// As [`write`]; somebody else's file of this name stays.
fn write_new(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let failed = |source| Error::Folder { path: path.to_owned(), source };
    match temporary(path, value).map_err(failed)?.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error.error)),
        _ => Ok(()),
    }
}

fn temporary(path: &Path, value: &impl Serialize) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".").suffix(".new").tempfile_in(folder)?;
    // At once: serde_json writes word by word.
    file.write_all(&[serde_json::to_vec(value)?, b"\n".to_vec()].concat())?;
    file.as_file().sync_all()?;
    Ok(file)
}
