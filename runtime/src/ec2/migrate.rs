//! EBS cannot shrink a volume, so a smaller one takes its place.
//!
//! The archiver copies the pool itself, from a read-only import, so that nothing can be written to
//! the old volume meanwhile. On their disks both pools have the same name; here each has one of its
//! own (zpool-import(8) `-t`). A single call then makes the new volume the archiver's: the old one
//! is tagged as retired. It stays as it is until the user deletes it.

use std::time::{Duration, Instant};

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;

use super::failure::Failure;
use super::machine::Machine;
use super::model::Volume;
use super::{pool, sleep, up, wake};
use crate::archiver::Archiver;
use crate::error::Error;
use crate::output::count;
use crate::provider::{self, Identity, POOL};
use crate::zfs::argv::Make;
use crate::zfs::listing::Datasets;
use crate::zfs::plan::{Decision, single_steps};
use crate::zfs::schedule::{Job, schedule};
use crate::zfs::{argv, form, properties};

/// Device name of the second volume; the first one has [`super::machine::DEVICE`].
const DEVICE: &str = "/dev/sdg";

/// How long one dataset may take: 16 TiB at the 12 MiB/s that sc1 gives for each TiB of its size.
const COPY: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many datasets are asked for their properties at once.
const NAMES: usize = 100;

/// How often to look at both pools anew. One round copies; a second ends what was interrupted.
const ROUNDS: u32 = 3;

/// What a dataset that only holds others may have written, in bytes: its own metadata.
const EMPTY: u64 = 1 << 20;

/// Makes the smaller volume, copies everything onto it, and retires the old one. An interrupted
/// migration goes on from where it was.
///
/// # Errors
/// What keeps it from being copied; the old volume stays the archiver's then.
pub async fn migrate(machine: &Machine<'_>, old: &Volume) -> Result<(), Error> {
    let since = Instant::now();
    let new = new_volume(machine, old).await?;
    let is_fresh = new.attachment.is_none();
    let session = provider::connect(machine.context, machine.name, Identity::Admin, is_fresh).await?;
    let Some(instance) = session.instance().cloned() else { return Ok(()) };
    if let Err(error) = copy(machine, &session.archiver, &instance.id, old, &new, since).await {
        let closed = session.close().await;
        return Err(closed.err().unwrap_or(error));
    }
    machine.api.retire(&old.id).await?;
    machine.note(since, &format!("{} is the archiver's volume now; {} is kept", new.id, old.id));
    // Whoever came meanwhile finds no pool here.
    session.archiver.shut_down().await?;
    drop(session);
    sleep::see_off(machine, &instance, since).await
}

/// The volume of an interrupted migration, or a new one.
async fn new_volume(machine: &Machine<'_>, old: &Volume) -> Result<Volume, Error> {
    let volumes = machine.volumes().await?;
    match volumes.into_iter().find(|volume| volume.id != old.id) {
        Some(volume) => Ok(volume),
        None => up::make_volume(machine).await,
    }
}

async fn copy(
    machine: &Machine<'_>,
    archiver: &Archiver,
    instance: &str,
    old: &Volume,
    new: &Volume,
    since: Instant,
) -> Result<(), Error> {
    let others = archiver.other_sessions().await?;
    if others > 0 {
        return Err(Failure::InUse { archiver: machine.name.to_owned(), sessions: others }.into());
    }
    let name = machine.archiver.pool.name.as_str();
    let (from, to) = (root(&format!("{name}-old"))?, root(&format!("{name}-new"))?);
    wake::attach(machine, instance, new, DEVICE, since).await?;
    let device = pool::device(archiver, new).await?;
    if !is_imported(archiver, &to).await? && pool::is_blank(archiver, &device).await? {
        pool::create(machine, archiver, &device, to.pool()).await?;
    }
    // It must not take the new pool for the archiver's: that is the old one, which it lets go.
    archiver.query(&["udevadm", "settle"]).await?;
    archiver.query(&["systemctl", "stop", POOL]).await?;
    import(archiver, name, &to, &device, "readonly=off").await?;
    import(archiver, name, &from, &pool::device(archiver, old).await?, "readonly=on").await?;
    refuse_unsaved(archiver, &from).await?;
    copy_datasets(machine, archiver, &from, &to, since).await?;
    copy_properties(archiver, &from, &to).await?;
    for pool in [&to, &from] {
        archiver.query(&["zpool", "export", pool.pool()]).await?;
    }
    Ok(())
}

fn root(pool: &str) -> Result<DatasetName, Error> {
    DatasetName::try_from(pool.to_owned()).map_err(Error::Spec)
}

async fn is_imported(archiver: &Archiver, pool: &DatasetName) -> Result<bool, Error> {
    Ok(archiver.exit_code(&["zpool", "list", pool.pool()]).await? == 0)
}

