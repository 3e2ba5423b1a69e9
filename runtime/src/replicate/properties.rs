//! Keeps with each copy what was set on its dataset: at its first send, and at each audit.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_generator::name::DatasetName;

use super::outcome::Result as Fate;
use super::{Done, Run};
use crate::archiver::{Archiver, NAMES};
use crate::error::Error;
use crate::zfs::argv;
use crate::zfs::properties::Record;

/// How long it may take to list properties.
const LISTING: Duration = Duration::from_secs(600);

/// Most bytes of values in one command there: a shell's command line has at most 128 KiB.
const BYTES: usize = 48 << 10;

impl Run<'_> {
    /// Keeps with the copies what was set on datasets; an audit looks at all of them.
    pub(super) async fn keep_what_was_set(
        &self,
        archiver: &mut Archiver,
        done: &[Done],
        audit: bool,
        warnings: &mut Vec<String>,
    ) {
        let has_copy = |done: &&Done| matches!(done.outcome.result, Fate::Sent | Fate::UpToDate);
        let wanted = done.iter().filter(has_copy).filter(|done| audit || done.job.is_first());
        let pairs: Vec<_> =
            wanted.map(|done| (done.job.source.name.clone(), done.job.target.clone())).collect();
        if pairs.is_empty() || !archiver.is_alive() {
            return;
        }
        match self.keep_properties(archiver, &pairs, audit).await {
            Ok(too_much) => warnings.extend(too_much.iter().map(|dataset| {
                format!("{dataset}: more properties are set than fit into one; a restore will not set them")
            })),
            Err(error) => warnings.push(format!(
                "what is set on the datasets is not kept for a restore: {error}; the archiver's user may \
                 lack `userprop` among its rights (on EC2, `dormouse up` gives it)"
            )),
        }
    }

    /// Keeps what was set on these datasets with their copies, where that is not there already. Returns
    /// those of which too much was set.
    ///
    /// # Errors
    /// When it cannot be listed or kept.
    async fn keep_properties(
        &self,
        archiver: &Archiver,
        pairs: &[(DatasetName, DatasetName)],
        audit: bool,
    ) -> Result<Vec<DatasetName>, Error> {
        let mut too_much = Vec::new();
        for some in pairs.chunks(NAMES) {
            let list = argv::list_set_properties(some.iter().map(|(source, _)| source));
            let said = self.context.exec.run(&list, LISTING).await.map_err(Error::Program)?;
            let mut set = Record::read(&said);
            // A copy that has just come has none of its own.
            let kept = match audit {
                true => archiver.records(some.iter().map(|(_, copy)| copy)).await?,
                false => BTreeMap::new(),
            };
            let (mut commands, mut bytes) = (Vec::new(), 0);
            let seal = self.context.seal();
            for (source, copy) in some {
                let record = set.remove(source).unwrap_or_else(|| Record::empty(source.as_str()));
                let record = match &seal {
                    Some(seal) => seal.sign(record),
                    None => record,
                };
                let Some(text) = record.text() else {
                    too_much.push(source.clone());
                    continue;
                };
                if kept.get(copy) == Some(&text) {
                    continue;
                }
                bytes += text.len();
                commands.push(argv::keep_record(copy, &text));
                if bytes > BYTES {
                    archiver.query_all(&std::mem::take(&mut commands)).await?;
                    bytes = 0;
                }
            }
            if !commands.is_empty() {
                archiver.query_all(&commands).await?;
            }
        }
        Ok(too_much)
    }
}

impl Archiver {
    /// The values of [`crate::zfs::properties::RECORD`] of these copies; those below inherit them.
    ///
    /// # Errors
    /// As [`Archiver::query`].
    pub async fn records(
        &self,
        copies: impl Iterator<Item = &DatasetName>,
    ) -> Result<BTreeMap<DatasetName, String>, Error> {
        let mut all = BTreeMap::new();
        let copies: Vec<&DatasetName> = copies.collect();
        for some in copies.chunks(NAMES) {
            let said = self.command(&argv::list_records(some.iter().copied())).await?;
            let pairs = said.lines().filter_map(|line| line.split_once('\t'));
            all.extend(
                pairs.filter_map(|(name, text)| Some((DatasetName::new(name).ok()?, text.to_owned()))),
            );
        }
        Ok(all)
    }
}
