//! Puts what came back in the place of what is there, which is set aside. Nothing is destroyed.

use std::time::Duration;

use dormouse_generator::name::DatasetName;
use jiff::Timestamp;

use super::outcome::DatasetOutcome;
use super::refusal::{Refusal, beside};
use crate::error::Error;
use crate::exec::{self, Exec};
use crate::zfs::argv;
use crate::zfs::conflict::{self, Move};

/// How long one change may take. A rename mounts anew what lies below.
const CHANGE: Duration = Duration::from_secs(600);

/// A dataset and what takes its place.
#[derive(Clone, Debug)]
pub struct Swap {
    /// The place.
    pub place: DatasetName,
    /// What takes it.
    pub beside: DatasetName,
}

/// What had to go.
#[derive(Debug, Default)]
pub struct Aside {
    /// What it is called now, if anything was there.
    pub name: Option<DatasetName>,
    /// The datasets, by their new names, that nothing takes the place of.
    pub alone: Vec<DatasetName>,
    /// What should be known though all went well.
    pub warnings: Vec<String>,
}

/// A filesystem or zvol that has to go.
struct There {
    name: DatasetName,
    is_filesystem: bool,
    is_mounted: bool,
}

impl Swap {
    /// For a dataset that has one above it.
    ///
    /// # Errors
    /// [`Refusal::NoSwap`].
    pub fn of(place: &DatasetName) -> Result<Self, Refusal> {
        let refuse = |reason| Refusal::NoSwap { dataset: place.clone(), reason };
        if place.parent().is_none() {
            return Err(refuse("the root dataset of a pool cannot be renamed".to_owned()));
        }
        let beside = DatasetName::new(beside(place)).map_err(refuse)?;
        Ok(Self { place: place.clone(), beside })
    }

    /// The name in the place of one beside it.
    #[must_use]
    pub fn in_place(&self, name: &DatasetName) -> Option<DatasetName> {
        moved(name, &self.beside, &self.place)
    }

    /// Refuses to take the place of datasets that nothing is asked to bring back.
    ///
    /// # Errors
    /// [`Refusal::NoSwapBelow`], or why the place cannot be listed.
    pub async fn leaves_nothing_below(&self, exec: Exec) -> Result<(), Error> {
        let below = list(exec, &self.place).await?.into_iter().map(|each| each.name);
        let below: Vec<DatasetName> = below.filter(|name| *name != self.place).collect();
        match below.is_empty() {
            true => Ok(()),
            false => Err(Refusal::NoSwapBelow { dataset: self.place.clone(), below }.into()),
        }
    }

    /// Exchanges them. What is in the place is unmounted, renamed, and neither mounted nor replicated
    /// any more; when anything fails before the other one has its place, it is put back. An exchange
    /// that was interrupted when the place was empty is finished.
    ///
    /// # Errors
    /// Why it is as it was; or why it could not be put back, which names where it is.
    pub async fn exchange(&self, exec: Exec, back: &[DatasetOutcome]) -> Result<Aside, Error> {
        let there = list(exec, &self.place).await?;
        let aside = if there.is_empty() {
            let left = self.left_by_an_interrupted_one(exec).await?;
            rename(exec, &self.beside, &self.place).await?;
            let Some(aside) = left else { return Ok(Aside::default()) };
            aside
        } else {
            self.set_aside(exec, &there).await?
        };
        let mut done = Aside { name: Some(aside.clone()), ..Aside::default() };
        match list(exec, &aside).await {
            Ok(there) => {
                done.warnings = put_to_rest(exec, &aside, &there).await;
                let is_back = |name: &DatasetName| {
                    let beside = moved(name, &aside, &self.beside);
                    beside.is_some_and(|beside| back.iter().any(|outcome| outcome.dataset == beside.as_str()))
                };
                done.alone = there.into_iter().map(|each| each.name).filter(|name| !is_back(name)).collect();
            }
            Err(error) => done.warnings.push(format!("{aside} may still be mounted and replicated: {error}")),
        }
        Ok(done)
    }

    /// Unmounts what is in the place, and exchanges the names.
    async fn set_aside(&self, exec: Exec, there: &[There]) -> Result<DatasetName, Error> {
        let at = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let Move { to, .. } = conflict::set_aside(&self.place, &at);
        let aside = DatasetName::new(to).map_err(Error::Argument)?;
        let mounted: Vec<&There> = there.iter().filter(|each| each.is_mounted).collect();
        unmount(exec, &mounted).await?;
        if let Err(error) = self.trade(exec, &aside).await {
            mount(exec, &mounted).await;
            return Err(error);
        }
        Ok(aside)
    }

