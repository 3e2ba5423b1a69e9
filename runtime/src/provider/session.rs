//! Sessions with archivers, and their end: an archiver sleeps once nobody uses it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use dormouse_generator::spec::{self, Provider};

use super::{Identity, connect, endpoint, open};
use crate::archiver::Archiver;
use crate::context::Context;
use crate::ec2::failure::Failure;
use crate::ec2::machine::{Machine, has_configuration};
use crate::ec2::model::Instance;
use crate::ec2::sleep;
use crate::ec2::wake::Awake;
use crate::error::{Error, Exit};
use crate::output::{count, print_error};
use crate::report::clock::Phase;
use crate::report::seen::{self, Sight};

/// How much longer than `linger` an archiver may take to power off by itself: its sshd gives a
/// lost client a minute, and the pool has to be exported.
const NOTICED: Duration = Duration::from_secs(180);

/// An archiver that is up and connected.
#[derive(Debug)]
pub struct Session<'a> {
    /// The connected archiver.
    pub archiver: Archiver,
    /// What it runs on, if that is on EC2.
    pub(super) machine: Option<(Machine<'a>, Awake)>,
}

impl Session<'_> {
    /// Its instance, if it lives on EC2.
    #[must_use]
    pub fn instance(&self) -> Option<&Instance> {
        self.machine.as_ref().map(|(_, awake)| &awake.instance)
    }

    /// Whether it was launched with the configuration that is known here.
    ///
    /// # Errors
    /// [`Error::MissingFile`].
    pub fn is_up_to_date(&self) -> Result<bool, Error> {
        match &self.machine {
            Some((machine, awake)) => {
                Ok(has_configuration(&awake.instance.tags, &machine.configuration_hash()?))
            }
            None => Ok(true),
        }
    }

    /// Goes without sending the archiver to sleep: it does that by itself.
    pub fn leave(self) {}

    /// Lets the archiver sleep, unless somebody else uses it.
    ///
    /// # Errors
    /// [`Failure::MayStillRun`] unless its end was seen or others use it.
    pub async fn close(self) -> Result<(), Error> {
        let Some((machine, awake)) = self.machine else { return Ok(()) };
        let since = Instant::now();
        let asked = self.archiver.power_off().await;
        drop(self.archiver);
        match asked {
            Ok(0) => sleep::see_off(&machine, &awake.instance, since).await,
            Ok(others) => {
                machine.note(since, &format!("stays awake for {}", count(others, "other session")));
                Ok(())
            }
            Err(error) => {
                machine.note(since, &format!("it could not be asked to power off: {error}"));
                lose(&machine, &awake.instance, since).await
            }
        }
    }
}

/// An archiver that was lost on the way powers off by itself, unless somebody else uses it. If it
/// does neither, it is ended.
async fn lose(machine: &Machine<'_>, instance: &Instance, since: Instant) -> Result<(), Error> {
    let alone = Duration::from_secs(machine.archiver.linger.as_secs()) + NOTICED;
    machine.note(since, &format!("it should power off by itself within {} s", alone.as_secs()));
    if sleep::ends_within(machine, &instance.id, alone).await? {
        return sleep::note_asleep(machine, instance, since);
    }
    match ask_to_sleep(machine, instance).await {
        Ok(0) => sleep::see_off(machine, instance, since).await,
        Ok(others) => {
            machine.note(since, &format!("stays awake for {}", count(others, "session")));
            Ok(())
        }
        Err(error) => {
            machine.note(since, &format!("it does not answer; terminating it: {error}"));
            let ended = sleep::terminate(machine, &instance.id).await;
            ended.map_err(|error| sleep::may_still_run(machine, &instance.id, &error))
        }
    }
}

/// The archivers that a command has connected to: each is woken once, and let go at the end.
#[derive(Debug)]
pub struct Sessions<'a> {
    context: &'a Context,
    open: BTreeMap<&'a str, Session<'a>>,
    /// When each was first asked for.
    since: BTreeMap<&'a str, Instant>,
    /// What kept one that was prepared for from being reached.
    unreached: BTreeMap<&'a str, Error>,
    /// Pools as they were when their archivers had just done what they were asked for.
    sights: BTreeMap<&'a str, Sight>,
}

/// What came of letting an archiver go.
#[derive(Debug)]
pub struct Closing<'a> {
    /// The archiver.
    pub archiver: &'a str,
    /// When that began.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// The instance, if it lives on EC2.
    pub instance: Option<Instance>,
    /// How long that was used: since its launch, if it was launched for this.
    pub used: Duration,
    /// What went wrong.
    pub error: Option<Error>,
}

