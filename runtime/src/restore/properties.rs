//! Sets on a dataset that is back what was set on it when it was sent.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use dormouse_generator::name::DatasetName;

use super::Restore;
use super::host::LOOK;
use super::mount_point::{Doubt, doubt, doubt_here, is_path};
use super::plan::Piece;
use crate::archiver::Archiver;
use crate::context::Context;
use crate::error::Error;
use crate::exec::{self, Exec};
use crate::output::confirm;
use crate::zfs::argv;
use crate::zfs::properties::{Record, is_beyond, mounts};
use crate::zfs::seal::{Seal, Verdict};

/// What the archiver keeps of the datasets that are brought back, by their names here.
#[derive(Debug, Default)]
pub struct Properties {
    assignments: BTreeMap<DatasetName, Vec<String>>,
}

impl Properties {
    /// Asks the archiver, and the user about mount points that are doubtful.
    ///
    /// # Errors
    /// When the archiver or this host cannot be asked.
    pub async fn of(
        archiver: &Archiver,
        restore: &Restore<'_>,
        pieces: &[Piece],
        warnings: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let Restore { request, swap, .. } = restore;
        let kept = archiver.records(pieces.iter().map(|piece| &piece.copy.name)).await?;
        let (mut assignments, seal) = (BTreeMap::new(), restore.run.context.seal());
        let mut places = Places::of(restore).await?;
        for piece in pieces {
            let Some(relative) = piece.name.relative_to(&request.to) else { continue };
            let Ok(of) = request.dataset.join(relative) else { continue };
            let record = kept.get(&piece.copy.name).and_then(|kept| Record::parse(kept, &of));
            let mut all = record
                .as_ref()
                .map_or_else(Vec::new, |record| record.assignments(swap.is_some() || of == piece.name));
            if let Some(record) = record.filter(|_| !all.is_empty() && !restore.accepts_properties)
                && let Some(reason) = reason(Seal::examine(seal.as_ref(), &record))
            {
                let (name, set) = (&piece.name, all.join(", "));
                warnings.push(format!(
                    "{name}: {reason}; not set: {set}; set what is right with `zfs set`, or restore it again with \
                     --accept-properties"
                ));
                all.clear();
            }
            let value = all.iter().find_map(|one| one.strip_prefix("mountpoint=").map(str::to_owned));
            if let Some(warning) = places.settle(&piece.name, &of, value.as_deref()).await? {
                all.retain(|one| !one.starts_with("mountpoint="));
                warnings.push(warning);
            }
            assignments.insert(piece.name.clone(), all);
        }
        Ok(Self { assignments })
    }

    /// Sets what was set on a dataset, each by itself if not all together can be; returns what could not be
    /// set, and why. A person sees it, and before anything is mounted: it is the archiver that says it.
    pub async fn set(&self, context: &Context, name: &DatasetName) -> Vec<String> {
        let all = self.assignments.get(name).map_or(&[][..], Vec::as_slice);
        if all.is_empty() {
            return vec![];
        }
        let above = match name.parent() {
            Some(parent) => limits(context.exec, &parent).await.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        let (beyond, all): (Vec<String>, Vec<String>) =
            all.iter().cloned().partition(|one| is_beyond(one, &above));
        let forbidden =
            |one: &String| format!("{name}: {one} is not set: the dataset above does not allow it");
        let mut failed: Vec<String> = beyond.iter().map(forbidden).collect();
        if all.is_empty() {
            return failed;
        }
        context.say(&format!("  {name}: setting {}", all.join(", ")));
        if context.exec.run(&argv::set_all(name, &all), LOOK).await.is_ok() {
            return failed;
        }
        for one in &all {
            let argv = match mounts(one) {
                true => argv::set_all(name, std::slice::from_ref(one)),
                false => argv::set_one(name, one),
            };
            match context.exec.run(&argv, LOOK).await {
                // `zfs set -u` came with 2.2.
                Err(error) if error.stderr().contains("invalid option 'u'") => failed.push(format!(
                    "{name}: {one} is not set, for this ZFS mounts what gets it; when that is wanted: `{}`",
                    exec::display(&argv::set_one(name, one))
                )),
                Err(error) => failed.push(format!("{name}: {one} is not set: {error}")),
                Ok(_) => {}
            }
        }
        failed
    }
}

/// Why a record does not count.
fn reason(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Genuine => None,
        Verdict::Unsigned => Some("the record of its properties on the archiver is not signed"),
        Verdict::Forged => {
            Some("the record of its properties on the archiver was changed there, or signed with another key")
        }
        Verdict::NoKey => Some(
            "the record of its properties cannot be verified, because hosts/<host>/record_key is missing from the \
             secrets; `dormouse-generate` writes it where the seed is",
        ),
    }
}

/// What a dataset allows those below it, and where it is mounted.
async fn limits(exec: Exec, dataset: &DatasetName) -> Result<BTreeMap<String, String>, exec::Error> {
    let listed = exec.run(&argv::get_limits(dataset), LOOK).await?;
    let pairs = listed.lines().filter_map(|line| line.split_once('\t'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Where the datasets that come back are mounted.
struct Places<'a> {
    exec: Exec,
    accepted: &'a [String],
    by_name: BTreeMap<DatasetName, String>,
}

impl<'a> Places<'a> {
    async fn of(restore: &'a Restore<'_>) -> Result<Self, Error> {
        let (exec, mut by_name) = (restore.run.context.exec, BTreeMap::new());
        if let Some(parent) = restore.request.to.parent() {
            let above = limits(exec, &parent).await.map_err(Error::Program)?;
            by_name.extend(above.get("mountpoint").map(|place| (parent, place.clone())));
        }
        Ok(Self { exec, accepted: &restore.mountpoints, by_name })
    }

    /// Decides whether a mount point is set; if not, why. What the dataset at home has, the host knows by itself.
    async fn settle(
        &mut self,
        name: &DatasetName,
        of: &DatasetName,
        value: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let above = name.parent().and_then(|parent| self.by_name.get(&parent).cloned());
        let above = above.as_deref().filter(|above| is_path(above));
        let last = name.as_str().rsplit('/').next().unwrap_or_default();
        let inherited = above.map_or_else(|| "none".to_owned(), |above| format!("{above}/{last}"));
        let doubt = match value.filter(|value| is_path(value)) {
            Some(value) => doubt(value, above).or_else(|| doubt_here(value)),
            None => None,
        };
        let (Some(doubt), Some(wanted)) = (doubt, value) else {
            self.by_name.insert(name.clone(), value.map_or(inherited, str::to_owned));
            return Ok(None);
        };
        let is_accepted = self.accepted.iter().any(|accepted| accepted == wanted)
            || limits(self.exec, of)
                .await
                .is_ok_and(|at_home| at_home.get("mountpoint").is_some_and(|is| is == wanted))
            || ask(name, wanted, doubt)?;
        self.by_name.insert(name.clone(), if is_accepted { wanted.to_owned() } else { inherited });
        Ok((!is_accepted).then(|| {
            let one = format!("mountpoint={wanted}");
            let by_hand = exec::display(&argv::set_all(name, std::slice::from_ref(&one)));
            format!("{name}: {one}, as the archiver says, is not set: {doubt}; if it is right: `{by_hand}`")
        }))
    }
}

/// Asks a person, if there is a terminal.
fn ask(name: &DatasetName, value: &str, doubt: Doubt) -> Result<bool, Error> {
    let question = format!("The archiver says that {name} is mounted at {value}, but {doubt}. Set that?");
    Ok(std::io::stdin().is_terminal() && confirm(false, &question)?)
}
