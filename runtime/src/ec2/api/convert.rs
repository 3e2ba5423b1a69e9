//! The SDK's values to ours.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    self, InstanceStateName, Tag, VolumeAttachmentState, VolumeModificationState, VolumeState,
};

use crate::ec2::model::{
    Attachment, Group, Image, Instance, InstanceState, Modification, PURPOSE, RETIRED, Template, Volume,
};

pub fn tags(tags: Option<&[Tag]>) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.unwrap_or_default().iter().filter_map(pair).collect()
}

pub fn instance(instance: &types::Instance) -> Option<Instance> {
    let state = match instance.state()?.name()? {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    };
    Some(Instance {
        id: instance.instance_id.clone()?,
        state,
        address: instance.public_ip_address.clone().filter(|address| !address.is_empty()),
        launched: instance.launch_time.map_or(0, |time| time.secs()),
        image: instance.image_id.clone().unwrap_or_default(),
        reason: instance.state_reason().and_then(|reason| reason.message.clone()),
        tags: tags(instance.tags.as_deref()),
    })
}

pub fn template(template: &types::LaunchTemplate) -> Option<Template> {
    Some(Template {
        id: template.launch_template_id.clone()?,
        name: template.launch_template_name.clone()?,
        created: template.create_time.map_or(0, |time| time.secs()),
        tags: tags(template.tags.as_deref()),
    })
}

pub fn volume(volume: &types::Volume) -> Option<Volume> {
    let state = volume.state()?;
    Some(Volume {
        id: volume.volume_id.clone()?,
        available: *state == VolumeState::Available,
        state: state.as_str().to_owned(),
        size_gib: u32::try_from(volume.size?).ok()?,
        kind: volume.volume_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        zone: volume.availability_zone.clone().unwrap_or_default(),
        encrypted: volume.encrypted.unwrap_or(false),
        attachment: volume.attachments().iter().find_map(attachment),
        retired: tags(volume.tags.as_deref()).get(PURPOSE).is_some_and(|purpose| purpose == RETIRED),
        created: volume.create_time.map_or(0, |time| time.secs()),
    })
}

fn attachment(attachment: &types::VolumeAttachment) -> Option<Attachment> {
    if attachment.state() == Some(&VolumeAttachmentState::Detached) {
        return None;
    }
    Some(Attachment {
        instance: attachment.instance_id.clone()?,
        attached: attachment.state() == Some(&VolumeAttachmentState::Attached),
        delete_on_termination: attachment.delete_on_termination.unwrap_or(false),
    })
}

pub fn image(image: &types::Image) -> Option<Image> {
    let state = image.state().map(types::ImageState::as_str).unwrap_or_default();
    let snapshots =
        image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.snapshot_id.clone());
    let reason =
        || image.state_reason().and_then(|reason| reason.message.clone()).unwrap_or_else(|| state.to_owned());
    Some(Image {
        id: image.image_id.clone()?,
        name: image.name.clone().unwrap_or_default(),
        available: state == "available",
        failed: matches!(state, "failed" | "error" | "invalid").then(reason),
        created: image.creation_date.clone().unwrap_or_default(),
        snapshots: snapshots.collect(),
        root_device: image.root_device_name.clone(),
        tags: tags(image.tags.as_deref()),
    })
}

pub fn group(group: &types::SecurityGroup) -> Option<Group> {
    let ranges = group.ip_permissions().iter().flat_map(|permission| {
        let port = permission.from_port.filter(|port| permission.to_port == Some(*port));
        let port = port.and_then(|port| u16::try_from(port).ok());
        let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip.clone());
        let v6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6.clone());
        port.into_iter().flat_map(move |port| {
            v4.clone().chain(v6.clone()).map(move |range| (port, range)).collect::<Vec<_>>()
        })
    });
    Some(Group { id: group.group_id.clone()?, lets_in: ranges.collect() })
}

pub fn modification(modification: &types::VolumeModification) -> Modification {
    match modification.modification_state() {
        Some(VolumeModificationState::Completed) => Modification::Completed,
        Some(VolumeModificationState::Optimizing) => Modification::Optimizing,
        Some(VolumeModificationState::Failed) => Modification::Failed(
            modification.status_message.clone().unwrap_or_else(|| "no reason given".to_owned()),
        ),
        _ => Modification::Modifying,
    }
}
