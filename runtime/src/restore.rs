//! Bringing datasets back, from choice to verification.
//!
//! - [`choice`]: which snapshot
//! - [`place`]: which replication
//! - [`host`]: what is on this host already
//! - [`plan`]: both sides to what is brought back
//! - [`refusal`]: why nothing is
//! - [`fetch`], [`stop`]: one dataset's streams, and what can keep it from coming back
//! - [`intruders`]: what a receive left that it should not have
//! - [`mount_point`]: where a dataset may be mounted without a question
//! - [`outcome`]: what came of it
//! - [`properties`]: what was set on datasets
//! - [`swap`]: what takes the place of what is there
//! - [`files`]: single files

pub mod choice;
pub mod fetch;
pub mod files;
pub mod host;
pub mod intruders;
pub mod mount_point;
pub mod outcome;
pub mod place;
pub mod plan;
pub mod properties;
pub mod refusal;
pub mod stop;
pub mod swap;

use std::time::Instant;

use self::fetch::Fetcher;
use self::outcome::{DatasetOutcome, Outcome, Result as Fate};
use self::plan::{Holder, Host, Piece, Plan, Request, Step};
use self::properties::Properties;
use self::refusal::Refusal;
use self::swap::{Aside, Swap};
use crate::error::Error;
use crate::folder;
use crate::lock::Lock;
use crate::output::count;
use crate::provider::session::Sessions;
use crate::replicate::Run;
use crate::replicate::stream::Bounds;
use crate::zfs::argv;

/// A restore from one replication's copies.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The replication.
    pub run: Run<'a>,
    /// What is asked for.
    pub request: Request,
    /// Whether the datasets below come too.
    pub recursive: bool,
    /// Whether what was set on the datasets is set again.
    pub sets_properties: bool,
    /// Whether records count that this host's key did not sign.
    pub accepts_properties: bool,
    /// Mount points that may be set wherever they are.
    pub mountpoints: Vec<String>,
    /// What it takes the place of in the end, if that is asked for.
    pub swap: Option<Swap>,
}

impl<'a> Restore<'a> {
    /// What would be brought back; changes nothing.
    ///
    /// # Errors
    /// [`Error::Restore`], or what keeps either side from being seen.
    pub async fn plan(&self, sessions: &mut Sessions<'a>) -> Result<Plan, Error> {
        let (exec, Request { to, copy, dataset, .. }) = (self.run.context.exec, &self.request);
        // What can be refused without waking anybody.
        if let Some(swap) = self.swap.as_ref().filter(|_| !self.recursive) {
            swap.leaves_nothing_below(exec).await?;
        }
        let place = host::Place::look(exec, to, false).await?;
        if !place.has_parent {
            let (dataset, parent) = (to.clone(), to.parent().unwrap_or_else(|| to.clone()));
            return Err(Refusal::NoParent { dataset, parent }.into());
        }
        if !self.recursive && !place.datasets.is_empty() && !place.under_way.contains_key(to) {
            return Err(Refusal::Exists { dataset: to.clone() }.into());
        }
        let archiver = sessions.get(&self.run.replication.archiver).await?;
        self.run.context.say(&format!("{}: looking for copies of {dataset}", self.run.name));
        let copies = archiver.list_with_times(copy, self.recursive).await?;
        let home = host::home(exec, dataset, self.recursive).await?;
        let host = Host { home, ..host::look(exec, to, self.recursive).await? };
        Ok(Plan::new(&self.request, &copies, &host)?)
    }

