//! An image that is the archiver's configuration already, so that a wake needs no rebuild.
//!
//! The newest public image boots once, becomes the configuration, is rid of everything that is
//! particular to this boot, and is kept as an image. Its host key is made for the occasion: the
//! archiver's own never touches it, so it cannot be left in it.

use std::io::Write;
use std::time::{Duration, Instant};

use dormouse_generator::artifact::user_data::{MAX_BYTES, packed, switch};
use dormouse_generator::{Artifact, generate, layout, reach};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};

use super::failure::Failure;
use super::machine::{ACCESS, CONFIGURATION, Machine};
use super::model::{BAKE, Image, Instance, InstanceState, Of, PURPOSE};
use super::poll::Poll;
use super::problem::Kind;
use super::{sleep, wake};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::provider;
use crate::ssh::Endpoint;

/// How long the rebuild, and then the image, may take.
const REBUILD: Duration = Duration::from_secs(3600);
const IMAGE: Duration = Duration::from_secs(3600);

/// How long a baking instance lives at most, in seconds, even if nobody watches it any more. It
/// has no timer of the configuration's until it has become the configuration.
const LIMIT: u32 = 2 * 3600;

/// What runs the rebuild with all hosts, if that is one of its own.
const REBUILD_UNIT: &str = "dormouse-rebuild.service";

/// What is particular to one boot, and must not be in an image.
const TRACES: [&str; 7] = [
    "/etc/ssh/ssh_host_*",
    "/etc/ec2-metadata/*",
    "/etc/machine-id",
    "/root/.bash_history",
    "/root/.ssh",
    "/var/lib/systemd/random-seed",
    "/var/log/journal",
];

/// Marks a disk as one of an image, so that it insists on its archiver's host key (`dormouse-identity.service`); holds
/// the id of the instance that the image is made of.
const BAKED: &str = "/var/lib/dormouse/baked";

/// Bakes an image.
///
/// # Errors
/// What keeps it from being made. The instance is ended in any case; if that could not be seen,
/// [`Failure::MayStillRun`].
pub async fn bake(machine: &Machine<'_>, hash: &str) -> Result<(), Error> {
    let since = Instant::now();
    end_others(machine).await?;
    let (base, key) = (machine.base_image().await?, BakeKey::new()?);
    let configuration = Configuration::new(machine, &key)?;
    let user_data = script(&key, &configuration.first).into_bytes();
    let mut settings = machine.settings_of(&base, user_data).await?;
    settings.tags.insert(PURPOSE.to_owned(), BAKE.to_owned());
    let launch = machine.launch(Of::Settings(Box::new(settings)), machine.token("bake")?.renew()?);
    machine.note(since, &format!("starting {} ({})", base.id, base.name));
    let instance = match machine.api.launch(&launch).await {
        Err(problem) if problem.kind() == Kind::NoAnswer => {
            wake::unanswered(machine, &launch.client_token, problem).await?
        }
        answer => answer?,
    };
    let made = make(machine, &instance, &base, &key, &configuration, hash, since).await;
    let ended = sleep::terminate(machine, &instance.id).await;
    machine.token("bake")?.forget()?;
    match (made, ended) {
        (made, Ok(())) => made,
        (_, Err(error)) => Err(sleep::may_still_run(machine, &instance.id, &error)),
    }
}

/// A set-up that was killed may have left one, which has a token as long as it bakes.
async fn end_others(machine: &Machine<'_>) -> Result<(), Error> {
    if let Some(token) = machine.token("bake")?.last()?
        && let Some(instance) = wake::launched_with(machine, &token).await
    {
        sleep::terminate(machine, &instance.id).await?;
    }
    for instance in sleep::remaining(machine).await? {
        if instance.tags.contains_key(PURPOSE) {
            sleep::terminate(machine, &instance.id).await?;
        }
    }
    Ok(())
}

