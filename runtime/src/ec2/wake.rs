//! An instance comes: found or launched, running, its volume attached.

use std::time::{Duration, Instant, SystemTime};

use super::failure::Failure;
use super::machine::{DEVICE, Machine, has_configuration};
use super::model::{Instance, InstanceState, Of, PURPOSE, Template, Volume};
use super::poll::Poll;
use super::problem::{Kind, Problem};
use crate::error::Error;
use crate::folder;
use crate::lock::Lock;
use crate::log;
use crate::report::seen;

const DAY: u64 = 24 * 3600;

/// How old a launch template may be that names a public image. NixOS' images are deprecated after 90 days, and then
/// deleted (NixOS/amis).
const RENEWED: Duration = Duration::from_secs(60 * DAY);

/// How long an instance may be pending; EC2 needs 10 to 60 s.
const RUNNING: Duration = Duration::from_secs(600);

/// How long a volume may need to leave an instance that is ending and to be attached.
const ATTACHED: Duration = Duration::from_secs(600);

/// How long EC2 may need until it shows what it launched.
const SHOWN: Duration = Duration::from_secs(15);

/// First and longest pause between two looks.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(6);

/// An instance that runs and has the volume.
#[derive(Clone, Debug)]
pub struct Awake {
    /// The instance.
    pub instance: Instance,
    /// Its address.
    pub address: String,
    /// Whether this process launched it.
    pub launched: bool,
}

/// What is to be done about the instances that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Take this one; end those, which two wakes at once have left over.
    Take(Instance, Vec<String>),
    /// There is none.
    Launch,
}

/// Chooses among instances: the one that has the volume, else the one launched first, so that
/// everyone who looks chooses the same. A stopped one is of no use: ours only ever end.
#[must_use]
pub fn choose(instances: &[Instance], volume: &Volume) -> Choice {
    let holds =
        |instance: &Instance| volume.attachment.as_ref().is_some_and(|held| held.instance == instance.id);
    let bakes = |instance: &Instance| instance.tags.contains_key(PURPOSE);
    let mut live: Vec<_> =
        instances.iter().filter(|instance| instance.is_live() && !bakes(instance)).collect();
    live.sort_by_key(|instance| (!holds(instance), instance.launched, instance.id.clone()));
    match live.split_first() {
        Some((first, others)) => {
            Choice::Take((*first).clone(), others.iter().map(|other| other.id.clone()).collect())
        }
        None => Choice::Launch,
    }
}

/// Finds or launches the instance of an archiver and attaches its volume.
///
/// # Errors
/// Whatever keeps it from running. What was launched here is then ended again; if that could not
/// be seen, [`Failure::MayStillRun`].
pub async fn wake(machine: &Machine<'_>) -> Result<Awake, Error> {
    let since = Instant::now();
    let _lock =
        Lock::wait(&folder::runtime()?, &machine.context.spec.name, &format!("{}.wake", machine.name))
            .await?;
    let tags = machine.tags();
    let (instances, volume) =
        tokio::try_join!(async { Ok(machine.api.instances(&tags).await?) }, machine.volume())?;
    refuse_foreign(machine, &volume, &instances)?;
    let (instance, launched) = match choose(&instances, &volume) {
        Choice::Take(instance, _) => (instance, false),
        Choice::Launch => (launch(machine, since).await?, true),
    };
    let id = instance.id.clone();
    match settle(machine, instance, &volume, launched, since).await {
        Ok(awake) => {
            seen::note(machine.context, machine.name, Some(&awake.instance));
            Ok(awake)
        }
        Err(error) if launched => Err(end_after(machine, &id, error).await),
        Err(error) => Err(error),
    }
}

