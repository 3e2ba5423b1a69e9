//! Which replication covers a dataset.

use dormouse_generator::name::DatasetName;

use super::refusal::Refusal;
use crate::context::Context;
use crate::error::Error;
use crate::replicate::Run;

/// The replications that cover a dataset.
///
/// # Errors
/// [`Error::UnknownHost`], or [`Refusal::NotReplicated`] when there are none.
pub fn covering<'a>(context: &'a Context, dataset: &DatasetName) -> Result<Vec<Run<'a>>, Error> {
    let all = context.replications(&[])?;
    let covers = |run: &Run<'_>| match dataset.relative_to(&run.replication.source) {
        Some(relative) => relative.is_empty() || run.replication.recursive,
        None => false,
    };
    let sources = all.iter().map(|run| run.replication.source.to_string()).collect();
    let found: Vec<_> = all.into_iter().filter(covers).collect();
    if found.is_empty() {
        return Err(Refusal::NotReplicated { dataset: dataset.clone(), sources }.into());
    }
    Ok(found)
}

/// The one that covers it, or the one of this name.
///
/// # Errors
/// As [`covering`], or [`Refusal::Ambiguous`].
pub fn only<'a>(context: &'a Context, dataset: &DatasetName, name: Option<&str>) -> Result<Run<'a>, Error> {
    let found = covering(context, dataset)?;
    let names = || found.iter().map(|run| run.name.to_owned()).collect();
    match (&found[..], name) {
        ([run], None) => Ok(*run),
        (_, None) => Err(Refusal::Ambiguous { dataset: dataset.clone(), names: names() }.into()),
        (_, Some(name)) => found.iter().find(|run| run.name == name).copied().ok_or_else(|| {
            let (host, known) = (context.host_name.clone(), names());
            Error::UnknownReplication { name: name.to_owned(), host, known }
        }),
    }
}
