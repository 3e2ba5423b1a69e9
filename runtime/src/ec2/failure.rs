//! What can go wrong with an archiver on EC2, with what to do about it.

use super::problem::Problem;
use crate::error::Exit;
use crate::output::count;

/// Why an archiver on EC2 is not in the state that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// EC2 refused a call.
    #[error(transparent)]
    Call(#[from] Problem),
    /// EC2's answer to a launch was lost.
    #[error("EC2 did not say whether it launched an instance for archiver {archiver:?}: {problem}")]
    LaunchUnanswered {
        /// The archiver.
        archiver: String,
        /// The failed call.
        problem: Problem,
    },
    /// There is no volume with the archiver's tags.
    #[error("archiver {archiver:?} has no volume")]
    NoVolume {
        /// The archiver.
        archiver: String,
    },
    /// There is no image to launch.
    #[error("there is no image {what} for archiver {archiver:?}")]
    NoImage {
        /// The archiver.
        archiver: String,
        /// Which image.
        what: String,
        /// What to do.
        help: String,
    },
    /// There is no launch template with the archiver's tags.
    #[error("archiver {archiver:?} has no launch template to start it from")]
    NoTemplate {
        /// The archiver.
        archiver: String,
    },
    /// IAM does not allow what a set-up needs.
    #[error("EC2 does not allow these credentials to set up archiver {archiver:?}: they lack {} (UnauthorizedOperation)", lacking(.actions))]
    NotAllowed {
        /// The archiver.
        archiver: String,
        /// The calls, by their names in IAM.
        actions: Vec<&'static str>,
    },
    /// The zone has no default subnet.
    #[error("zone {zone} of archiver {archiver:?} has no default subnet")]
    NoSubnet {
        /// The archiver.
        archiver: String,
        /// The availability zone.
        zone: String,
    },
    /// There is no security group with the archiver's tags.
    #[error("archiver {archiver:?} has no security group")]
    NoGroup {
        /// The archiver.
        archiver: String,
    },
    /// The instance has no address that we can reach.
    #[error("instance {instance} of archiver {archiver:?} has no public address")]
    NoAddress {
        /// The archiver.
        archiver: String,
        /// The instance.
        instance: String,
    },
    /// The volume is in an instance that is not the archiver's.
    #[error(
        "volume {volume} of archiver {archiver:?} is attached to {instance}, which is not the archiver's"
    )]
    VolumeElsewhere {
        /// The archiver.
        archiver: String,
        /// The volume.
        volume: String,
        /// The instance that has it.
        instance: String,
    },
    /// The volume lies in another zone than the spec says.
    #[error("volume {volume} lies in {zone}, and the spec says {wanted}")]
    VolumeZone {
        /// The volume.
        volume: String,
        /// Its zone.
        zone: String,
        /// The spec's zone.
        wanted: String,
    },
    /// The volume would be deleted with its instance.
    #[error("volume {volume} is attached to {instance} in a way that deletes it when the instance ends")]
    VolumeWouldGo {
        /// The volume.
        volume: String,
        /// The instance.
        instance: String,
    },
    /// The caller's address is not known.
    #[error("{url} does not tell this computer's public address: {detail}")]
    NoCaller {
        /// Who was asked.
        url: String,
        /// What came of it.
        detail: String,
    },
    /// The spec asks for a smaller volume than there is.
    #[error(
        "volume {volume} of archiver {archiver:?} has {size} GiB, and the spec says {wanted}: EBS cannot shrink one"
    )]
    VolumeShrinks {
        /// The archiver.
        archiver: String,
        /// The volume.
        volume: String,
        /// Its size in GiB.
        size: u32,
        /// The spec's size in GiB.
        wanted: u32,
    },
    /// Others use the archiver.
    #[error("archiver {archiver:?} is in use: {}", count(*.sessions, "other session"))]
    InUse {
        /// The archiver.
        archiver: String,
        /// How many sessions there are.
        sessions: usize,
    },
    /// A dataset could not be copied to the smaller volume.
    #[error("{dataset} cannot be copied to the smaller volume: {reason}")]
    NotCopied {
        /// The dataset, in the old pool under its name while copying.
        dataset: String,
        /// Why.
        reason: String,
    },
    /// EBS could not grow the volume.
    #[error("EBS could not grow {volume}: {reason}")]
    NotGrown {
        /// The volume.
        volume: String,
        /// EBS' reason.
        reason: String,
    },
    /// The volume holds something, and that is not the pool.
    #[error("volume {volume} is not blank, and pool {pool} cannot be imported from it: {detail}")]
    NotBlank {
        /// The volume.
        volume: String,
        /// The pool.
        pool: String,
        /// What zfs said.
        detail: String,
    },
    /// An archiver is awake, and its volume brings no pool of that name.
    #[error("archiver {archiver:?} is awake, and no pool {pool:?} is on its volume after {seconds} s")]
    NotSetUp {
        /// The archiver.
        archiver: String,
        /// The pool.
        pool: String,
        /// How long it was looked for.
        seconds: u64,
    },
    /// The public image could not become the configuration.
    #[error("the image of archiver {archiver:?} could not be rebuilt:\n{log}")]
    NotRebuilt {
        /// The archiver.
        archiver: String,
        /// The end of the rebuild's log.
        log: String,
    },
    /// EC2 could not make the image.
    #[error("EC2 could not make image {image}: {reason}")]
    NoBake {
        /// The image.
        image: String,
        /// EC2's reason.
        reason: String,
    },
    /// Something is there that should be gone.
    #[error("of archiver {archiver:?} there still is: {}", .ids.join(", "))]
    LeftOver {
        /// The archiver.
        archiver: String,
        /// What is there.
        ids: Vec<String>,
    },
    /// Something takes too long.
    #[error("{what} {state} after {seconds} s")]
    Stuck {
        /// The instance, volume or image.
        what: String,
        /// What it is not.
        state: &'static str,
        /// How long it was given.
        seconds: u64,
    },
    /// The instance ended before it was of use.
    #[error("instance {instance} ended by itself{}", because(.reason))]
    Ended {
        /// The instance.
        instance: String,
        /// EC2's reason, perhaps empty.
        reason: String,
    },
    /// An instance runs, and does not say whether somebody uses it.
    #[error(
        "instance {instance} of archiver {archiver:?} runs, and cannot be asked whether somebody uses it: {detail}"
    )]
    NotAsked {
        /// The archiver.
        archiver: String,
        /// The instance.
        instance: String,
        /// The region.
        region: String,
        /// Why it cannot be asked.
        detail: String,
    },
    /// An instance may still run and cost money.
    #[error("instance {instance} in {region} may still be running: {detail}")]
    MayStillRun {
        /// The instance.
        instance: String,
        /// The region.
        region: String,
        /// Why that is not known.
        detail: String,
    },
}

