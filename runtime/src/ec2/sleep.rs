//! An instance goes: asked to power off, which exports its pool, and seen to be gone.

use std::time::{Duration, Instant};

use super::failure::Failure;
use super::machine::Machine;
use super::model::Instance;
use super::poll::Poll;
use crate::error::Error;

/// How long a power-off may take; exporting a pool on a cold disk needs its time.
const POWER_OFF: Duration = Duration::from_secs(300);

/// How long terminating may take.
const TERMINATE: Duration = Duration::from_secs(600);

/// First and longest pause between two looks. A power-off takes some seconds in any case.
const FIRST: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(5);

/// Watches instances that were asked to power off; those that do not are terminated.
///
/// # Errors
/// [`Failure::MayStillRun`] unless each was seen to be gone.
pub async fn see_off(machine: &Machine<'_>, instance: &str, since: Instant) -> Result<(), Error> {
    machine.note(since, "powering off");
    match gone(machine, instance, POWER_OFF).await {
        Ok(true) => {}
        Ok(false) => {
            machine.note(since, "it does not power off; terminating it");
            terminate(machine, instance).await.map_err(|error| may_still_run(machine, instance, &error))?;
        }
        Err(error) => return Err(may_still_run(machine, instance, &error)),
    }
    machine.token("wake")?.forget()?;
    machine.note(since, &format!("asleep: {instance} is terminated"));
    Ok(())
}

/// Terminates an instance and waits until that was seen.
///
/// # Errors
/// When it was not.
pub async fn terminate(machine: &Machine<'_>, instance: &str) -> Result<(), Error> {
    machine.api.terminate(instance).await?;
    if gone(machine, instance, TERMINATE).await? {
        return Ok(());
    }
    Err(Failure::Stuck {
        what: instance.to_owned(),
        state: "is not terminated",
        seconds: TERMINATE.as_secs(),
    }
    .into())
}

/// Whether an instance is terminated before the time is over. One that EC2 no longer shows ended
/// about an hour ago, or was launched so lately that it is not in view: that takes several looks.
async fn gone(machine: &Machine<'_>, id: &str, within: Duration) -> Result<bool, Error> {
    let mut poll = Poll::new(FIRST, LONGEST, within);
    let mut unseen = 0;
    while poll.again().await {
        match machine.api.instance(id).await? {
            Some(instance) if instance.is_terminated() => return Ok(true),
            Some(_) => unseen = 0,
            None => unseen += 1,
        }
        if unseen >= 6 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The instances of an archiver that are not gone.
///
/// # Errors
/// [`Failure::Call`].
pub async fn remaining(machine: &Machine<'_>) -> Result<Vec<Instance>, Error> {
    let mut instances = machine.api.instances(&machine.tags()).await?;
    instances.retain(|instance| !instance.is_terminated());
    Ok(instances)
}

/// The error for an instance whose end was not seen.
pub fn may_still_run(machine: &Machine<'_>, instance: &str, error: &Error) -> Error {
    let (instance, region) = (instance.to_owned(), machine.ec2.region.clone());
    Failure::MayStillRun { instance, region, detail: error.to_string() }.into()
}