impl<'a> Sessions<'a> {
    /// None yet.
    #[must_use]
    pub fn new(context: &'a Context) -> Self {
        let (open, since) = (BTreeMap::new(), BTreeMap::new());
        Self { context, open, since, unreached: BTreeMap::new(), sights: BTreeMap::new() }
    }

    /// Connects to an archiver that is always there, since it is likely to be asked for. What goes wrong
    /// is told to who asks for it.
    pub async fn prepare(&mut self, name: &'a str) {
        let is_there = |archiver: &spec::Archiver| matches!(archiver.provider, Provider::Static(_));
        if self.open.contains_key(name) || !self.context.archiver(name).is_ok_and(is_there) {
            return;
        }
        self.since.entry(name).or_insert_with(Instant::now);
        match connect(self.context, name, Identity::Host, true).await {
            Ok(session) => drop(self.open.insert(name, session)),
            Err(error) => drop(self.unreached.insert(name, error)),
        }
    }

    /// The session with an archiver, with its pool; opened when there is none that stands.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn get(&mut self, name: &'a str) -> Result<&mut Archiver, Error> {
        if let Some(error) = self.unreached.remove(name) {
            return Err(error);
        }
        self.sights.remove(name);
        if self.open.get_mut(name).is_some_and(|session| !session.archiver.is_alive()) {
            self.open.remove(name);
        }
        let session = match self.open.entry(name) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.since.entry(name).or_insert_with(Instant::now);
                let before = self.context.clock.enter(Phase::Wake);
                let session = connect(self.context, name, Identity::Host, true).await?;
                self.context.clock.enter(before);
                entry.insert(session)
            }
        };
        Ok(&mut session.archiver)
    }

    /// Takes note of an archiver's pool, which need not be asked for then unless the archiver is used again.
    pub fn saw(&mut self, name: &'a str, pool: Sight) {
        self.sights.insert(name, pool);
    }

    /// The pools of all of them, but for those that cannot be asked.
    pub async fn look(&self) -> Vec<(&'a str, Sight)> {
        let mut sights = Vec::new();
        for (name, session) in &self.open {
            if let Some(sight) = self.sights.get(name) {
                sights.push((*name, sight.clone()));
                continue;
            }
            let Ok(archiver) = self.context.archiver(name) else { continue };
            let replications = self.context.host().ok().map(|host| host.replications.values());
            let ours = replications.into_iter().flatten().filter(|each| each.archiver == *name);
            let copies = ours.map(|replication| &replication.target);
            let now = jiff::Timestamp::now().as_second();
            let sight = seen::look(&session.archiver, archiver.pool.name.as_str(), copies, now).await;
            sights.extend(sight.ok().map(|sight| (*name, sight)));
        }
        sights
    }

    /// Lets all of them sleep that nobody else uses.
    pub async fn close(self) -> Vec<Closing<'a>> {
        let mut closings = Vec::new();
        for (name, session) in self.open {
            let (began, instance) = (Instant::now(), session.instance().cloned());
            let error = session.close().await.err();
            let since = self.since.get(name).copied().unwrap_or(began);
            let (took, used) = (began.elapsed(), since.elapsed());
            closings.push(Closing { archiver: name, began, took, instance, used, error });
        }
        closings
    }

    /// As [`Self::close`]; says what went wrong, and returns the exit codes of that.
    pub async fn close_telling(self) -> Vec<Exit> {
        let closings = self.close().await;
        let failed = closings.iter().filter_map(|closing| Some((closing.archiver, closing.error.as_ref()?)));
        let exit = |(archiver, error): (&str, &Error)| {
            print_error(error, &format!("archiver {archiver}: "));
            error.exit()
        };
        failed.map(exit).collect()
    }
}

/// Asks an instance that runs to power off, unless somebody uses it; returns how many do.
///
/// # Errors
/// [`Failure::NotAsked`] when it cannot be asked.
pub async fn ask_to_sleep(machine: &Machine<'_>, instance: &Instance) -> Result<usize, Error> {
    let not_asked = |detail| Failure::NotAsked {
        archiver: machine.name.to_owned(),
        instance: instance.id.clone(),
        region: machine.ec2.region.clone(),
        detail,
    };
    let Some(address) = &instance.address else {
        return Err(not_asked("it has no address yet".to_owned()).into());
    };
    let asked = async {
        let endpoint = endpoint(machine.context, machine.name, Identity::Host, Some(address))?;
        open(machine.context, endpoint).await?.power_off().await
    };
    asked.await.map_err(|error| not_asked(error.to_string()).into())
}
