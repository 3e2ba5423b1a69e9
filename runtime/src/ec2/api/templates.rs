//! Launch templates.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataEndpointState,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    LaunchTemplatePlacementRequest, LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData,
    ResourceType, ShutdownBehavior, Tag, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dormouse_generator::reach::ROOT_GIB;

use super::instances::HOPS;
use super::{Api, by_tags, convert, gone, incomplete, problem, tagged};
use crate::ec2::model::{Settings, Template};
use crate::ec2::problem::{Kind, Problem};

impl Api {
    /// The launch templates with these tags, the newest first.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn templates(&self, tags: &BTreeMap<String, String>) -> Result<Vec<Template>, Problem> {
        let call = self.client.describe_launch_templates().set_filters(Some(by_tags(tags)));
        let pages = call.into_paginator().items().send();
        let found: Vec<_> =
            pages.collect::<Result<_, _>>().await.map_err(problem("DescribeLaunchTemplates"))?;
        let mut templates: Vec<Template> = found.iter().filter_map(convert::template).collect();
        templates.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        Ok(templates)
    }

    /// Makes a launch template, and returns its id. Its name ends with the digest of its settings, so one of that name
    /// is the same: left by a set-up that was cut off, or made by a call that the SDK repeated.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn create_template(
        &self,
        name: &str,
        settings: &Settings,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Problem> {
        let call = self
            .client
            .create_launch_template()
            .launch_template_name(name)
            .launch_template_data(data(settings))
            .tag_specifications(tagged(ResourceType::LaunchTemplate, tags));
        let answer = call.send().await;
        match answer.map_err(problem("CreateLaunchTemplate")) {
            Err(problem) if problem.kind() == Kind::Duplicate => {
                let mut templates = self.templates(tags).await?.into_iter();
                templates.find(|template| template.name == name).map(|template| template.id).ok_or(problem)
            }
            answer => {
                let id = answer?.launch_template.and_then(|template| template.launch_template_id);
                id.ok_or_else(|| incomplete("CreateLaunchTemplate", "the template's id"))
            }
        }
    }

    /// Deletes a launch template; one that is gone is deleted. What was launched from it stays.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn delete_template(&self, id: &str) -> Result<(), Problem> {
        let answer = self.client.delete_launch_template().launch_template_id(id).send().await;
        gone(answer.map_err(problem("DeleteLaunchTemplate")))
    }
}

/// The same as a launch says itself. A template names the subnet at a network interface only.
fn data(settings: &Settings) -> RequestLaunchTemplateData {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_put_response_hop_limit(HOPS)
        .build();
    let root = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(ROOT_GIB)
        .volume_type(VolumeType::Gp3)
        .delete_on_termination(true)
        .build();
    let root = LaunchTemplateBlockDeviceMappingRequest::builder()
        .device_name(&settings.root_device)
        .ebs(root)
        .build();
    let network = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .subnet_id(&settings.subnet)
        .set_groups(Some(settings.security_groups.clone()))
        .build();
    let tags = settings.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(ResourceType::Instance)
        .set_tags(Some(tags.collect()))
        .build();
    RequestLaunchTemplateData::builder()
        .image_id(&settings.image)
        .instance_type(settings.instance_type.as_str().into())
        .placement(LaunchTemplatePlacementRequest::builder().availability_zone(&settings.zone).build())
        .network_interfaces(network)
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(metadata)
        .block_device_mappings(root)
        .user_data(STANDARD.encode(&settings.user_data))
        .tag_specifications(tags)
        .build()
}
