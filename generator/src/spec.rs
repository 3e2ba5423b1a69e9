//! The spec, `dormouse.json`: what its author wants, as types.
//!
//! The types say what a spec can hold; `validate` says which of those make sense.
//! Maps are ordered by name, so that the order of a file's keys never reaches an artifact.

mod replication;
mod report;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::name::{DatasetName, PoolName};

pub use replication::{OnConflict, Raw, Replication, StreamCompression};
pub use report::{Healthchecks, Honeycomb, Notify, Ntfy, Otlp, Ping, Prometheus, Report, Webhook};

/// A whole backup system: the hosts that are backed up and the archivers that keep the backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The format's version: 1.
    pub version: u32,
    /// Names this system in EC2 tags, keys and folders; lower-case letters, digits and hyphens.
    pub name: String,
    /// The administrator, who is root on EC2 archivers.
    #[serde(default, skip_serializing_if = "Admin::is_default")]
    pub admin: Admin,
    /// Archivers by name: the machines that hold the backups. `ssh <name>` reaches one.
    pub archivers: BTreeMap<String, Archiver>,
    /// Hosts by name: the machines that are backed up.
    pub hosts: BTreeMap<String, Host>,
}

/// The administrator of a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Generation of the administrator's key: one more gives a new one.
    #[serde(default = "one")]
    pub epoch: u32,
}

impl Default for Admin {
    fn default() -> Self {
        Self { epoch: one() }
    }
}

impl Admin {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A machine that keeps backups in its pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Archiver {
    /// Generation of its host key: one more gives it a new one.
    #[serde(default = "one")]
    pub epoch: u32,
    /// Where it runs.
    pub provider: Provider,
    /// Its EBS volume; for provider `ec2` only, and required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// The pool that holds the backups.
    pub pool: Pool,
    /// TCP port of its ssh server.
    #[serde(default = "ssh_port")]
    pub ssh_port: u16,
    /// Ciphers that ssh may use, the first choice first, as `ssh -Q cipher` names them; its own choice when
    /// absent. A cipher that both processors have instructions for is the fastest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_ciphers: Vec<String>,
    /// Whether ssh compresses what it carries: for slow lines and data that are neither compressed nor
    /// encrypted on the disk, since those are sent as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ssh_compression: bool,
    /// How long it stays awake without an ssh session and without a receive.
    #[serde(default = "linger")]
    pub linger: Duration,
    /// How long an instance lives at most, whatever it does.
    #[serde(default = "max_lifetime")]
    pub max_lifetime: Duration,
    /// How often its pool is scrubbed.
    #[serde(default)]
    pub scrub: Scrub,
    /// How many automatic snapshots of each class it keeps of each dataset; for provider `ec2` only.
    /// One more is let go only when it is also older than so many of the class's periods, so that no
    /// flood of new snapshots drives out the old ones. A class that is not named is kept whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
}

/// How many automatic snapshots of each class an archiver keeps of each dataset.
pub type Retention = BTreeMap<SnapshotClass, u32>;

impl Archiver {
    /// The dataset on which its root keeps the copies below unmounted and read-only, if it does.
    #[must_use]
    pub fn kept_dataset(&self) -> Option<&str> {
        match &self.provider {
            Provider::Ec2(_) => Some(self.pool.name.as_str()),
            Provider::Static(machine) => machine.dataset.as_ref().map(DatasetName::as_str),
        }
    }

    /// Whether its root decides how copies are mounted, so that hosts set nothing about that.
    #[must_use]
    pub fn owns_mounts(&self) -> bool {
        self.kept_dataset().is_some()
    }
}

/// Where an archiver runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Provider {
    /// An EC2 instance that lives only while it is needed.
    Ec2(Ec2),
    /// A machine that is always there, such as a NAS.
    Static(Static),
}

/// An EC2 instance that lives only while it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2 {
    /// AWS region, such as `us-west-2`.
    pub region: String,
    /// Availability zone of the volume and so of every instance, such as `us-west-2d`.
    pub availability_zone: String,
    /// EC2 instance type; its architecture chooses the image's.
    #[serde(default = "instance_type")]
    pub instance_type: String,
    /// What the instance boots.
    pub image: Image,
    /// Subnet; the zone's default subnet when absent.
    #[serde(default)]
    pub subnet_id: Option<String>,
    /// Security groups that exist; one is made when the list is empty.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Address ranges that ssh is let in from, such as `203.0.113.0/24`; when empty, the address
    /// that `dormouse up` is run from. Only for the security group that `up` makes.
    #[serde(default)]
    pub ssh_from: Vec<String>,
    /// How the instance is bought.
    #[serde(default)]
    pub market: Market,
}

