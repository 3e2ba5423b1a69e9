//! What is on this host at the place where something is brought back.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_generator::name::DatasetName;

use super::plan::{Host, UnderWay};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::exec::Exec;
use crate::replicate::dataset::ESTIMATE;
use crate::survey;
use crate::zfs::argv;
use crate::zfs::listing::Datasets;
use crate::zfs::token::{Stale, Token};

/// How long a look at, or a change of, a property may take.
pub const LOOK: Duration = Duration::from_secs(600);

/// Looks at a place with, if `recursive`, what lies below it, and asks the archiver what the tokens
/// there say.
///
/// # Errors
/// When something cannot be listed.
pub async fn look(
    exec: Exec,
    archiver: &Archiver,
    place: &DatasetName,
    recursive: bool,
) -> Result<Host, Error> {
    let Place { datasets, under_way, has_parent } = Place::look(exec, place, recursive).await?;
    let mut tokens = BTreeMap::new();
    for (name, dataset) in &datasets {
        let Some(token) = dataset.token.as_ref().filter(|_| under_way.contains_key(name)) else { continue };
        tokens.insert(name.clone(), inspect(archiver, token).await?);
    }
    Ok(Host { datasets, under_way, tokens, has_parent })
}

/// What can be seen without the archiver.
#[derive(Debug)]
pub struct Place {
    /// The datasets.
    pub datasets: Datasets,
    /// The snapshots up to which some of them are being brought back.
    pub under_way: BTreeMap<DatasetName, UnderWay>,
    /// Whether the dataset above is there; a pool has none above it.
    pub has_parent: bool,
}

impl Place {
    /// Looks at a place with, if `recursive`, what lies below it.
    ///
    /// # Errors
    /// When something cannot be listed.
    pub async fn look(exec: Exec, place: &DatasetName, recursive: bool) -> Result<Self, Error> {
        let datasets = survey::all(exec, place, recursive).await?;
        let has_parent = match place.parent() {
            Some(parent) => survey::all(exec, &parent, false).await?.contains_key(&parent),
            None => !datasets.is_empty(),
        };
        let under_way = match datasets.is_empty() {
            true => BTreeMap::new(),
            false => under_way(exec, place).await?,
        };
        Ok(Self { datasets, under_way, has_parent })
    }
}

/// Which datasets of these, at and below `root`, an interrupted restore has left. Each of them has a
/// token; where none has one, nobody is asked.
///
/// # Errors
/// When it cannot be asked.
pub async fn unfinished(
    exec: Exec,
    root: &DatasetName,
    datasets: &Datasets,
) -> Result<Vec<DatasetName>, Error> {
    if datasets.values().all(|dataset| dataset.token.is_none()) {
        return Ok(vec![]);
    }
    let under_way = under_way(exec, root).await?;
    Ok(datasets.keys().filter(|name| under_way.contains_key(*name)).cloned().collect())
}

async fn under_way(exec: Exec, root: &DatasetName) -> Result<BTreeMap<DatasetName, UnderWay>, Error> {
    let listed = exec.run(&argv::list_restoring(root), LOOK).await.map_err(Error::Program)?;
    let lines = listed.lines().filter_map(|line| line.split_once('\t'));
    let read = |(name, value): (&str, &str)| Some((DatasetName::new(name).ok()?, UnderWay::read(value)?));
    Ok(lines.filter_map(read).collect())
}

/// The archiver, which has the snapshots, knows what a token says.
async fn inspect(archiver: &Archiver, token: &str) -> Result<Result<Token, Stale>, Error> {
    let text = match archiver.run(&argv::inspect_token(token), ESTIMATE).await {
        Ok(text) => text,
        Err(error) if error.code() == Some(255) => return Err(archiver.endpoint().refusal(error.stderr())),
        Err(error) => error.stderr().to_owned(),
    };
    Ok(Token::read(&text).ok_or_else(|| Token::unreadable(&text)))
}
