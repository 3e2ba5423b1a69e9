//! Acknowledges what has arrived while other datasets are still under way.
//!
//! The channels of [`super::batch`] list on the archiver what they have received there. Whoever sees
//! the identity of a snapshot in that list can do what [`super::acknowledge`] does in the end. What else
//! they say is how the pool is.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::marks;
use crate::archiver::listed_snapshot;
use crate::exec::Exec;
use crate::zfs::Guid;
use crate::zfs::cursor::Changes;

/// What is under way, by its name on the archiver.
pub type Expected = BTreeMap<String, Arrival>;

/// A snapshot that is under way.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its identity.
    pub guid: Guid,
    /// Its dataset on this host.
    pub dataset: DatasetName,
    /// What acknowledges it.
    pub changes: Changes,
}

/// What was acknowledged.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// What was seen, by its name on the archiver.
    pub seen: BTreeMap<String, Guid>,
    /// What went wrong with bookmarks.
    pub errors: Vec<String>,
    /// What was told besides snapshots.
    pub rest: Vec<String>,
}

/// Listens to channels.
#[derive(Debug)]
pub struct Meanwhile {
    told: mpsc::UnboundedSender<String>,
    end: oneshot::Sender<()>,
    task: JoinHandle<Acknowledged>,
}

impl Meanwhile {
    /// Begins to listen.
    #[must_use]
    pub fn begin(exec: Exec, expected: Expected) -> Self {
        let (told, lines) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        Self { told, end, task: tokio::spawn(listen(exec, expected, lines, ended)) }
    }

    /// Where to tell lines of [`crate::zfs::argv::list_these`], and what is to be kept besides.
    #[must_use]
    pub fn told(&self) -> &mpsc::UnboundedSender<String> {
        &self.told
    }

    /// Hears what was told by now.
    pub async fn end(self) -> Acknowledged {
        let _ = self.end.send(());
        self.task.await.unwrap_or_default()
    }
}

async fn listen(
    exec: Exec,
    mut expected: Expected,
    mut lines: mpsc::UnboundedReceiver<String>,
    mut ended: oneshot::Receiver<()>,
) -> Acknowledged {
    let (mut acknowledged, mut is_over) = (Acknowledged::default(), false);
    while !is_over {
        let mut heard = Vec::new();
        tokio::select! {
            line = lines.recv() => heard.extend(line),
            _ = &mut ended => is_over = true,
        }
        heard.extend(std::iter::from_fn(|| lines.try_recv().ok()));
        let mut changes = Vec::new();
        for line in heard {
            let Some((name, guid)) = listed_snapshot(&line) else {
                acknowledged.rest.push(line);
                continue;
            };
            if expected.get(name).is_none_or(|arrival| arrival.guid != guid) {
                continue;
            }
            if let Some((name, arrival)) = expected.remove_entry(name) {
                changes.push((arrival.dataset, arrival.changes));
                acknowledged.seen.insert(name, guid);
            }
        }
        let errors = marks::apply_all(exec, changes).await;
        acknowledged.errors.extend(errors.into_values().map(|error| error.to_string()));
    }
    acknowledged
}
