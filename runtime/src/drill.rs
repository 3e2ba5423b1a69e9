//! A restore drill: what is on the archiver comes back into a scratch dataset and is compared with
//! what is here, file by file, or byte by byte if it is a zvol; then the scratch dataset goes.
//!
//! - [`tree`]: two trees of files to what differs
//! - [`volume`]: two zvols to what differs
//! - [`contents`]: two files to where they differ

pub mod contents;
pub mod tree;
pub mod trouble;
pub mod volume;

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;
use serde::Serialize;

use self::tree::Compared;
use self::trouble::Trouble;
use crate::error::Error;
use crate::exec::Exec;
use crate::output::print_error;
use crate::provider::session::Sessions;
use crate::replicate::Run;
use crate::replicate::stream::Bounds;
use crate::restore::Restore;
use crate::restore::choice::Wanted;
use crate::restore::plan::{Piece, Request};
use crate::zfs::scratch::Scratch;
use crate::zfs::{Kind, Snapshot, argv};

/// How long a command about the scratch dataset may take.
const COMMAND: Duration = Duration::from_secs(600);

/// How often, and after what pause, a scratch dataset is destroyed again that is busy: the kernel lets
/// a mount go a little later than its last user does.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// A drill of one dataset.
#[derive(Debug)]
pub struct Drill<'a> {
    run: Run<'a>,
    /// The dataset.
    pub dataset: DatasetName,
    kind: Kind,
    /// Its newest snapshot that both sides have.
    pub snapshot: Snapshot,
    /// Where it comes back.
    pub scratch: Scratch,
    /// A clone of the snapshot that is here, for a zvol: its device shows what the snapshot holds.
    twin: Scratch,
}

/// What a drill found.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    /// The dataset.
    pub dataset: DatasetName,
    /// The snapshot.
    pub snapshot: String,
    /// How many bytes came over.
    pub fetched: u64,
    /// What was compared.
    #[serde(flatten)]
    pub compared: Compared,
}

impl<'a> Drill<'a> {
    /// A drill of a dataset's newest snapshot that both sides have.
    ///
    /// # Errors
    /// [`Trouble::NothingInCommon`].
    pub fn new(
        run: Run<'a>,
        dataset: &DatasetName,
        kind: Kind,
        newest: Option<&Snapshot>,
    ) -> Result<Self, Error> {
        let dataset = dataset.clone();
        let Some(snapshot) = newest.cloned() else { return Err(Trouble::NothingInCommon { dataset }.into()) };
        let scratch = || Scratch::new(dataset.pool(), rand::random()).map_err(std::io::Error::other);
        let (scratch, twin) = (scratch()?, scratch()?);
        Ok(Self { run, dataset, kind, snapshot, scratch, twin })
    }

