//! What a receive left that it should not have: the second line of defence, after [`crate::zfs::begin`].

use std::collections::BTreeSet;

use dormouse_generator::name::DatasetName;

use super::host::LOOK;
use super::refusal::Refusal;
use super::stop::Stop;
use crate::error::Error;
use crate::exec::Exec;
use crate::zfs::argv;

/// The datasets whose names begin with that of a dataset: a package makes others below and beside it.
#[derive(Debug)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Lists them.
    ///
    /// # Errors
    /// When zfs cannot.
    pub async fn list(exec: Exec, dataset: &DatasetName) -> Result<Self, Error> {
        let mut names = BTreeSet::new();
        let beside = dataset.parent().map(|parent| argv::list_children(parent.as_str()));
        for argv in beside.into_iter().chain([argv::list_names(dataset)]) {
            match exec.run(&argv, LOOK).await {
                Ok(listed) => names.extend(listed.lines().map(str::to_owned)),
                Err(error) if error.stderr().contains("does not exist") => {}
                Err(error) => return Err(Error::Program(error)),
            }
        }
        names.retain(|name| name.starts_with(dataset.as_str()));
        Ok(Self(names))
    }

    /// Refuses to go on when there are more by now, but for the dataset.
    ///
    /// # Errors
    /// [`Refusal::Intruders`].
    pub async fn refuse_others(&self, exec: Exec, dataset: &DatasetName) -> Result<(), Stop> {
        let Self(now) = Self::list(exec, dataset).await?;
        let new = now.difference(&self.0).filter(|name| *name != dataset.as_str());
        refuse(dataset, new.cloned().collect())
    }
}

/// Refuses to go on when a stream has set properties.
///
/// # Errors
/// [`Refusal::Intruders`].
pub async fn received(exec: Exec, dataset: &DatasetName) -> Result<(), Stop> {
    let listed = exec.run(&argv::list_received(dataset), LOOK).await.map_err(Error::Program)?;
    let set = listed.lines().map(|line| format!("{dataset} with {}", line.replacen('\t', "=", 1)));
    refuse(dataset, set.collect())
}

fn refuse(dataset: &DatasetName, found: Vec<String>) -> Result<(), Stop> {
    match found.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Intruders { dataset: dataset.clone(), found }.into()),
    }
}
