//! Instances.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    self, BlockDeviceMapping, EbsBlockDevice, HttpTokensState, InstanceInterruptionBehavior,
    InstanceMarketOptionsRequest, InstanceMetadataEndpointState, InstanceMetadataOptionsRequest,
    LaunchTemplateSpecification, MarketType, Placement, ResourceType, ShutdownBehavior, SpotMarketOptions,
    VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dormouse_generator::reach::ROOT_GIB;

use super::{Api, by_tags, convert, filter, gone, incomplete, problem, tagged};
use crate::ec2::model::{Instance, InstanceType, Launch, Of, Settings};
use crate::ec2::problem::{Kind, Problem};

/// How far the metadata service's answers go: to the instance itself, not to what it routes for.
pub(super) const HOPS: i32 = 1;

impl Api {
    /// The instances with these tags, those that ended lately included.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn instances(&self, tags: &BTreeMap<String, String>) -> Result<Vec<Instance>, Problem> {
        let call = self.client.describe_instances().set_filters(Some(by_tags(tags)));
        let pages = call.into_paginator().items().send();
        let reservations: Vec<_> =
            pages.collect::<Result<_, _>>().await.map_err(problem("DescribeInstances"))?;
        Ok(reservations
            .iter()
            .flat_map(types::Reservation::instances)
            .filter_map(convert::instance)
            .collect())
    }

    /// One instance; none while EC2 does not show it yet, or no longer.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, Problem> {
        let answer = self.client.describe_instances().instance_ids(id).send().await;
        match answer.map_err(problem("DescribeInstances")) {
            Err(problem) if problem.kind() == Kind::NotFound => Ok(None),
            Err(problem) => Err(problem),
            Ok(answer) => {
                let mut instances = answer.reservations().iter().flat_map(types::Reservation::instances);
                Ok(instances.find_map(convert::instance))
            }
        }
    }

    /// Launches an instance. It terminates itself when it powers off, its metadata service asks
    /// for a session token (IMDSv2), and its root volume goes with it.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn launch(&self, launch: &Launch) -> Result<Instance, Problem> {
        let answer = self.launch_call(launch).send().await.map_err(problem("RunInstances"))?;
        answer
            .instances()
            .iter()
            .find_map(convert::instance)
            .ok_or_else(|| incomplete("RunInstances", "an instance"))
    }

    pub(super) fn launch_call(&self, launch: &Launch) -> RunInstancesFluentBuilder {
        let call = self
            .client
            .run_instances()
            .min_count(1)
            .max_count(1)
            .set_instance_market_options(launch.spot.then(spot))
            .client_token(&launch.client_token);
        match &launch.of {
            Of::Template(id) => {
                call.launch_template(LaunchTemplateSpecification::builder().launch_template_id(id).build())
            }
            Of::Settings(settings) => with(call, settings),
        }
    }

    /// Ends an instance. Doing so again is no error; one that is gone is ended.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn terminate(&self, id: &str) -> Result<(), Problem> {
        let answer = self.client.terminate_instances().instance_ids(id).send().await;
        gone(answer.map_err(problem("TerminateInstances")))
    }

    /// How an instance type is built.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn instance_type(&self, name: &str) -> Result<InstanceType, Problem> {
        let answer = self.client.describe_instance_types().instance_types(name.into()).send().await;
        let answer = answer.map_err(problem("DescribeInstanceTypes"))?;
        let lacking = |what| incomplete("DescribeInstanceTypes", what);
        let found = answer.instance_types().first().ok_or_else(|| lacking("the type"))?;
        let architectures =
            found.processor_info().map(types::ProcessorInfo::supported_architectures).unwrap_or_default();
        // i386 stands beside x86_64 for types that still have it.
        let architecture = architectures
            .iter()
            .map(|known| known.as_str())
            .find(|known| matches!(*known, "x86_64" | "arm64"));
        let memory = found
            .memory_info()
            .and_then(|memory| memory.size_in_mib)
            .and_then(|size| u64::try_from(size).ok());
        Ok(InstanceType {
            architecture: architecture.ok_or_else(|| lacking("an architecture"))?.to_owned(),
            memory_mib: memory.unwrap_or(0),
        })
    }

    /// The instance that a launch with this client token made, if EC2 shows it already.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn launched_with(&self, client_token: &str) -> Result<Option<Instance>, Problem> {
        let call = self.client.describe_instances().filters(filter("client-token", &[client_token]));
        let answer = call.send().await.map_err(problem("DescribeInstances"))?;
        Ok(answer.reservations().iter().flat_map(types::Reservation::instances).find_map(convert::instance))
    }
}

/// Says in the call itself what the instance is like.
fn with(call: RunInstancesFluentBuilder, settings: &Settings) -> RunInstancesFluentBuilder {
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_put_response_hop_limit(HOPS)
        .build();
    let root = EbsBlockDevice::builder()
        .volume_size(ROOT_GIB)
        .volume_type(VolumeType::Gp3)
        .delete_on_termination(true);
    let root = BlockDeviceMapping::builder().device_name(&settings.root_device).ebs(root.build()).build();
    call.image_id(&settings.image)
        .instance_type(settings.instance_type.as_str().into())
        .placement(Placement::builder().availability_zone(&settings.zone).build())
        .subnet_id(&settings.subnet)
        .set_security_group_ids(Some(settings.security_groups.clone()))
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(metadata)
        .block_device_mappings(root)
        .user_data(STANDARD.encode(&settings.user_data))
        .tag_specifications(tagged(ResourceType::Instance, &settings.tags))
}

/// From spare capacity, once, ended when it is taken back.
fn spot() -> InstanceMarketOptionsRequest {
    let options =
        SpotMarketOptions::builder().instance_interruption_behavior(InstanceInterruptionBehavior::Terminate);
    InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(options.build())
        .build()
}