    /// Makes what the scratch dataset comes to lie in, if that is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn prepare(&self) -> Result<(), Error> {
        let parent = Scratch::parent(self.dataset.pool()).map_err(std::io::Error::other)?;
        match self.exec().run(&argv::create_scratch_parent(&parent), COMMAND).await {
            Err(error) if error.stderr().contains("dataset already exists") => Ok(()),
            made => made.map(drop).map_err(Error::Program),
        }
    }

    /// Destroys that again; where something is left in it, it stays.
    pub async fn clear(&self) {
        if let Ok(parent) = Scratch::parent(self.dataset.pool()) {
            let _ = self.exec().run(&argv::destroy_scratch_parent(&parent), COMMAND).await;
        }
    }

    /// The restore that it begins with.
    ///
    /// # Errors
    /// [`Error::Spec`].
    pub fn restore(&self) -> Result<Restore<'a>, Error> {
        let replication = self.run.replication;
        let request = Request {
            archiver: replication.archiver.clone(),
            dataset: self.dataset.clone(),
            copy: self.run.target(&self.dataset)?,
            root: replication.target.clone(),
            to: self.scratch.name().clone(),
            wanted: Wanted::Named(self.snapshot.name.clone()),
            only: true,
            raw: replication.raw,
            // The scratch dataset of what the spec sends plain goes again.
            accepts_unencrypted: replication.raw == Raw::Never,
        };
        // What limits the dataset, or says that snapshots are to be made of it, is none of a scratch dataset's.
        let (run, mountpoints) = (self.run, vec![]);
        Ok(Restore {
            run,
            request,
            recursive: false,
            sets_properties: false,
            accepts_properties: false,
            mountpoints,
            swap: None,
        })
    }

    /// Where the key is that what comes back is encrypted with, before anything is fetched.
    ///
    /// # Errors
    /// [`Trouble::NoKey`] when nobody could enter it.
    pub async fn key(&self, piece: &Piece, wanted: Option<&str>) -> Result<Option<String>, Error> {
        if !piece.raw || wanted.is_some() {
            return Ok(wanted.map(str::to_owned));
        }
        match location(self.exec(), &self.dataset).await? {
            Some(location) => Ok(Some(location)),
            None => Err(Trouble::NoKey { dataset: self.dataset.clone() }.into()),
        }
    }

    /// Brings it back, compares it, and destroys the scratch dataset, whatever came of it.
    ///
    /// # Errors
    /// What kept it from coming back or from being compared; [`Trouble::Left`] when the scratch dataset
    /// is still there.
    pub async fn run(&self, sessions: &mut Sessions<'a>, key: Option<&str>) -> Result<Drilled, Error> {
        // Where this fails, nothing was begun.
        let outcome = self.restore()?.restore(sessions, &Bounds::default()).await?;
        let message = outcome.datasets.iter().find_map(|dataset| dataset.message.clone());
        let compared = match (outcome.distrust(), message) {
            (Some(refusal), _) => Err(refusal.clone().into()),
            (None, Some(message)) => Err(Trouble::NotBack { dataset: self.dataset.clone(), message }.into()),
            (None, None) => self.compare(key).await,
        };
        let gone = match self.kind {
            Kind::Filesystem => self.destroy(&self.scratch).await,
            Kind::Volume => {
                let twin = self.destroy_twin().await;
                self.destroy(&self.scratch).await.and(twin)
            }
        };
        if let (Err(left), Err(_)) = (&gone, &compared) {
            // Only one error is returned, and what is left behind has to be told all the same.
            print_error(left, "");
        }
        let (compared, ()) = (compared?, gone?);
        let (dataset, snapshot) = (self.dataset.clone(), self.snapshot.name.clone());
        Ok(Drilled { dataset, snapshot, fetched: outcome.bytes, compared })
    }

    async fn compare(&self, key: Option<&str>) -> Result<Compared, Error> {
        if let Some(key) = key {
            self.command(&argv::load_key(self.scratch.name(), key)).await?;
        }
        if self.kind == Kind::Volume {
            return self.compare_volumes().await;
        }
        let here = self.open(&self.dataset).await?;
        let there = self.open(self.scratch.name()).await?;
        self.run.context.say(&format!("{}@{}: comparing every file", self.dataset, self.snapshot.name));
        let comparing = tokio::task::spawn_blocking(move || tree::compare(&path(&here), &path(&there)));
        comparing.await.map_err(|error| std::io::Error::other(error).into())
    }

    async fn compare_volumes(&self) -> Result<Compared, Error> {
        self.command(&argv::clone_scratch(&self.dataset, &self.snapshot.name, &self.twin)).await?;
        self.command(&argv::show_scratch(&self.scratch)).await?;
        let (here, there) = (volume::open(&self.twin).await?, volume::open(&self.scratch).await?);
        self.run.context.say(&format!("{}@{}: comparing every byte", self.dataset, self.snapshot.name));
        let comparing = tokio::task::spawn_blocking(move || volume::compare(here, there));
        comparing.await.map_err(|error| std::io::Error::other(error).into())
    }

    /// The clone, if it was made.
    async fn destroy_twin(&self) -> Result<(), Error> {
        let left = leftovers(self.exec(), self.dataset.pool()).await?;
        if left.contains(self.twin.name()) { self.destroy(&self.twin).await } else { Ok(()) }
    }

    /// Opens the snapshot's root. Its mount is no longer in any folder then, and goes with the last
    /// file that is open in it, however this ends.
    async fn open(&self, dataset: &DatasetName) -> Result<OwnedFd, Error> {
        let folder = tempfile::tempdir()?;
        let place = folder.path().to_string_lossy().into_owned();
        self.command(&argv::mount(dataset, &self.snapshot.name, &place)).await?;
        let root = File::open(folder.path());
        self.command(&["umount", "--lazy", &place].map(str::to_owned)).await?;
        Ok(root?.into())
    }

    /// Destroys a scratch dataset, which this drill has made.
    async fn destroy(&self, scratch: &Scratch) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.command(&argv::destroy_scratch(scratch)).await {
                Ok(()) => return Ok(()),
                Err(_) if tries < TRIES => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    let (scratch, detail) = (scratch.name().clone(), error.to_string());
                    return Err(Trouble::Left { scratch, detail }.into());
                }
            }
        }
    }

    async fn command(&self, argv: &[String]) -> Result<(), Error> {
        self.exec().run(argv, COMMAND).await.map(|_| ()).map_err(Error::Program)
    }

    fn exec(&self) -> Exec {
        self.run.context.exec
    }
}

/// What is open there, by a path.
fn path(directory: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", directory.as_raw_fd()).into()
}

/// Where a dataset's key is kept, if zfs can read it from there.
///
/// # Errors
/// When it cannot be asked.
pub async fn location(exec: Exec, dataset: &DatasetName) -> Result<Option<String>, Error> {
    let root =
        exec.run(&argv::get(dataset.as_str(), "encryptionroot"), COMMAND).await.map_err(Error::Program)?;
    let location =
        exec.run(&argv::get(root.trim_end(), "keylocation"), COMMAND).await.map_err(Error::Program)?;
    let location = location.trim_end();
    Ok(location.contains("://").then(|| location.to_owned()))
}

/// Scratch datasets that drills have left which were interrupted.
///
/// # Errors
/// When they cannot be listed.
pub async fn leftovers(exec: Exec, pool: &str) -> Result<Vec<DatasetName>, Error> {
    let parent = Scratch::parent(pool).map_err(std::io::Error::other)?;
    let mut left = children(exec, pool).await?;
    if left.contains(&parent) {
        left.extend(children(exec, parent.as_str()).await?);
    }
    left.retain(|name| Scratch::holds(name) && *name != parent);
    Ok(left)
}

async fn children(exec: Exec, dataset: &str) -> Result<Vec<DatasetName>, Error> {
    let listed = exec.run(&argv::list_children(dataset), COMMAND).await.map_err(Error::Program)?;
    Ok(listed.lines().filter_map(|name| DatasetName::new(name).ok()).collect())
}
