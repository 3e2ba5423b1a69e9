//! Single files come back, out of a snapshot that is mounted on the archiver for just that.

mod stage;

use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Provider;
use serde::Serialize;

use self::stage::{Stage, Trouble};
use super::choice::Wanted;
use super::refusal::Refusal;
use crate::archiver::Archiver;
use crate::error::Error;
use crate::provider::{self, Identity};
use crate::replicate::Run;
use crate::replicate::progress::Progress;
use crate::replicate::stream::{Bounds, Broken, Sending};
use crate::replicate::take::{Asked, take};
use crate::zfs::{Dataset, Kind, argv, form};

/// Reads files out of a snapshot. It is mounted in a namespace of its own (unshare(1)), and goes with this
/// process; ZFS mounts only on an empty folder, which a tmpfs there has.
const READ: &str = r#"
mount -t tmpfs tmpfs /tmp && mkdir /tmp/root && mount -t zfs -o "$1" "$2" /tmp/root && shift 2 && cd /tmp/root &&
exec tar --create --file=- --sparse --acls --xattrs -- "$@"
"#;

/// Writes them here. Without full records tar may end before it has read the padding, and whoever sends
/// that would fail.
const WRITE: [&str; 7] =
    ["tar", "--extract", "--file=-", "--read-full-records", "--keep-old-files", "--acls", "--xattrs"];

/// What goes before that for root: tar makes no device node, whatever the archive says.
const NO_DEVICES: [&str; 4] = ["setpriv", "--inh-caps=-mknod", "--bounding-set=-mknod", "--"];

/// The command line that unpacks these paths, and nothing else of an archive.
fn unpack(folder: &str, paths: &[String]) -> Vec<String> {
    let is_root = rustix::process::geteuid().is_root();
    let before = is_root.then_some(NO_DEVICES).into_iter().flatten();
    let tar = before.chain(WRITE).chain(["--directory", folder, "--"]).map(str::to_owned);
    tar.chain(paths.iter().cloned()).collect()
}

/// Files of a dataset.
#[derive(Debug)]
pub struct Files<'a> {
    /// The replication that has the copy.
    pub run: Run<'a>,
    /// The dataset of the host.
    pub dataset: DatasetName,
    /// Of which snapshot.
    pub wanted: Wanted,
    /// Their paths below the dataset's root.
    pub paths: Vec<String>,
    /// The folder where they go, under the same paths.
    pub into: PathBuf,
}

/// What came back.
#[derive(Clone, Debug, Serialize)]
pub struct Fetched {
    /// The snapshot.
    pub snapshot: String,
    /// Where the files are now.
    pub files: Vec<PathBuf>,
    /// How many bytes came over.
    pub bytes: u64,
    /// How long that took, in seconds.
    pub seconds: f64,
}

impl Files<'_> {
    /// Brings them back.
    ///
    /// # Errors
    /// [`Error::Restore`], before anything is fetched or when not all of them came.
    pub async fn fetch(&self, bounds: &Bounds) -> Result<Fetched, Error> {
        self.check()?;
        let (context, name) = (self.run.context, self.run.replication.archiver.as_str());
        let identity = match context.archiver(name)?.provider {
            Provider::Ec2(_) => Identity::Admin,
            Provider::Static(_) => Identity::Host,
        };
        let session = provider::connect(context, name, identity, true).await?;
        let fetched = self.fetch_from(&session.archiver, bounds).await;
        let closed = session.close().await;
        let fetched = fetched?;
        closed.map(|()| fetched)
    }

    /// What can be refused without waking anybody.
    fn check(&self) -> Result<(), Refusal> {
        for path in &self.paths {
            let below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if path.is_empty() || !Path::new(path).components().all(below) {
                return Err(Refusal::NotBelow { path: path.clone() });
            }
            let place = self.into.join(path);
            if place.symlink_metadata().is_ok() {
                return Err(Refusal::FileExists { path: place });
            }
        }
        stage::check(&self.into)
    }

    async fn fetch_from(&self, archiver: &Archiver, bounds: &Bounds) -> Result<Fetched, Error> {
        let (context, began) = (self.run.context, Instant::now());
        let copy = self.run.target(&self.dataset)?;
        let copies = archiver.list_with_times(&copy, false).await?;
        let snapshot = self.choose(copies.get(&copy), &copy)?;
        let stage = Stage::within(&self.into).map_err(|trouble| self.unsettled(trouble))?;
        let from = format!("{copy}@{snapshot}");
        let read =
            ["unshare", "--mount", "sh", "-c", READ, "sh", argv::FOR_READING, &from].map(str::to_owned);
        let read: Vec<String> = read.into_iter().chain(self.paths.iter().cloned()).collect();
        let write = unpack(&stage.folder(), &self.paths);
        let progress = match context.shows_progress {
            true => Progress::bar(&context.bars, self.dataset.as_str(), None),
            false => Progress::quiet(),
        };
        let sending =
            Sending { argv: archiver.argv(&read)?, counters: vec![progress.counter()], claim: None };
        let came = take(context.exec, sending, &write, &Asked::Files, bounds).await;
        came.map_err(|broken| self.trouble(archiver, broken))?;
        stage.settle(&self.paths).map_err(|trouble| self.unsettled(trouble))?;
        Ok(Fetched {
            snapshot,
            files: self.paths.iter().map(|path| self.into.join(path)).collect(),
            bytes: progress.bytes(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    fn choose(&self, there: Option<&Dataset>, copy: &DatasetName) -> Result<String, Refusal> {
        let (archiver, dataset) = (self.run.replication.archiver.clone(), self.dataset.clone());
        let Some(there) = there else {
            return Err(Refusal::NoCopy { archiver, dataset, copy: copy.clone() });
        };
        if there.kind == Kind::Volume {
            return Err(Refusal::NoFiles { dataset });
        }
        if there.is_encrypted() && form::is_chain_raw(there, &self.run.replication.target) {
            return Err(Refusal::NoKeyThere { archiver, dataset });
        }
        let wanted = self.wanted.to_string();
        match self.wanted.of(there) {
            Some(snapshot) => Ok(snapshot.name.clone()),
            None => Err(Refusal::NoSnapshot { archiver, dataset, wanted }),
        }
    }

    fn trouble(&self, at: &Archiver, broken: Broken) -> Error {
        let (archiver, dataset) = (self.run.replication.archiver.clone(), self.dataset.clone());
        let detail = match broken {
            Broken::Setup(error) => return error,
            Broken::Connection(text) => return at.endpoint().refusal(&text),
            Broken::Send { text, .. } | Broken::Receive { text, .. } => text,
            Broken::Filter { .. } | Broken::Stalled(_) | Broken::Foreign(_) => broken.to_string(),
        };
        Refusal::FilesMissing { archiver, dataset, detail }.into()
    }

    fn unsettled(&self, trouble: Trouble) -> Refusal {
        let (archiver, dataset) = (self.run.replication.archiver.clone(), self.dataset.clone());
        match trouble {
            Trouble::Refused(refusal) => refusal,
            Trouble::Failed(detail) => Refusal::FilesMissing { archiver, dataset, detail },
        }
    }
}

#[cfg(test)]
mod tests;
