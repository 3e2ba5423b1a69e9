//! Teardown: everything with the archiver's tags goes; the volume only when it was asked for.

use std::time::{Duration, Instant};

use super::failure::Failure;
use super::machine::Machine;
use super::poll::Poll;
use super::problem::Kind;
use super::sleep;
use crate::error::Error;

/// How long a security group may be in use by an instance that has just ended.
const GROUP: Duration = Duration::from_secs(300);

/// How long a last EBS snapshot may take; a full cold volume is slow to copy.
const SNAPSHOT: Duration = Duration::from_secs(48 * 3600);

/// What there is of an archiver, each thing by its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Instances that are not gone.
    pub instances: Vec<String>,
    /// Launch templates.
    pub templates: Vec<String>,
    /// Baked images.
    pub images: Vec<String>,
    /// Security groups.
    pub groups: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
}

impl Inventory {
    /// Looks for everything with the archiver's tags.
    ///
    /// # Errors
    /// [`Failure::Call`].
    pub async fn take(machine: &Machine<'_>) -> Result<Self, Error> {
        let tags = machine.tags();
        Ok(Self {
            instances: sleep::remaining(machine).await?.into_iter().map(|instance| instance.id).collect(),
            templates: machine.api.templates(&tags).await?.into_iter().map(|template| template.id).collect(),
            images: machine.baked().await?.into_iter().map(|image| image.id).collect(),
            groups: machine.api.groups(&tags).await?.into_iter().map(|group| group.id).collect(),
            volumes: machine.api.volumes(&tags).await?.into_iter().map(|volume| volume.id).collect(),
        })
    }

    /// Everything but the volumes.
    #[must_use]
    pub fn without_volumes(mut self) -> Self {
        self.volumes.clear();
        self
    }

    /// All ids.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        let all = [&self.instances, &self.templates, &self.images, &self.groups, &self.volumes];
        all.into_iter().flatten().map(String::as_str).collect()
    }
}

/// Removes what is in the inventory, its volumes included.
///
/// # Errors
/// The first thing that does not go, or [`Failure::LeftOver`] if something is there afterwards.
pub async fn run(machine: &Machine<'_>, inventory: &Inventory, last_snapshot: bool) -> Result<(), Error> {
    let since = Instant::now();
    for instance in &inventory.instances {
        machine.note(since, &format!("ending {instance}"));
        let ended = sleep::terminate(machine, instance).await;
        ended.map_err(|error| sleep::may_still_run(machine, instance, &error))?;
    }
    for purpose in ["wake", "bake", "volume"] {
        machine.token(purpose)?.forget()?;
    }
    for template in &inventory.templates {
        machine.note(since, &format!("removing {template}"));
        machine.api.delete_template(template).await?;
    }
    for image in machine.baked().await? {
        machine.note(since, &format!("removing {}", image.id));
        machine.api.delete_image(&image).await?;
    }
    for group in &inventory.groups {
        machine.note(since, &format!("removing {group}"));
        delete_group(machine, group).await?;
    }
    for volume in &inventory.volumes {
        if last_snapshot {
            machine.note(since, &format!("keeping a last EBS snapshot of {volume}"));
            keep(machine, volume).await?;
        }
        machine.note(since, &format!("deleting {volume}"));
        machine.api.delete_volume(volume).await?;
    }
    prove(machine, inventory, since).await
}

async fn delete_group(machine: &Machine<'_>, group: &str) -> Result<(), Error> {
    let mut poll = Poll::new(Duration::from_secs(2), Duration::from_secs(10), GROUP);
    loop {
        match machine.api.delete_group(group).await {
            Err(problem) if problem.kind() == Kind::InUse && poll.again().await => {}
            result => return Ok(result?),
        }
    }
}

async fn keep(machine: &Machine<'_>, volume: &str) -> Result<(), Error> {
    // Without the archiver's tags: it is to outlive everything that has them.
    let tags = [("Name".to_owned(), format!("{}, last", machine.title()))].into();
    let snapshot = machine.api.snapshot_volume(volume, &tags).await?;
    let mut poll = Poll::new(Duration::from_secs(2), Duration::from_secs(30), SNAPSHOT);
    while !machine.api.snapshot_is_complete(&snapshot).await? {
        if !poll.again().await {
            return Err(Failure::Stuck {
                what: snapshot,
                state: "is not complete",
                seconds: SNAPSHOT.as_secs(),
            }
            .into());
        }
    }
    Ok(())
}

/// Looks once more, until nothing is listed that should be gone.
async fn prove(machine: &Machine<'_>, inventory: &Inventory, since: Instant) -> Result<(), Error> {
    let mut poll = Poll::new(Duration::from_secs(1), Duration::from_secs(10), GROUP);
    loop {
        let mut left = Inventory::take(machine).await?;
        let goes = |volume: &String| inventory.volumes.contains(volume);
        let kept: Vec<String> = left.volumes.extract_if(.., |volume| !goes(volume)).collect();
        let ids: Vec<String> = left.ids().into_iter().map(str::to_owned).collect();
        if ids.is_empty() {
            let but = if kept.is_empty() { String::new() } else { format!(" but {}", kept.join(", ")) };
            machine.note(since, &format!("nothing of it is left{but}"));
            return Ok(());
        }
        if !poll.again().await {
            return Err(Failure::LeftOver { archiver: machine.name.to_owned(), ids }.into());
        }
    }
}