/// A volume in an instance that is not this archiver's is none of our business.
fn refuse_foreign(machine: &Machine<'_>, volume: &Volume, instances: &[Instance]) -> Result<(), Error> {
    match &volume.attachment {
        Some(held) if held.delete_on_termination => {
            Err(Failure::VolumeWouldGo { volume: volume.id.clone(), instance: held.instance.clone() }.into())
        }
        Some(held) if !instances.iter().any(|instance| instance.id == held.instance) => {
            Err(Failure::VolumeElsewhere {
                archiver: machine.name.to_owned(),
                volume: volume.id.clone(),
                instance: held.instance.clone(),
            }
            .into())
        }
        _ if volume.zone != machine.ec2.availability_zone => Err(Failure::VolumeZone {
            volume: volume.id.clone(),
            zone: volume.zone.clone(),
            wanted: machine.ec2.availability_zone.clone(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Launches with a token that is on the disk before the call. A token of an earlier wake either
/// leads to its instance, if that lives, or is replaced.
async fn launch(machine: &Machine<'_>, since: Instant) -> Result<Instance, Error> {
    let template = machine.template().await?;
    let tokens = machine.token("wake")?;
    let mut launch = machine.launch(Of::Template(template.id.clone()), tokens.get()?);
    machine.note(since, &format!("starting an instance of {}", template.id));
    warn(machine, &template)?;
    // A token that has served once, then one whose parameters differ, then spot without capacity.
    for _ in 0..4 {
        match machine.api.launch(&launch).await {
            Ok(instance) => return Ok(instance),
            Err(problem) => match problem.kind() {
                Kind::TokenEnded => launch.client_token = tokens.renew()?,
                Kind::TokenMismatch => match machine.api.launched_with(&launch.client_token).await? {
                    Some(instance) if instance.is_live() => return Ok(instance),
                    _ => launch.client_token = tokens.renew()?,
                },
                Kind::NoCapacity if launch.spot => {
                    machine.note(since, "no spot capacity; asking for an on-demand instance");
                    launch.spot = false;
                    launch.client_token = tokens.renew()?;
                }
                Kind::NoAnswer => return unanswered(machine, &launch.client_token, problem).await,
                _ => return Err(problem.into()),
            },
        }
    }
    let message = "EC2 took none of four client tokens".to_owned();
    Err(Problem { action: "RunInstances", code: None, message }.into())
}

fn warn(machine: &Machine<'_>, template: &Template) -> Result<(), Error> {
    if !has_configuration(&template.tags, &machine.configuration_hash()?) {
        let text = format!("archiver {:?} has a different configuration from the files here", machine.name);
        let help = format!("copy the newest generated files here, or run `dormouse up {}`", machine.name);
        log::warning(&text, Some(&help));
    }
    if machine.pins_public_image() && template.age(SystemTime::now()) > RENEWED {
        let days = template.age(SystemTime::now()).as_secs() / DAY;
        let text = format!(
            "the launch template of archiver {:?} is {days} days old, and NixOS deletes the image that it names some time \
             after 90 days",
            machine.name
        );
        log::warning(&text, Some(&format!("run `dormouse up {}`", machine.name)));
    }
    Ok(())
}

/// What was launched although EC2's answer was lost.
///
/// # Errors
/// [`Failure::LaunchUnanswered`] when nothing is to be seen.
pub async fn unanswered(machine: &Machine<'_>, token: &str, problem: Problem) -> Result<Instance, Error> {
    let unanswered = || Failure::LaunchUnanswered { archiver: machine.name.to_owned(), problem }.into();
    launched_with(machine, token).await.ok_or_else(unanswered)
}

/// The instance that was launched with a token, if one lives; EC2 shows it after some seconds.
pub async fn launched_with(machine: &Machine<'_>, token: &str) -> Option<Instance> {
    let mut poll = Poll::new(FIRST, LONGEST, SHOWN);
    while poll.again().await {
        match machine.api.launched_with(token).await {
            Ok(Some(instance)) if instance.is_live() => return Some(instance),
            _ => {}
        }
    }
    None
}

/// Waits until it runs, gives it the volume, finds its address.
async fn settle(
    machine: &Machine<'_>,
    instance: Instance,
    volume: &Volume,
    launched: bool,
    since: Instant,
) -> Result<Awake, Error> {
    let running = wait_running(machine, instance, volume, launched, since).await?;
    let launched = launched && running.1;
    let instance = running.0;
    attach(machine, &instance.id, volume, DEVICE, since).await?;
    let no_address =
        || Failure::NoAddress { archiver: machine.name.to_owned(), instance: instance.id.clone() };
    let address = instance.address.clone().ok_or_else(no_address)?;
    Ok(Awake { instance, address, launched })
}

/// Follows an instance until it runs. If somebody else launched one at the same moment, everyone
/// takes the earlier one, and each ends its own if it is not that. Returns whether it is ours.
async fn wait_running(
    machine: &Machine<'_>,
    instance: Instance,
    volume: &Volume,
    launched: bool,
    since: Instant,
) -> Result<(Instance, bool), Error> {
    let ours = instance.id.clone();
    let mut instance = instance;
    let mut poll = Poll::new(FIRST, LONGEST, RUNNING);
    while instance.state != InstanceState::Running || instance.address.is_none() {
        if !poll.again().await {
            return Err(Failure::Stuck {
                what: instance.id,
                state: "is not running",
                seconds: RUNNING.as_secs(),
            }
            .into());
        }
        let seen = machine.api.instances(&machine.tags()).await?;
        if let Choice::Take(chosen, _) = choose(&seen, volume)
            && chosen.id != instance.id
            && launched
            && seen.iter().any(|other| other.id == ours)
        {
            machine
                .note(since, &format!("{} was started elsewhere at the same moment; taking that", chosen.id));
            machine.api.terminate(&ours).await?;
            instance = chosen;
            continue;
        }
        // Right after the launch EC2 may not show it yet.
        let Some(now) = seen.into_iter().find(|other| other.id == instance.id) else { continue };
        if !now.is_live() {
            return Err(Failure::Ended { instance: now.id, reason: now.reason.unwrap_or_default() }.into());
        }
        let runs = now.state == InstanceState::Running;
        instance = now;
        if runs && instance.address.is_none() {
            break;
        }
    }
    let is_ours = instance.id == ours;
    Ok((instance, is_ours))
}

/// Attaches a volume, once whatever held it has let go.
///
/// # Errors
/// [`Failure::Stuck`], or a refusal of EC2's.
pub async fn attach(
    machine: &Machine<'_>,
    instance: &str,
    volume: &Volume,
    device: &str,
    since: Instant,
) -> Result<(), Error> {
    let mut volume = volume.clone();
    let mut poll = Poll::new(FIRST, LONGEST, ATTACHED);
    loop {
        match &volume.attachment {
            Some(held) if held.instance == instance => return Ok(()),
            Some(held) => {
                machine.note(since, &format!("waiting for {} to let go of {}", held.instance, volume.id))
            }
            None => {
                machine.note(since, &format!("attaching {}", volume.id));
                match machine.api.attach(&volume.id, instance, device).await {
                    Ok(()) => return Ok(()),
                    Err(problem) if matches!(problem.kind(), Kind::InUse | Kind::WrongState) => {}
                    Err(problem) => return Err(problem.into()),
                }
            }
        }
        if !poll.again().await {
            return Err(Failure::Stuck {
                what: volume.id,
                state: "is not attached",
                seconds: ATTACHED.as_secs(),
            }
            .into());
        }
        volume = machine.api.volume(&volume.id).await?;
        let instances = machine.api.instances(&machine.tags()).await?;
        refuse_foreign(machine, &volume, &instances)?;
        // Nothing can be attached to one that has gone meanwhile.
        if let Some(ended) = instances.iter().find(|other| other.id == instance && !other.is_live()) {
            let (instance, reason) = (ended.id.clone(), ended.reason.clone().unwrap_or_default());
            return Err(Failure::Ended { instance, reason }.into());
        }
    }
}

/// Ends an instance after an error, and says so if it may still run.
pub async fn end_after(machine: &Machine<'_>, instance: &str, error: Error) -> Error {
    match super::sleep::terminate(machine, instance).await {
        Ok(()) => error,
        Err(end) => Failure::MayStillRun {
            instance: instance.to_owned(),
            region: machine.ec2.region.clone(),
            detail: format!("{error}; then {end}"),
        }
        .into(),
    }
}