/// Imports the pool on this device under a name of its own, and mounts nothing.
async fn import(
    archiver: &Archiver,
    name: &str,
    temporary: &DatasetName,
    device: &str,
    mode: &str,
) -> Result<(), Error> {
    if is_imported(archiver, temporary).await? {
        return Ok(());
    }
    // zpool(8) puts partitions on a whole disk, and the pool into the first.
    let partition = format!("{device}-part1");
    let is_partitioned = archiver.exit_code(&["test", "-e", &partition]).await? == 0;
    let device = if is_partitioned { &partition } else { device };
    let options = ["-N", "-t", "-o", "cachefile=none", "-o", mode, "-d", device];
    archiver
        .query(&[&["zpool", "import"], &options[..], &[name, temporary.pool()]].concat())
        .await
        .map(|_| ())
}

/// What is in no snapshot would not be copied.
async fn refuse_unsaved(archiver: &Archiver, from: &DatasetName) -> Result<(), Error> {
    let datasets = archiver.list(from, true).await?;
    let columns = ["-o", "name,written", "-t", "filesystem,volume"];
    let listed = archiver
        .query(&[&["zfs", "list", "-H", "-p", "-r"], &columns[..], &[from.as_str()]].concat())
        .await?;
    for line in listed.lines() {
        let (name, written) = line.split_once('\t').unwrap_or((line, "0"));
        let dataset = datasets.values().find(|dataset| dataset.name.as_str() == name);
        if dataset.is_some_and(|dataset| dataset.token.is_some()) {
            continue;
        }
        let allowed = if dataset.is_some_and(|dataset| dataset.newest().is_some()) { 0 } else { EMPTY };
        if written.parse::<u64>().unwrap_or(u64::MAX) > allowed {
            let reason = "it holds data that is in no snapshot".to_owned();
            return Err(Failure::NotCopied { dataset: name.to_owned(), reason }.into());
        }
    }
    Ok(())
}

async fn copy_datasets(
    machine: &Machine<'_>,
    archiver: &Archiver,
    from: &DatasetName,
    to: &DatasetName,
    since: Instant,
) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let mut jobs = jobs(archiver, from, to).await?;
        jobs.retain(Job::does_something);
        if jobs.is_empty() {
            return Ok(());
        }
        machine.note(since, &format!("copying {}", count(jobs.len(), "dataset")));
        for job in jobs {
            copy_dataset(archiver, &job).await?;
            machine.note(since, &format!("copied {}", job.source.name));
        }
    }
    Err(Failure::NotCopied { dataset: from.to_string(), reason: "it is never complete".to_owned() }.into())
}

/// What is missing on the new pool. The pools' own datasets hold others only.
async fn jobs(archiver: &Archiver, from: &DatasetName, to: &DatasetName) -> Result<Vec<Job>, Error> {
    let (mut source, mut target): (Datasets, Datasets) =
        (archiver.list(from, true).await?, archiver.list(to, true).await?);
    source.remove(from);
    target.remove(to);
    let jobs = schedule(&source, &target, from, to).map_err(Error::Spec)?;
    let refused = jobs.iter().find_map(|job| match &job.decision {
        Decision::Refused(refusal) => Some((job, refusal)),
        _ => None,
    });
    match refused {
        Some((job, refusal)) => {
            let (dataset, reason) = (job.source.name.to_string(), refusal.to_string());
            Err(Failure::NotCopied { dataset, reason }.into())
        }
        None => Ok(jobs),
    }
}

/// Copies a dataset by streams of one snapshot each. A host's streams decide what its copies are set to, so
/// properties are not sent along, and the new copies are as unmounted and read-only as those that a host makes.
async fn copy_dataset(archiver: &Archiver, job: &Job) -> Result<(), Error> {
    match &job.decision {
        Decision::Placeholder => {
            archiver.create_placeholder(&job.target, Make { passive: true, keyless: job.below_raw }).await
        }
        Decision::Resume { token } => {
            let receive = argv::receive(&job.target, job.source.kind, Make::default());
            archiver.pipe(&argv::resume(token), &receive, COPY).await
        }
        Decision::Send(streams) => {
            let raw = form::is_wanted(&job.source, Raw::Auto);
            let streams = single_steps(&job.source, streams);
            let receives =
                argv::receives(&job.target, job.source.kind, job.make(&streams, raw, false), streams.len());
            for (stream, receive) in streams.iter().zip(receives) {
                archiver.pipe(&argv::send(&job.source.name, stream, raw), &receive, COPY).await?;
            }
            Ok(())
        }
        Decision::NothingToSend | Decision::UpToDate(_) | Decision::Refused(_) => Ok(()),
    }
}

/// Sets on the new copies what was set on the old ones.
async fn copy_properties(archiver: &Archiver, from: &DatasetName, to: &DatasetName) -> Result<(), Error> {
    let old = archiver.tree(from, true).await?;
    let names: Vec<&DatasetName> = old.keys().filter(|name| *name != from).collect();
    for some in names.chunks(NAMES) {
        let listed = archiver.command(&argv::list_set_properties(some.iter().copied())).await?;
        for (name, assignments) in properties::moved(&listed) {
            let new = to.join(name.relative_to(from).unwrap_or_default()).map_err(Error::Spec)?;
            archiver.command(&argv::set_all(&new, &assignments)).await?;
        }
    }
    Ok(())
}