fn lacking(actions: &[&str]) -> String {
    actions.iter().map(|action| format!("ec2:{action}")).collect::<Vec<_>>().join(", ")
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl Failure {
    /// The exit code that tells a caller what kind of end this is.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::MayStillRun { .. } | Self::LaunchUnanswered { .. } | Self::NotAsked { .. } => {
                Exit::StillRunning
            }
            Self::Call(_)
            | Self::NoVolume { .. }
            | Self::NoImage { .. }
            | Self::NoGroup { .. }
            | Self::NoTemplate { .. }
            | Self::NoSubnet { .. }
            | Self::NotAllowed { .. }
            | Self::NoAddress { .. }
            | Self::VolumeElsewhere { .. }
            | Self::VolumeZone { .. }
            | Self::VolumeWouldGo { .. }
            | Self::NoCaller { .. }
            | Self::VolumeShrinks { .. }
            | Self::InUse { .. }
            | Self::NotCopied { .. }
            | Self::NotGrown { .. }
            | Self::NotBlank { .. }
            | Self::NotSetUp { .. }
            | Self::NotRebuilt { .. }
            | Self::NoBake { .. }
            | Self::LeftOver { .. }
            | Self::Stuck { .. }
            | Self::Ended { .. } => Exit::Failed,
        }
    }

    /// What to do next; whether the data is safe, where that may be in doubt.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Call(problem) => problem.help(),
            Self::LaunchUnanswered { archiver, .. } => format!(
                "`dormouse sleep {archiver}` finds what was launched and ends it; repeating the command takes the same \
                 instance, not a second one"
            ),
            Self::NoVolume { archiver } | Self::NoGroup { archiver } | Self::NoTemplate { archiver } => {
                format!("run `dormouse up {archiver}` with the administrator's keys and credentials")
            }
            Self::NotAllowed { archiver, .. } => format!(
                "nothing was changed; give them the generated policy: `aws iam put-user-policy --user-name … \
                 --policy-name dormouse-{archiver} --policy-document file://generated/archivers/{archiver}/iam-policy.json`, \
                 and iam-policy-host.json beside it to each host's user"
            ),
            Self::NoSubnet { zone, .. } => format!(
                "nothing was changed; name a `subnet_id` in the spec, or \
                 `aws ec2 create-default-subnet --availability-zone {zone}`"
            ),
            Self::NoImage { help, .. } => help.clone(),
            Self::NoAddress { .. } => "nothing was sent; let the subnet assign public addresses: \
                `aws ec2 modify-subnet-attribute --map-public-ip-on-launch --subnet-id …`"
                .to_owned(),
            Self::VolumeElsewhere { volume, .. } => format!(
                "nothing was changed; see what uses it there, then `aws ec2 detach-volume --volume-id {volume}`"
            ),
            Self::VolumeZone { zone, .. } => {
                format!(
                    "nothing was changed; a volume cannot leave its zone: set `availability_zone` to {zone:?}"
                )
            }
            Self::VolumeWouldGo { instance, .. } => format!(
                "nothing was changed; keep it: `aws ec2 modify-instance-attribute --instance-id {instance} \
                 --block-device-mappings …` with DeleteOnTermination=false"
            ),
            Self::NoCaller { .. } => {
                "nothing was changed; set `ssh_from` in the spec to the ranges that ssh is to be let in from"
                    .to_owned()
            }
            Self::VolumeShrinks { archiver, size, wanted, .. } => format!(
                "nothing was changed; set `size_gib` to {size}, or `dormouse up --migrate {archiver}`: it copies everything \
                 to a new volume of {wanted} GiB, which takes this one's place"
            ),
            Self::InUse { archiver, .. } => {
                format!(
                    "nothing was changed; wait for them, then run `dormouse up --migrate {archiver}` again"
                )
            }
            Self::NotCopied { .. } => {
                "the old volume is in use as before, and nothing on it was changed; put the data \
                into a snapshot (`zfs snapshot`) or destroy it, then run the same command again"
                    .to_owned()
            }
            Self::NotGrown { .. } => {
                "the volume and its data are as they were; run `dormouse up` again".to_owned()
            }
            Self::NotBlank { .. } => {
                "nothing was changed, and nothing is ever formatted that is not blank; see what it \
                holds: `ssh -l root … blkid`"
                    .to_owned()
            }
            Self::NotSetUp { archiver, .. } => format!(
                "nothing was sent; a set-up that was cut off leaves it so, and `dormouse up {archiver}` finishes one: it \
                 makes the pool if the volume is blank, and changes nothing that is there"
            ),
            Self::NotRebuilt { .. } => {
                "nothing is kept of it; mend the configuration, then run `dormouse up` again".to_owned()
            }
            Self::NoBake { .. } => "nothing is kept of it; run `dormouse up` again".to_owned(),
            Self::LeftOver { archiver, .. } => format!("run it again: `dormouse down {archiver}`"),
            Self::Stuck { what, .. } => {
                format!("backups are intact; look at {what} in AWS' console, then run the same command again")
            }
            Self::Ended { instance, .. } => format!(
                "backups are intact; run the same command again. If it ends each time, its console says why: `aws ec2 \
                 get-console-output --instance-id {instance}`"
            ),
            Self::NotAsked { archiver, instance, region, .. } => format!(
                "it was left alone and ends by itself after `linger` or `max_lifetime`; to end it whoever uses it: \
                 `dormouse sleep --now {archiver}` or `aws ec2 terminate-instances --region {region} --instance-ids {instance}`"
            ),
            Self::MayStillRun { instance, region, .. } => format!(
                "backups are intact, but it costs money: `aws ec2 terminate-instances --region {region} \
                 --instance-ids {instance}`; it also ends by itself after `linger` or `max_lifetime`"
            ),
        }
    }
}