    /// Brings it all back.
    ///
    /// # Errors
    /// What keeps it from beginning; a dataset's failure is in the outcome.
    pub async fn restore(&self, sessions: &mut Sessions<'a>, bounds: &Bounds) -> Result<Outcome, Error> {
        let (began, context) = (Instant::now(), self.run.context);
        let _lock = Lock::take(&folder::runtime()?, &context.spec.name, self.run.name)?;
        let Plan { pieces, holders, left, mut warnings } = self.plan(sessions).await?;
        let archiver = sessions.get(&self.run.replication.archiver).await?;
        let (datasets, from) = (count(pieces.len(), "dataset"), &self.request.archiver);
        context.say(&format!("{}: {datasets} from {from}", self.run.name));
        let properties = match self.sets_properties {
            true => Properties::of(archiver, self, &pieces, &mut warnings).await.unwrap_or_else(|error| {
                warnings.push(format!("what was set on the datasets does not come back: {error}"));
                Properties::default()
            }),
            false => Properties::default(),
        };
        let (fetcher, mut outcomes) = (Fetcher::new(context, bounds), Vec::<DatasetOutcome>::new());
        let mut holders = holders.into_iter().peekable();
        for piece in &pieces {
            while let Some(holder) = holders.next_if(|holder| holder.name < piece.name) {
                warnings.push(self.make(&holder).await);
            }
            let outcome = match not_begun(piece, &outcomes) {
                Some(outcome) => outcome,
                None => fetcher.fetch(archiver, piece).await,
            };
            if outcome.result == Fate::Restored {
                warnings.extend(properties.set(context, &piece.name).await);
            }
            outcomes.push(outcome);
        }
        let (mut root, mut aside) = (self.request.to.clone(), Aside::default());
        // Until all are back, the same command goes on with those that are under way.
        if outcomes.iter().all(|outcome| outcome.result == Fate::Restored) {
            let mut names: Vec<_> = pieces.iter().map(|piece| piece.name.clone()).collect();
            let mut is_done = true;
            if let Some(swap) = &self.swap {
                match swap.exchange(context.exec, &outcomes).await {
                    Ok(done) => {
                        aside = done;
                        root = swap.place.clone();
                        names = names.iter().filter_map(|name| swap.in_place(name)).collect();
                        outcomes
                            .iter_mut()
                            .zip(&names)
                            .for_each(|(outcome, name)| outcome.dataset = name.to_string());
                    }
                    Err(error) => {
                        is_done = false;
                        outcomes[0] = outcomes[0].clone().not_swapped(swap, &error);
                    }
                }
            }
            if is_done {
                let unfinished = fetch::finish(context, &names).await.err();
                warnings.extend(
                    unfinished.map(|error| format!("the property dormouse:restoring stays: {error}")),
                );
            }
        }
        warnings.append(&mut aside.warnings);
        let mountable = outcome::mountable(context.exec, &outcomes).await;
        outcomes.extend(left.iter().map(DatasetOutcome::left));
        Ok(Outcome {
            replication: self.run.name.to_owned(),
            archiver: from.clone(),
            connection_lost: !archiver.is_alive(),
            bytes: outcomes.iter().map(|outcome| outcome.bytes).sum(),
            seconds: began.elapsed().as_secs_f64(),
            next: outcome::next(&root, &outcomes, &mountable),
            aside: aside.name,
            alone: aside.alone,
            datasets: outcomes,
            warnings,
        })
    }
}

impl Restore<'_> {
    /// Makes what others lie below, and says so. Where that fails, so do they.
    async fn make(&self, Holder { name, keyless }: &Holder) -> String {
        let create = argv::create_holder(name, *keyless);
        match self.run.context.exec.run(&create, host::LOOK).await {
            Ok(_) => format!("{name} was made to hold others, for the archiver has no snapshot of it"),
            Err(error) => format!("{name} was not made, which others lie below: {error}"),
        }
    }
}

/// The outcome of a dataset that cannot begin: the one above it did not come back, or the archiver sent
/// something other than it was asked for.
fn not_begun(piece: &Piece, outcomes: &[DatasetOutcome]) -> Option<DatasetOutcome> {
    if outcomes.iter().any(|outcome| outcome.distrust.is_some()) {
        let message = "nothing more is taken from this archiver".to_owned();
        return Some(DatasetOutcome::new(piece).failed(message, "find out what happened to it".to_owned()));
    }
    let parent = piece.name.parent()?;
    let failed = outcomes.iter().find(|outcome| outcome.dataset == parent.as_str())?;
    let began = matches!(piece.step, Step::Done | Step::Resume(_));
    (matches!(failed.result, Fate::Failed | Fate::Locked) && !began).then(|| {
        let message = format!("{parent} is not back");
        DatasetOutcome::new(piece).failed(message, "mend that, then run the same command again".to_owned())
    })
}
