//! How an archiver is brought up; [`session`] lets it go again.

pub mod session;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dormouse_generator::spec::Provider;
use dormouse_generator::{layout, reach};

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::session::Session;
use crate::archiver::Archiver;
use crate::context::Context;
use crate::ec2::failure::Failure;
use crate::ec2::machine::Machine;
use crate::ec2::sleep;
use crate::ec2::wake::{Awake, end_after, wake};
use crate::error::Error;
use crate::folder;
use crate::ssh::{Connection, Endpoint};

/// How long a woken archiver may take until it answers to ssh with its key and lets us in. An
/// image that rebuilds itself at boot needs minutes for that.
const ANSWER: Duration = Duration::from_secs(300);
const ANSWER_AFTER_REBUILD: Duration = Duration::from_secs(1800);

/// How long importing its pool may take; a pool that was not exported replays its log first.
const IMPORT: Duration = Duration::from_secs(600);

/// How long that may take to begin: it does when the volume's disk shows a pool of that name, which
/// is a matter of seconds after it was attached.
const APPEAR: Duration = Duration::from_secs(120);

/// The unit of the generated configuration.nix that imports it.
pub const POOL: &str = "dormouse-pool.service";

/// How often to look for either.
const LOOK: Duration = Duration::from_millis(500);

/// How long to wait after a refused login: since OpenSSH 9.8 sshd shuts out an address that fails
/// too often (sshd_config(5), `PerSourcePenalties`).
const REFUSED: Duration = Duration::from_secs(6);

/// How long a machine may take to answer a knock. One that boots drops it without a word, and the
/// system itself would knock again only after 1, 3, 7, … s (tcp(7), `tcp_syn_retries`).
const KNOCK: Duration = Duration::from_secs(1);

/// How often to ask EC2 whether an instance that does not answer still lives.
const ASK: Duration = Duration::from_secs(60);

/// How long EC2 may take to see that an instance has powered off.
const GOING: Duration = Duration::from_secs(120);

/// How often an archiver that fell asleep under our hands is woken anew.
const WAKES: u32 = 3;

/// Numbers the ssh sockets of this process.
static SOCKETS: AtomicU32 = AtomicU32::new(0);

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// This host, for replication.
    Host,
    /// The administrator, as root, for `up` and resizing.
    Admin,
}

/// Wakes an archiver if need be and connects to it; `pool` says whether to wait for its pool.
///
/// # Errors
/// Whatever keeps it from answering. An instance that was launched for this is then ended.
pub async fn connect<'a>(
    context: &'a Context,
    name: &'a str,
    identity: Identity,
    pool: bool,
) -> Result<Session<'a>, Error> {
    let Some(machine) = Machine::find(context, name).await? else {
        let endpoint = endpoint(context, name, identity, None)?;
        let archiver = open(context, endpoint).await?;
        return Ok(Session { archiver, machine: None });
    };
    // The files must be there before anything is launched.
    endpoint(context, name, identity, Some(""))?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let since = Instant::now();
        let error = match wake(&machine).await {
            Ok(awake) => match enter(&machine, &awake, identity, pool, since).await {
                Ok(archiver) => return Ok(Session { archiver, machine: Some((machine, awake)) }),
                Err(error) if awake.launched && !has_ended(&error) => {
                    end_after(&machine, &awake.instance.id, error).await
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        if attempt == WAKES || !has_ended(&error) {
            return Err(error);
        }
        machine.note(since, "it went to sleep; waking it again");
    }
}

fn has_ended(error: &Error) -> bool {
    matches!(error, Error::Ec2(Failure::Ended { .. }))
}

/// Waits until a woken archiver lets us in and has its pool.
async fn enter(
    machine: &Machine<'_>,
    awake: &Awake,
    identity: Identity,
    pool: bool,
    since: Instant,
) -> Result<Archiver, Error> {
    machine.note(since, &format!("{} has {}; waiting for ssh", awake.instance.id, awake.address));
    let endpoint = endpoint(machine.context, machine.name, identity, Some(&awake.address))?;
    let archiver = log_in(machine, &awake.instance.id, endpoint, machine.ec2.image.bake).await?;
    if pool {
        machine.note(since, "connected; waiting for its pool");
        match import(machine, &archiver, since).await {
            Err(lost @ Error::Unreachable { .. }) => return Err(gone(machine, awake, lost).await),
            imported => imported?,
        }
    }
    Ok(archiver)
}

/// Why an archiver that had let us in is lost: it may have been about to power off.
async fn gone(machine: &Machine<'_>, awake: &Awake, lost: Error) -> Error {
    match sleep::ends_within(machine, &awake.instance.id, GOING).await {
        Ok(true) => {
            let reason = "it powered off as somebody came".to_owned();
            Failure::Ended { instance: awake.instance.id.clone(), reason }.into()
        }
        Ok(false) | Err(_) => lost,
    }
}

/// Waits until an instance lets us in. One that is not `baked` gets its users from a rebuild
/// at boot, which takes minutes; until then it refuses every identity.
///
/// # Errors
/// A refusal that no waiting mends, or [`Failure::Ended`].
pub async fn log_in(
    machine: &Machine<'_>,
    instance: &str,
    endpoint: Endpoint,
    baked: bool,
) -> Result<Archiver, Error> {
    let deadline = Instant::now() + if baked { ANSWER } else { ANSWER_AFTER_REBUILD };
    let mut looked = Instant::now();
    loop {
        let entered = match knock(&endpoint).await {
            Ok(()) => open(machine.context, endpoint.clone()).await,
            Err(error) => Err(error),
        };
        let error = match entered {
            Ok(archiver) => return Ok(archiver),
            Err(error) => error,
        };
        let may_come = match &error {
            Error::Unreachable { .. } => true,
            Error::Identity { .. } => !baked,
            _ => false,
        };
        if !may_come || Instant::now() > deadline {
            return Err(error);
        }
        if looked.elapsed() > ASK {
            looked = Instant::now();
            require_live(machine, instance).await?;
        }
        tokio::time::sleep(if matches!(error, Error::Identity { .. }) { REFUSED } else { LOOK }).await;
    }
}

/// Whether anybody listens there.
async fn knock(endpoint: &Endpoint) -> Result<(), Error> {
    let connecting = TcpStream::connect((endpoint.address.as_str(), endpoint.port));
    match timeout(KNOCK, connecting).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(endpoint.refusal(&error.to_string())),
        Err(_) => Err(endpoint.refusal("it does not answer")),
    }
}

