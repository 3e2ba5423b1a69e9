//! What a person can do about a dataset that did not arrive: whether the data is safe, then one
//! command.

use dormouse_generator::reach;

use super::stop::Stop;
use super::stream::Broken;
use crate::ssh::Endpoint;
use crate::zfs::Dataset;
use crate::zfs::plan::Refusal;
use crate::zfs::schedule::Job;
use crate::zfs::stderr::Meaning;

/// The rights that a receiving user needs, as `zfs allow` names them: `create` and `mount` for
/// any receive (zfs-allow(8)), the properties for the options that we set, the last one for
/// `dormouse restore`.
const RIGHTS: &str = "create,mount,receive,canmount,mountpoint,readonly,volmode,userprop,send";

/// Whether no later run can mend it by itself.
#[must_use]
pub fn needs_a_person(stop: &Stop) -> bool {
    let conflicts = [Meaning::TargetModified, Meaning::BaseMismatch, Meaning::Exists, Meaning::IvsetMismatch];
    match stop {
        Stop::Refused(_) => true,
        Stop::Broken(Broken::Receive { meaning, .. }) => {
            meaning.is_some_and(|meaning| conflicts.contains(&meaning))
        }
        Stop::Broken(_) | Stop::Failed(_) | Stop::StillPartial => false,
    }
}

/// What to do next.
#[must_use]
pub fn help(stop: &Stop, job: &Job, endpoint: &Endpoint) -> String {
    match stop {
        Stop::Refused(refusal) => refused(refusal, job),
        Stop::Failed(error) => error.help(),
        Stop::StillPartial => {
            let target = &job.target;
            format!("nothing is lost; to give the partial data up: `zfs receive -A {target}` on the archiver")
        }
        Stop::Broken(Broken::Send { .. }) => {
            format!(
                "what was received is kept; look at `zfs list -t all {}`, then run it again",
                job.source.name
            )
        }
        Stop::Broken(Broken::Connection(_) | Broken::Stalled(_)) => {
            "what was received is kept; run it again to resume".to_owned()
        }
        Stop::Broken(Broken::Filter { .. }) => {
            "what was received is kept; without zstd: `\"stream_compression\": \"none\"` in the spec"
                .to_owned()
        }
        Stop::Broken(Broken::Foreign(_)) => "nothing was changed".to_owned(),
        Stop::Broken(Broken::Setup(error)) => error.help(),
        Stop::Broken(Broken::Receive { meaning, .. }) => receive(*meaning, job, endpoint),
    }
}

fn refused(refusal: &Refusal, job: &Job) -> String {
    let target = &job.target;
    match refusal {
        Refusal::TargetOccupied => {
            format!(
                "nothing was changed; to keep it and start a copy: `zfs rename {target} {target}.aside` on the archiver"
            )
        }
        Refusal::Renamed { from } => format!(
            "nothing was changed; to go on with its copy: `zfs rename {from} {target}` on the archiver"
        ),
        Refusal::NoCommonSnapshot { .. } => format!(
            "nothing was changed, both sides are intact; to keep the old copy and start a new one: \
             `zfs rename {target} {target}.aside` on the archiver"
        ),
        Refusal::PlainCopy => format!(
            "nothing was sent; for a new copy, which costs a full send and the room of both: `zfs rename {target} \
             {target}.aside` on the archiver; to go on with this one, where the archiver reads all that is sent: \
             `raw: \"never\"` in the spec"
        ),
        Refusal::NameTooLong { name, .. } => format!(
            "nothing was changed; give it a shorter name (`zfs rename {source}@{name} …`), or leave it out: \
             `exclude_snapshot_names` in the spec",
            source = job.source.name
        ),
        Refusal::NameTaken { name, .. } => format!(
            "nothing was changed, both sides are intact; to keep both: \
             `zfs rename {target}@{name} {target}@{name}.aside` on the archiver"
        ),
    }
}