/// A machine that is always there, such as a NAS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Static {
    /// Host name or IP address.
    pub address: String,
    /// User that receives over ssh.
    #[serde(default = "static_user")]
    pub user: String,
    /// Dataset above all targets on which its root keeps copies unmounted and read-only, such as
    /// `tank/dormouse`. Hosts then need no right to decide how copies are mounted. Without it each host sets
    /// these properties on its copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// Whether hosts' keys start only what Dormouse needs there, by the generated `gate`, which root installs as
    /// `/etc/dormouse/gate`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gate: bool,
    /// Public host key that the machine already has (`ssh-ed25519 AAAA…`); when absent, a
    /// derived host key is written to the secrets, to be installed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
}

/// What an EC2 instance boots: exactly one of `nixos` and `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// NixOS release whose newest public image is taken, such as `26.05`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nixos: Option<String>,
    /// An image that exists, `ami-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether `up` bakes an image of its own, so that a wake needs no rebuild.
    #[serde(default = "yes")]
    pub bake: bool,
}

/// How an EC2 instance is bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Market {
    /// At the listed price.
    #[default]
    OnDemand,
    /// From spare capacity, with a fall-back to on-demand.
    Spot,
}

/// An EBS volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// EBS volume type.
    #[serde(rename = "type", default)]
    pub kind: VolumeType,
    /// Size in GiB.
    pub size_gib: u32,
    /// Whether EBS encrypts it.
    #[serde(default = "yes")]
    pub encrypted: bool,
}

/// EBS volume types that suit backups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VolumeType {
    /// Cold HDD: cheapest, 125 to 16,384 GiB.
    #[default]
    Sc1,
    /// Throughput-optimised HDD, 125 to 16,384 GiB.
    St1,
    /// General purpose SSD, 1 to 65,536 GiB.
    Gp3,
}

/// The pool of an archiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The pool's name.
    pub name: PoolName,
    /// Power of two of the smallest write, 9 to 16; used only when the pool is made.
    #[serde(default = "ashift")]
    pub ashift: u8,
}

/// How often a pool is scrubbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scrub {
    /// Never.
    Never,
    /// Each week.
    Weekly,
    /// Each month.
    #[default]
    Monthly,
}

/// A machine that is backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Generation of its identity key: one more gives it a new one.
    #[serde(default = "one")]
    pub epoch: u32,
    /// Folder on the host that holds its secrets, an absolute path or one that begins with `~/`;
    /// `~/.local/state/dormouse/<spec name>/secrets` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets_dir: Option<String>,
    /// How many automatic snapshots of each class are kept.
    #[serde(default)]
    pub snapshots: Snapshots,
    /// Replications by name.
    #[serde(default)]
    pub replications: BTreeMap<String, Replication>,
    /// Who hears of runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// How many automatic snapshots of each class are kept on the host
/// (the option names and defaults of NixOS' `services.zfs.autoSnapshot`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshots {
    /// Every 15 minutes.
    pub frequent: u32,
    /// Every hour.
    pub hourly: u32,
    /// Every day.
    pub daily: u32,
    /// Every week.
    pub weekly: u32,
    /// Every month.
    pub monthly: u32,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { frequent: 4, hourly: 24, daily: 7, weekly: 4, monthly: 12 }
    }
}

/// A class of automatic snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotClass {
    /// Every 15 minutes.
    Frequent,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
}

impl SnapshotClass {
    /// All classes, the most frequent first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![Self::Frequent, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly]
    }

    /// Its name in the spec, and in the names that zfs-auto-snapshot gives.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frequent => "frequent",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The time between two of its snapshots at the most, in seconds.
    #[must_use]
    pub const fn period(self) -> u32 {
        match self {
            Self::Frequent => 900,
            Self::Hourly => 3_600,
            Self::Daily => 86_400,
            Self::Weekly => 7 * 86_400,
            Self::Monthly => 31 * 86_400,
        }
    }
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

const fn ssh_port() -> u16 {
    22
}

const fn ashift() -> u8 {
    12
}

const fn linger() -> Duration {
    Duration::from_secs(120)
}

const fn max_lifetime() -> Duration {
    Duration::from_secs(86_400)
}

fn instance_type() -> String {
    "t4g.small".to_owned()
}

fn static_user() -> String {
    "dormouse".to_owned()
}
