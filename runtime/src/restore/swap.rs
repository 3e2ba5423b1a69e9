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

    /// Exchanges them. What is in the place is unmounted, renamed, and neither mounted nor replicated
    /// any more; when anything fails before the other one has its place, it is put back.
    ///
    /// # Errors
    /// Why it is as it was; or why it could not be put back, which names where it is.
    pub async fn exchange(&self, exec: Exec, back: &[DatasetOutcome]) -> Result<Aside, Error> {
        let there = self.there(exec).await?;
        if there.is_empty() {
            rename(exec, &self.beside, &self.place).await?;
            return Ok(Aside::default());
        }
        let at = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let Move { to, .. } = conflict::set_aside(&self.place, &at);
        let aside = DatasetName::new(to).map_err(Error::Argument)?;
        let mounted: Vec<&There> = there.iter().filter(|each| each.is_mounted).collect();
        unmount(exec, &mounted).await?;
        if let Err(error) = self.trade(exec, &aside).await {
            mount(exec, &mounted).await;
            return Err(error);
        }
        let warnings = self.put_to_rest(exec, &aside, &there).await;
        let is_back = |each: &&There| {
            let beside = moved(&each.name, &self.place, &self.beside);
            beside.is_some_and(|beside| back.iter().any(|outcome| outcome.dataset == beside.as_str()))
        };
        let alone = there.iter().filter(|each| !is_back(each));
        let alone = alone.filter_map(|each| moved(&each.name, &self.place, &aside)).collect();
        Ok(Aside { name: Some(aside), alone, warnings })
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

    /// Sees to it that what was set aside is neither mounted nor replicated; what could not be done.
    async fn put_to_rest(&self, exec: Exec, aside: &DatasetName, there: &[There]) -> Vec<String> {
        let filesystems = there.iter().filter(|each| each.is_filesystem);
        let unmounted = filesystems.filter_map(|each| moved(&each.name, &self.place, aside));
        let unmounted = unmounted.map(|name| argv::mount_by_hand(&name));
        let mut warnings = Vec::new();
        for argv in std::iter::once(argv::keep_at_home(aside)).chain(unmounted) {
            if let Err(error) = change(exec, &argv).await {
                warnings.push(format!("what was set aside: {error}"));
            }
        }
        warnings
    }

    /// What a person types to do the same.
    #[must_use]
    pub fn by_hand(&self) -> String {
        let old = format!("{}-before", self.place);
        let words = |from: &str, to: &str| exec::display(&argv::rename(from, to));
        let (place, beside) = (self.place.as_str(), self.beside.as_str());
        format!("{} && {}", words(place, &old), words(beside, place))
    }

    async fn there(&self, exec: Exec) -> Result<Vec<There>, Error> {
        let listed = match exec.run(&argv::list_mounted(&self.place), CHANGE).await {
            Err(error) if error.stderr().contains("does not exist") => return Ok(vec![]),
            result => result.map_err(Error::Program)?,
        };
        Ok(listed.lines().filter_map(There::read).collect())
    }
}

impl There {
    fn read(line: &str) -> Option<Self> {
        let [name, kind, mounted] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
        let name = DatasetName::new(name).ok()?;
        Some(Self { name, is_filesystem: kind == "filesystem", is_mounted: mounted == "yes" })
    }
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
