//! What is known of runs, from every folder that tells of them: this user's, and that of the
//! service, which has a user of its own.

use std::fs;

use super::event::Event;
use super::seen::{LastRun, Sight, Sleep};
use super::spool::Folder;
use crate::error::Error;
use crate::folder;

/// What is known of a spec's runs on this host.
#[derive(Clone, Debug)]
pub struct Known(Vec<Folder>);

impl Known {
    /// What this user's own folder of state and the service's tell.
    ///
    /// # Errors
    /// [`Error::Folder`], or [`Error::ServiceState`] when the latter is not for this user.
    pub fn of(spec: &str) -> Result<Self, Error> {
        let mut folders = vec![Folder::of(spec)?];
        let service = folder::service_state();
        if std::env::var_os("STATE_DIRECTORY").is_none() && service.exists() {
            fs::read_dir(&service).map_err(|source| Error::ServiceState { path: service.clone(), source })?;
            let reports = service.join("reports").join(spec);
            folders.extend(reports.exists().then(|| Folder::below(&reports)));
        }
        Ok(Self(folders))
    }

    /// What one folder tells.
    #[must_use]
    pub fn only(folder: Folder) -> Self {
        Self(vec![folder])
    }

    /// A replication's last run, and when one last succeeded.
    #[must_use]
    pub fn last_run(&self, replication: &str) -> Option<LastRun> {
        let runs = || self.0.iter().filter_map(|folder| folder.last_run(replication));
        let last_success_at = runs().filter_map(|run| run.last_success_at).max();
        let last = runs().max_by_key(|run| run.event.started_at)?;
        Some(LastRun { last_success_at, ..last })
    }

    /// An archiver's pool, as last seen.
    #[must_use]
    pub fn pool(&self, archiver: &str) -> Option<Sight> {
        self.0.iter().filter_map(|folder| folder.pool(archiver)).max_by_key(|sight| sight.at)
    }

    /// Whether an archiver sleeps, as last seen.
    #[must_use]
    pub fn sleep(&self, archiver: &str) -> Option<Sleep> {
        self.0.iter().filter_map(|folder| folder.sleep(archiver)).max_by_key(|sleep| sleep.at)
    }

    /// The events of runs that began at this time or later.
    #[must_use]
    pub fn since(&self, from: i64) -> Vec<Event> {
        let mut events: Vec<Event> = self.0.iter().flat_map(|folder| folder.since(from)).collect();
        events.sort_by_key(|event| event.started_at);
        events
    }

    /// How many events wait for a sink.
    #[must_use]
    pub fn waiting_for(&self, sink: &str) -> usize {
        let entries = self.0.iter().flat_map(Folder::waiting);
        entries.filter(|(_, entry)| entry.waiting.iter().any(|name| name == sink)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_folders_the_newest_counts() {
        let (own, service) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [&own, &service].map(|folder| Folder::at(folder.path()).unwrap());
        let sleep =
            |at, instance: Option<&str>| Sleep { at, instance: instance.map(str::to_owned), launched: None };
        folders[0].see_sleep("archiver", &sleep(20, None)).unwrap();
        folders[1].see_sleep("archiver", &sleep(10, Some("i-1"))).unwrap();
        let known = Known(folders.to_vec());
        assert_eq!(known.sleep("archiver"), Some(sleep(20, None)));
        assert_eq!(Known::only(folders[1].clone()).sleep("archiver"), Some(sleep(10, Some("i-1"))));
        assert_eq!(known.last_run("safe"), None);
    }
}