async fn make(
    machine: &Machine<'_>,
    instance: &Instance,
    base: &Image,
    key: &BakeKey,
    configuration: &Configuration,
    hash: &str,
    since: Instant,
) -> Result<(), Error> {
    let address = running(machine, &instance.id).await?;
    machine.note(since, &format!("{} has {address}; waiting until it is the configuration", instance.id));
    let known_hosts = key.known_hosts(machine)?;
    let endpoint = endpoint(machine, address, known_hosts.path().to_owned())?;
    let archiver = provider::log_in(machine, &instance.id, endpoint, false).await?;
    rebuilt(machine, &archiver, &instance.id, "amazon-init.service").await?;
    if let Some(then) = &configuration.then {
        machine.note(since, "sending the configuration with all hosts, which is too long for user data");
        complete(&archiver, then).await?;
        rebuilt(machine, &archiver, &instance.id, REBUILD_UNIT).await?;
    }
    machine.note(since, "cleaning it, and making the image");
    clean(&archiver, &instance.id).await?;
    let mut tags = machine.tags_with_name();
    tags.insert(CONFIGURATION.to_owned(), hash.to_owned());
    tags.insert(ACCESS.to_owned(), machine.access()?);
    tags.insert("dormouse:base".to_owned(), base.id.clone());
    let name = format!("{}-{hash}-{}", machine.title(), instance.id);
    let image = machine.api.create_image(&instance.id, &name, &tags).await?;
    available(machine, &image).await?;
    machine.note(since, &format!("{image} is the configuration"));
    Ok(())
}

async fn running(machine: &Machine<'_>, id: &str) -> Result<String, Error> {
    let mut poll = Poll::new(Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(600));
    while poll.again().await {
        let Some(now) = machine.api.instance(id).await? else { continue };
        match (now.state, now.address) {
            (InstanceState::Pending, _) => {}
            (InstanceState::Running, Some(address)) => return Ok(address),
            (InstanceState::Running, None) => {
                return Err(Failure::NoAddress { archiver: machine.name.to_owned(), instance: now.id }.into());
            }
            _ => {
                return Err(
                    Failure::Ended { instance: now.id, reason: now.reason.unwrap_or_default() }.into()
                );
            }
        }
    }
    Err(Failure::Stuck { what: id.to_owned(), state: "is not running", seconds: 600 }.into())
}

/// The first rebuild runs in `amazon-init.service`, whose unit is gone once it has succeeded: the
/// configuration turns it off.
async fn rebuilt(machine: &Machine<'_>, archiver: &Archiver, id: &str, unit: &str) -> Result<(), Error> {
    let deadline = Instant::now() + REBUILD;
    loop {
        let state = archiver.query(&["systemctl", "show", "--property=ActiveState", "--value", unit]).await?;
        match state.trim() {
            "activating" | "reloading" if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_secs(2)).await
            }
            "activating" | "reloading" => {
                return Err(Failure::Stuck {
                    what: id.to_owned(),
                    state: "is not rebuilt",
                    seconds: REBUILD.as_secs(),
                }
                .into());
            }
            "failed" => {
                let log =
                    archiver.query(&["journalctl", "--unit", unit, "--lines=20", "--output=cat"]).await?;
                return Err(Failure::NotRebuilt { archiver: machine.name.to_owned(), log }.into());
            }
            _ => return Ok(()),
        }
    }
}

/// The shell expands the patterns; nothing in them comes from outside of this file.
async fn clean(archiver: &Archiver, instance: &str) -> Result<(), Error> {
    let script = format!(
        "rm -rf {} && install -D /dev/null {BAKED} && echo \"$1\" >{BAKED} && sync",
        TRACES.join(" ")
    );
    archiver.query(&["sh", "-c", &script, "sh", instance]).await.map(|_| ())
}

async fn available(machine: &Machine<'_>, id: &str) -> Result<(), Error> {
    let mut poll = Poll::new(Duration::from_secs(2), Duration::from_secs(15), IMAGE);
    while poll.again().await {
        match machine.api.image(id).await? {
            Some(Image { available: true, .. }) => return Ok(()),
            Some(Image { failed: Some(reason), .. }) => {
                return Err(Failure::NoBake { image: id.to_owned(), reason }.into());
            }
            _ => {}
        }
    }
    Err(Failure::Stuck { what: id.to_owned(), state: "is not available", seconds: IMAGE.as_secs() }.into())
}

