//! An instance goes: asked to power off, which exports its pool, and seen to be gone.

use std::time::{Duration, Instant};

use super::failure::Failure;
use super::machine::Machine;
use super::model::Instance;
use super::poll::Poll;
use super::price::Prices;
use crate::error::Error;
use crate::report::seen;

/// How long a power-off may take; exporting a pool on a cold disk needs its time.
const POWER_OFF: Duration = Duration::from_secs(300);

/// How long terminating may take.
const TERMINATE: Duration = Duration::from_secs(600);

/// First and longest pause between two looks. A power-off takes some seconds in any case.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(6);

/// Watches an instance that was asked to power off; one that does not is terminated.
///
/// # Errors
/// [`Failure::MayStillRun`] unless its end was seen.
pub async fn see_off(machine: &Machine<'_>, instance: &Instance, since: Instant) -> Result<(), Error> {
    machine.note(since, "powering off");
    if !ends_within(machine, &instance.id, POWER_OFF).await? {
        machine.note(since, "it does not power off; terminating it");
        let ended = terminate(machine, &instance.id).await;
        ended.map_err(|error| may_still_run(machine, &instance.id, &error))?;
    }
    note_asleep(machine, instance, since)
}

/// Whether an instance ends before the time is over.
///
/// # Errors
/// [`Failure::MayStillRun`] when EC2 refuses to tell.
pub async fn ends_within(machine: &Machine<'_>, instance: &str, within: Duration) -> Result<bool, Error> {
    gone(machine, instance, within).await.map_err(|error| may_still_run(machine, instance, &error))
}

/// Says that an instance's end was seen, and what it cost; the next one needs a new client token.
///
/// # Errors
/// When the token's file cannot be removed.
pub fn note_asleep(machine: &Machine<'_>, instance: &Instance, since: Instant) -> Result<(), Error> {
    machine.token("wake")?.forget()?;
    seen::note(machine.context, machine.name, None);
    let lived = u64::try_from(jiff::Timestamp::now().as_second() - instance.launched).unwrap_or(0);
    let prices = Prices::load().map_err(std::io::Error::from)?;
    let cost = prices.instance(machine.ec2, lived).map(|cost| format!(", about ${cost:.4}"));
    let (id, cost) = (&instance.id, cost.unwrap_or_default());
    machine.note(since, &format!("asleep: {id} is terminated after {lived} s{cost}"));
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
/// A network that is down, or an API that is too busy, may come back meanwhile.
async fn gone(machine: &Machine<'_>, id: &str, within: Duration) -> Result<bool, Error> {
    let mut poll = Poll::new(FIRST, LONGEST, within);
    let (mut unseen, mut trouble) = (0, None);
    while poll.again().await {
        match machine.api.instance(id).await {
            Ok(Some(instance)) if instance.is_terminated() => return Ok(true),
            Ok(Some(_)) => (unseen, trouble) = (0, None),
            Ok(None) => unseen += 1,
            Err(problem) if problem.is_passing() => trouble = Some(problem),
            Err(problem) => return Err(problem.into()),
        }
        if unseen >= 6 {
            return Ok(true);
        }
    }
    trouble.map_or(Ok(false), |problem| Err(problem.into()))
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
