//! What EC2 has, as plain values.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Tag that says what a thing is for, where it is not what the archiver lives on.
pub const PURPOSE: &str = "dormouse:purpose";

/// Its value for an instance that makes an image; no wake may take it for the archiver.
pub const BAKE: &str = "bake";

/// Its value for a volume that a smaller one has replaced.
pub const RETIRED: &str = "retired";

/// States of an instance (EC2 API, `InstanceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// It boots; nothing can be attached yet.
    Pending,
    /// It runs, or at least its hardware does.
    Running,
    /// It is on its way to its end.
    ShuttingDown,
    /// It is gone; listed for about an hour.
    Terminated,
    /// It is on its way to a stop, which keeps its root volume.
    Stopping,
    /// It is stopped.
    Stopped,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Its state.
    pub state: InstanceState,
    /// Its public address.
    pub address: Option<String>,
    /// When it was launched, in seconds since 1970.
    pub launched: i64,
    /// Its image.
    pub image: String,
    /// Why it ended, in EC2's words.
    pub reason: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// Whether it runs or is about to.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, InstanceState::Pending | InstanceState::Running)
    }

    /// Whether it no longer costs anything.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state == InstanceState::Terminated
    }
}

/// Where a volume is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The instance.
    pub instance: String,
    /// Whether it is in force, not only under way in either direction.
    pub attached: bool,
    /// Whether the volume would die with the instance.
    pub delete_on_termination: bool,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// Whether it can be attached now.
    pub available: bool,
    /// Its state in EC2's word.
    pub state: String,
    /// Its size in GiB.
    pub size_gib: u32,
    /// Its type in EC2's word, such as `sc1`.
    pub kind: String,
    /// Its availability zone.
    pub zone: String,
    /// Whether EBS encrypts it.
    pub encrypted: bool,
    /// Where it is attached.
    pub attachment: Option<Attachment>,
    /// Whether a smaller one has replaced it.
    pub retired: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `sg-…`.
    pub id: String,
    /// The single TCP ports that it opens, each with a range of addresses.
    pub lets_in: Vec<(u16, String)>,
}

/// A machine image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether instances can be launched from it.
    pub available: bool,
    /// Whether making it failed, with EC2's words.
    pub failed: Option<String>,
    /// When it was made, in ISO 8601, which orders as text.
    pub created: String,
    /// Its EBS snapshots.
    pub snapshots: Vec<String>,
    /// The device name of its root volume, such as `/dev/xvda`.
    pub root_device: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// How an instance type is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// A change of a volume's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Modification {
    /// The new size is not there yet.
    Modifying,
    /// The new size can be used; performance is not final.
    Optimizing,
    /// Done.
    Completed,
    /// It failed, with EC2's words.
    Failed(String),
}

/// A launch template: what hosts launch, which they can neither read nor change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `lt-…`.
    pub id: String,
    /// Its name, which ends with the digest of its settings.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Template {
    /// How long ago it was made; a clock that is behind makes it new.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(self.created.try_into().unwrap_or(0));
        now.duration_since(created).unwrap_or_default()
    }
}

/// What an instance is like.
#[derive(Clone, Serialize)]
pub struct Settings {
    /// The image.
    pub image: String,
    /// The device name of its root volume.
    pub root_device: String,
    /// The instance type.
    pub instance_type: String,
    /// The availability zone.
    pub zone: String,
    /// The subnet.
    pub subnet: String,
    /// The security groups.
    pub security_groups: Vec<String>,
    /// User data; it holds the host key, so it is never printed.
    pub user_data: Vec<u8>,
    /// Tags, set by the launching call itself.
    pub tags: BTreeMap<String, String>,
}

impl Settings {
    /// A digest of all of it, in 16 hexadecimal digits.
    ///
    /// # Errors
    /// None in a program that was tested.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        let digest = Sha256::digest(serde_json::to_vec(self)?);
        Ok(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What is launched.
#[derive(Clone)]
pub enum Of {
    /// What a launch template says.
    Template(String),
    /// What is said here, which takes the administrator's permissions.
    Settings(Box<Settings>),
}

/// One launch.
#[derive(Clone)]
pub struct Launch {
    /// Of what.
    pub of: Of,
    /// Whether from spare capacity. No template says it: a launch could not take it back then, when there is none.
    pub spot: bool,
    /// Makes a repeated call mean the same instance (EC2 API, "Ensuring idempotency").
    pub client_token: String,
}

/// What a volume is made with.
#[derive(Clone, Debug)]
pub struct NewVolume {
    /// The availability zone.
    pub zone: String,
    /// The type in EC2's word.
    pub kind: String,
    /// The size in GiB.
    pub size_gib: u32,
    /// Whether EBS encrypts it.
    pub encrypted: bool,
    /// Makes a repeated call mean the same volume.
    pub client_token: String,
    /// Tags, set by the creating call itself.
    pub tags: BTreeMap<String, String>,
}