/// What the public image becomes, [`packed`].
struct Configuration {
    /// By its user data.
    first: String,
    /// Over ssh after that, where user data cannot hold the keys of all hosts.
    then: Option<String>,
}

impl Configuration {
    fn new(machine: &Machine<'_>, key: &BakeKey) -> Result<Self, Error> {
        let whole = packed(&machine.configuration()?)?;
        if script(key, &whole).len() <= MAX_BYTES {
            return Ok(Self { first: whole, then: None });
        }
        Ok(Self { first: packed(&without_hosts(machine)?)?, then: Some(whole) })
    }
}

/// The configuration as if no host replicated to the archiver. It lets the administrator in.
fn without_hosts(machine: &Machine<'_>) -> Result<String, Error> {
    let mut spec = machine.context.spec.clone();
    for host in spec.hosts.values_mut() {
        host.replications.retain(|_, replication| replication.archiver != machine.name);
    }
    let path = layout::archiver_file(machine.name, "configuration.nix");
    let artifacts = machine.generated(|keyring| generate(&spec, keyring))?;
    let found = artifacts.iter().find(|artifact| artifact.path == path).and_then(Artifact::public_text);
    found.map(str::to_owned).ok_or_else(|| Error::Spec(format!("there is no {path}")))
}

/// Gives it the whole configuration, and has it rebuild.
async fn complete(archiver: &Archiver, configuration: &str) -> Result<(), Error> {
    let unpack = "umask 077 && printf %s \"$1\" | base64 -d | gzip -dc >/etc/nixos/configuration.nix";
    archiver.query(&["sh", "-c", unpack, "sh", configuration]).await?;
    // What nixos-rebuild needs of a session's environment.
    let kept = ["--setenv=HOME", "--setenv=NIX_PATH", "--setenv=PATH"];
    let unit = [&format!("--unit={REBUILD_UNIT}")[..], "--property=Type=oneshot", "--no-block"];
    let argv = [&["systemd-run"][..], &unit, &kept, &["nixos-rebuild", "switch"]].concat();
    archiver.query(&argv).await.map(|_| ())
}

/// NixOS' image runs it at boot (amazon-init.nix) after its host key was taken from the here-document.
/// First of all it sets an end to the instance's life.
fn script(key: &BakeKey, configuration: &str) -> String {
    format!(
        "#!/usr/bin/env bash\n\
         : <<'DORMOUSE_KEYS'\n\
         SSH_HOST_ED25519_KEY:{}\n\
         SSH_HOST_ED25519_KEY_PUB:{}\n\
         DORMOUSE_KEYS\n\
         set -eu\n\
         systemd-run --unit=dormouse-bake-limit --on-active={LIMIT} systemctl poweroff\n\
         {}",
        key.private.replace('\n', "|"),
        key.public,
        switch(configuration)
    )
}

fn endpoint(
    machine: &Machine<'_>,
    address: String,
    known_hosts: std::path::PathBuf,
) -> Result<Endpoint, Error> {
    let identity = machine.context.secrets.join(layout::ADMIN_IDENTITY);
    Ok(Endpoint {
        archiver: machine.name.to_owned(),
        address,
        port: machine.archiver.ssh_port,
        user: "root".to_owned(),
        host_key_alias: reach::host_key_alias(&machine.context.spec.name, machine.name),
        known_hosts,
        identity: machine.context.file("the administrator's private key", identity)?,
        ciphers: Vec::new(),
        compresses: false,
        kept: None,
        program: machine.context.ssh_program.clone(),
    })
}

/// A host key for one boot.
struct BakeKey {
    private: String,
    public: String,
}

impl BakeKey {
    fn new() -> Result<Self, Error> {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()));
        let private =
            key.to_openssh(LineEnding::LF).map_err(|error| std::io::Error::other(error.to_string()))?;
        let public =
            key.public_key().to_openssh().map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { private: private.to_string(), public })
    }

    fn known_hosts(&self, machine: &Machine<'_>) -> Result<tempfile::NamedTempFile, Error> {
        let mut file = tempfile::NamedTempFile::new()?;
        writeln!(
            file,
            "{} {}",
            reach::host_key_alias(&machine.context.spec.name, machine.name),
            self.public
        )?;
        Ok(file)
    }
}