/// An instance that ended meanwhile will never answer.
async fn require_live(machine: &Machine<'_>, id: &str) -> Result<(), Error> {
    match machine.api.instance(id).await? {
        Some(instance) if !instance.is_live() => {
            Err(Failure::Ended { instance: instance.id, reason: instance.reason.unwrap_or_default() }.into())
        }
        _ => Ok(()),
    }
}

/// Waits for the unit that imports the pool and then grants each host its rights.
async fn import(machine: &Machine<'_>, archiver: &Archiver, since: Instant) -> Result<(), Error> {
    let pool = machine.archiver.pool.name.as_str();
    let (appearance, deadline) = (Instant::now() + APPEAR, Instant::now() + IMPORT);
    loop {
        let state = match archiver.unit_state(POOL).await {
            // Early in a boot the bus may not answer yet, or be restarted.
            Err(Error::Program(_)) if Instant::now() < deadline => "unknown".to_owned(),
            state => state?,
        };
        if state == "active" {
            machine.note(since, &format!("awake, with pool {pool}"));
            return Ok(());
        }
        let (archiver, pool) = (machine.name.to_owned(), pool.to_owned());
        if state == "inactive" && Instant::now() > appearance {
            return Err(Failure::NotSetUp { archiver, pool, seconds: APPEAR.as_secs() }.into());
        }
        if state == "failed" || Instant::now() > deadline {
            return Err(Error::NoPool { archiver, pool, detail: format!("{POOL} is {state}") });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Another connection to the same archiver.
///
/// # Errors
/// What keeps it from being opened.
pub async fn another(context: &Context, archiver: &Archiver) -> Result<Archiver, Error> {
    open(context, archiver.endpoint().clone()).await
}

async fn open(context: &Context, endpoint: Endpoint) -> Result<Archiver, Error> {
    // A Unix socket's path has at most 107 bytes, of which ssh takes 17 for a suffix of its own.
    let control = folder::sockets()?.join(SOCKETS.fetch_add(1, Ordering::Relaxed).to_string());
    Ok(Archiver::new(context.exec, Connection::open(context.exec, endpoint, control).await?))
}

/// How an archiver is reached, at `address` if it is on EC2.
fn endpoint(
    context: &Context,
    name: &str,
    identity: Identity,
    address: Option<&str>,
) -> Result<Endpoint, Error> {
    let archiver = context.archiver(name)?;
    let address = match &archiver.provider {
        Provider::Static(machine) => machine.address.clone(),
        Provider::Ec2(_) => address.unwrap_or_default().to_owned(),
    };
    let (user, key) = match identity {
        Identity::Host => (reach::login(archiver, &context.host_name), context.identity()),
        Identity::Admin => ("root".to_owned(), context.secrets.join(layout::ADMIN_IDENTITY)),
    };
    Ok(Endpoint {
        archiver: name.to_owned(),
        address,
        port: archiver.ssh_port,
        user,
        host_key_alias: reach::host_key_alias(&context.spec.name, name),
        known_hosts: context
            .file("the archivers' public keys", context.generated.join(layout::KNOWN_HOSTS))?,
        identity: context.file("the private key", key)?,
        ciphers: archiver.ssh_ciphers.clone(),
        compresses: archiver.ssh_compression,
        kept: archiver.kept_dataset().filter(|_| identity == Identity::Host).map(str::to_owned),
        program: context.ssh_program.clone(),
    })
}
