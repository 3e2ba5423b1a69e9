//! Whether a call would be allowed, without doing it (EC2 API, "Common parameters", `DryRun`).

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData, ResourceType};

use super::{Api, problem, tagged};
use crate::ec2::model::Launch;
use crate::ec2::problem::Problem;

/// What EC2 says to an allowed call that was only asked about.
const ALLOWED: &str = "DryRunOperation";

/// Something to be allowed.
#[derive(Clone)]
pub enum Permission {
    /// Launching an instance.
    Launch(Box<Launch>),
    /// Making a launch template.
    CreateTemplate,
    /// Making a volume in this zone.
    CreateVolume(String),
    /// Making a security group.
    CreateGroup,
    /// Attaching this volume to this instance.
    Attach(String, String),
    /// Ending this instance.
    Terminate(String),
}

impl Permission {
    /// The call, by its name in IAM.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Launch(_) => "RunInstances",
            Self::CreateTemplate => "CreateLaunchTemplate",
            Self::CreateVolume(_) => "CreateVolume",
            Self::CreateGroup => "CreateSecurityGroup",
            Self::Attach(..) => "AttachVolume",
            Self::Terminate(_) => "TerminateInstances",
        }
    }
}

impl Api {
    /// Asks whether a call would be allowed, with the tags of its archiver.
    ///
    /// # Errors
    /// [`Problem`] when it would not, or it cannot be told.
    pub async fn may(&self, permission: &Permission, tags: &BTreeMap<String, String>) -> Result<(), Problem> {
        let client = &self.client;
        let failed = match permission {
            Permission::Launch(launch) => {
                let call = self.launch_call(launch).dry_run(true).send().await;
                call.err().map(problem("RunInstances"))
            }
            Permission::CreateTemplate => {
                let data = RequestLaunchTemplateData::builder().instance_type(InstanceType::T4gSmall).build();
                let call = client.create_launch_template().launch_template_name("dormouse-doctor");
                let call = call.launch_template_data(data).dry_run(true);
                let call = call.tag_specifications(tagged(ResourceType::LaunchTemplate, tags)).send().await;
                call.err().map(problem("CreateLaunchTemplate"))
            }
            Permission::CreateVolume(zone) => {
                let call = client.create_volume().availability_zone(zone).size(125).dry_run(true);
                let call = call.tag_specifications(tagged(ResourceType::Volume, tags)).send().await;
                call.err().map(problem("CreateVolume"))
            }
            Permission::CreateGroup => {
                let call = client.create_security_group().group_name("dormouse-doctor").description("none");
                let tags = tagged(ResourceType::SecurityGroup, tags);
                let call = call.tag_specifications(tags).dry_run(true).send().await;
                call.err().map(problem("CreateSecurityGroup"))
            }
            Permission::Attach(volume, instance) => {
                let call = client.attach_volume().volume_id(volume).instance_id(instance).device("/dev/sdf");
                call.dry_run(true).send().await.err().map(problem("AttachVolume"))
            }
            Permission::Terminate(instance) => {
                let call = client.terminate_instances().instance_ids(instance).dry_run(true).send().await;
                call.err().map(problem("TerminateInstances"))
            }
        };
        match failed {
            Some(problem) if problem.code.as_deref() == Some(ALLOWED) => Ok(()),
            Some(problem) => Err(problem),
            None => {
                let message = "EC2 did it although it was only asked whether it would".to_owned();
                Err(Problem { action: permission.action(), code: None, message })
            }
        }
    }
}