    /// What was set aside by a command that was killed before anything had its place: the newest such
    /// dataset that is still replicated.
    async fn left_by_an_interrupted_one(&self, exec: Exec) -> Result<Option<DatasetName>, Error> {
        let Some(parent) = self.place.parent() else { return Ok(None) };
        let listed = exec.run(&argv::list_replicated(&parent), CHANGE).await.map_err(Error::Program)?;
        let replicated = listed.lines().filter_map(|line| line.split_once('\t'));
        let replicated = replicated.filter(|(_, value)| *value != "off").map(|(name, _)| name);
        let is_aside = |name: &&str| {
            let rest = name.strip_prefix(self.place.as_str());
            rest.is_some_and(|rest| rest.starts_with(".aside-") && conflict::is_aside(rest))
        };
        replicated.filter(is_aside).max().map(DatasetName::new).transpose().map_err(Error::Argument)
    }

    /// Renames both, or neither.
    async fn trade(&self, exec: Exec, aside: &DatasetName) -> Result<(), Error> {
        rename(exec, &self.place, aside).await?;
        if let Err(error) = rename(exec, &self.beside, &self.place).await {
            rename(exec, aside, &self.place).await?;
            return Err(error);
        }
        Ok(())
    }

    /// What a person types to do the same.
    #[must_use]
    pub fn by_hand(&self) -> String {
        let old = format!("{}-before", self.place);
        let words = |from: &str, to: &str| exec::display(&argv::rename(from, to));
        let (place, beside) = (self.place.as_str(), self.beside.as_str());
        format!("{} && {}", words(place, &old), words(beside, place))
    }
}

impl There {
    fn read(line: &str) -> Option<Self> {
        let [name, kind, mounted] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
        let name = DatasetName::new(name).ok()?;
        Some(Self { name, is_filesystem: kind == "filesystem", is_mounted: mounted == "yes" })
    }
}

/// A dataset and those below it; none when it is not there.
async fn list(exec: Exec, dataset: &DatasetName) -> Result<Vec<There>, Error> {
    let listed = match exec.run(&argv::list_mounted(dataset), CHANGE).await {
        Err(error) if error.stderr().contains("does not exist") => return Ok(vec![]),
        result => result.map_err(Error::Program)?,
    };
    Ok(listed.lines().filter_map(There::read).collect())
}

/// Sees to it that what was set aside is neither mounted nor replicated; what could not be done.
async fn put_to_rest(exec: Exec, aside: &DatasetName, there: &[There]) -> Vec<String> {
    let filesystems = there.iter().filter(|each| each.is_filesystem);
    let unmounted = filesystems.map(|each| argv::mount_by_hand(&each.name));
    let mut warnings = Vec::new();
    for argv in std::iter::once(argv::keep_at_home(aside)).chain(unmounted) {
        if let Err(error) = change(exec, &argv).await {
            warnings.push(format!("what was set aside: {error}"));
        }
    }
    warnings
}

/// The name that a dataset has when one at or above it is renamed.
fn moved(name: &DatasetName, from: &DatasetName, to: &DatasetName) -> Option<DatasetName> {
    to.join(name.relative_to(from)?).ok()
}

async fn change(exec: Exec, argv: &[String]) -> Result<(), Error> {
    exec.run(argv, CHANGE).await.map(drop).map_err(Error::Program)
}

async fn rename(exec: Exec, from: &DatasetName, to: &DatasetName) -> Result<(), Error> {
    change(exec, &argv::rename(from.as_str(), to.as_str())).await
}

/// Unmounts all, those below first, or none.
async fn unmount(exec: Exec, mounted: &[&There]) -> Result<(), Error> {
    for (place, each) in mounted.iter().enumerate().rev() {
        if let Err(error) = change(exec, &argv::unmount(&each.name)).await {
            mount(exec, &mounted[place + 1..]).await;
            return Err(error);
        }
    }
    Ok(())
}

/// Mounts again what was unmounted, parents first; what cannot be is no worse than the error that is told.
async fn mount(exec: Exec, these: &[&There]) {
    for each in these {
        let _ = change(exec, &argv::mount_again(&each.name)).await;
    }
}
