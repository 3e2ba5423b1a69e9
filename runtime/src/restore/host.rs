//! What is on this host at the place where something is brought back.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_generator::name::DatasetName;

use super::plan::{Host, UnderWay};
use crate::error::Error;
use crate::exec::Exec;
use crate::replicate::dataset::ESTIMATE;
use crate::survey;
use crate::zfs::argv;
use crate::zfs::listing::{Datasets, Listing};
use crate::zfs::token::{Stale, Token};

/// How long a look at, or a change of, a property may take.
pub const LOOK: Duration = Duration::from_secs(600);

/// Looks at a place with, if `recursive`, what lies below it, and at the tokens there.
///
/// # Errors
/// When something cannot be listed.
pub async fn look(exec: Exec, place: &DatasetName, recursive: bool) -> Result<Host, Error> {
    let Place { datasets, under_way, has_parent, lands_encrypted } =
        Place::look(exec, place, recursive).await?;
    let mut tokens = BTreeMap::new();
    for (name, dataset) in &datasets {
        let Some(token) = dataset.token.as_ref().filter(|_| under_way.contains_key(name)) else { continue };
        tokens.insert(name.clone(), inspect(exec, token).await);
    }
    Ok(Host { datasets, under_way, tokens, has_parent, lands_encrypted, home: Datasets::new() })
}

/// The datasets that are asked for, where they are still at home; without their snapshots.
///
/// # Errors
/// When they cannot be listed.
pub async fn home(exec: Exec, dataset: &DatasetName, recursive: bool) -> Result<Datasets, Error> {
    match exec.run(&argv::list_datasets(dataset, recursive, &[]), LOOK).await {
        Ok(listed) => Listing::read(&listed).map_err(|error| std::io::Error::other(error).into()),
        Err(error) if error.stderr().contains("does not exist") => Ok(Datasets::new()),
        Err(error) => Err(Error::Program(error)),
    }
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
    /// Whether the dataset above is encrypted.
    pub lands_encrypted: bool,
}

impl Place {
    /// Looks at a place with, if `recursive`, what lies below it.
    ///
    /// # Errors
    /// When something cannot be listed.
    pub async fn look(exec: Exec, place: &DatasetName, recursive: bool) -> Result<Self, Error> {
        let datasets = survey::all(exec, place, recursive).await?;
        let (has_parent, lands_encrypted) = match place.parent() {
            Some(parent) => match home(exec, &parent, false).await?.get(&parent) {
                Some(parent) => (true, parent.is_encrypted()),
                None => (false, false),
            },
            None => (!datasets.is_empty(), false),
        };
        let under_way = match datasets.is_empty() {
            true => BTreeMap::new(),
            false => under_way(exec, place).await?,
        };
        Ok(Self { datasets, under_way, has_parent, lands_encrypted })
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

/// What a token says. zfs(8) prints that before it finds that the snapshots are not here. The archiver, which has
/// them, is not asked: the stream that it sends is compared with the token.
///
/// # Errors
/// When zfs cannot read it.
pub async fn inspect(exec: Exec, token: &str) -> Result<Token, Stale> {
    let mut printed = String::new();
    let argv = argv::inspect_token(token);
    let ended = exec.lines(&argv, ESTIMATE, |line| {
        printed.push_str(line);
        printed.push('\n');
    });
    let text = ended.await.err().map_or_else(String::new, |error| error.stderr().to_owned());
    Token::read(&printed).or_else(|| Token::read(&text)).ok_or_else(|| Token::unreadable(&text))
}