/// The copy has something that the host does not know: data after its newest snapshot, or
/// snapshots of its own. Only the former can be discarded without losing a snapshot.
fn modified(job: &Job) -> String {
    let target = &job.target;
    let newest = job.copy.as_ref().and_then(Dataset::newest);
    match newest.filter(|newest| job.source.snapshot(newest.guid).is_some()) {
        Some(newest) => format!(
            "nothing was changed, both sides are intact; something was written there after @{name}: \
             `zfs rollback {target}@{name}` on the archiver discards it",
            name = newest.name
        ),
        None => format!(
            "nothing was changed, both sides are intact; the copy has snapshots that the host does not have; to keep \
             them and start a new copy: `zfs rename {target} {target}.aside` on the archiver"
        ),
    }
}

fn receive(meaning: Option<Meaning>, job: &Job, endpoint: &Endpoint) -> String {
    let target = &job.target;
    match meaning {
        Some(Meaning::TargetModified | Meaning::BaseMismatch) => modified(job),
        Some(Meaning::Exists) => {
            format!("nothing was changed; look at `zfs list -t all {target}` on the archiver")
        }
        Some(Meaning::IvsetMismatch) => format!(
            "nothing was changed; the copy once got a plain stream, on which raw ones cannot build; to keep it and \
             start a new copy: `zfs rename {target} {target}.aside` on the archiver"
        ),
        Some(Meaning::KeyNotLoaded) => {
            let parent = target.parent().unwrap_or_else(|| target.clone());
            format!("nothing was changed; on the archiver, where its key may be: `zfs load-key -r {parent}`")
        }
        Some(Meaning::NoSpace) => {
            format!(
                "what was received is kept; make room: `zfs list -o space -r {}` on the archiver",
                target.pool()
            )
        }
        Some(Meaning::Quota) => format!(
            "what was received is kept; a quota limits it, and not the pool: `zfs get -r quota,refquota {}` on the \
             archiver shows whose; raise that, then run it again",
            target.pool()
        ),
        Some(Meaning::PermissionDenied) => {
            let parent = target.parent().unwrap_or_else(|| target.clone());
            let rights = if endpoint.kept.is_some() { reach::RIGHTS } else { RIGHTS };
            format!(
                "nothing was changed; as root on the archiver: `zfs allow -u {} {rights} {parent}`",
                endpoint.user
            )
        }
        Some(Meaning::Busy) => {
            format!(
                "nothing was changed; see who uses it: `zfs holds -r {target}` on the archiver, then run it again"
            )
        }
        Some(Meaning::PoolSuspended) => {
            format!("look at the disk: `zpool status {}` on the archiver", target.pool())
        }
        Some(Meaning::PoolTooOld) => format!(
            "nothing was changed; as root on the archiver: `zpool upgrade {}` enables the features that it lacks (an older \
             ZFS cannot import it afterwards)",
            target.pool()
        ),
        Some(Meaning::PoolReadOnly) => format!(
            "nothing was changed; as root on the archiver: `zpool export {pool} && zpool import -N {pool}`",
            pool = target.pool()
        ),
        Some(Meaning::NoSuchDataset) => {
            "nothing was changed; see what keeps the dataset above it from arriving, then run it again"
                .to_owned()
        }
        Some(Meaning::CommandMissing) => {
            format!("nothing was changed; put zfs on the PATH of user {} on the archiver", endpoint.user)
        }
        Some(Meaning::Unfit) => format!(
            "what was received is kept; run it again; if that ends so too, ZFS is too old there, or the partial data are \
             of no use: `zfs receive -A {target}` on the archiver gives them up, and nothing else"
        ),
        Some(Meaning::RestoreRunning) => {
            "nothing was changed; a restore of this host is running, and the next run sends it".to_owned()
        }
        Some(
            Meaning::StreamCut
            | Meaning::BackupRunning
            | Meaning::HostKeyMismatch
            | Meaning::IdentityRefused
            | Meaning::Unreachable
            | Meaning::NoBookmarks,
        )
        | None => "what was received is kept; run it again".to_owned(),
    }
}
