//! Volumes and their EBS snapshots.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ResourceType, Tag, VolumeModification};

use super::{Api, by_tags, convert, filter, gone, incomplete, problem, tagged};
use crate::ec2::model::{Modification, NewVolume, PURPOSE, RETIRED, Volume};
use crate::ec2::problem::{Kind, Problem};

impl Api {
    /// The volumes with these tags, the oldest first; those that are being deleted left out.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn volumes(&self, tags: &BTreeMap<String, String>) -> Result<Vec<Volume>, Problem> {
        let call = self.client.describe_volumes().set_filters(Some(by_tags(tags)));
        let pages = call.into_paginator().items().send();
        let found: Vec<_> = pages.collect::<Result<_, _>>().await.map_err(problem("DescribeVolumes"))?;
        let mut volumes: Vec<_> = found.iter().filter_map(convert::volume).collect();
        volumes.retain(|volume| !matches!(volume.state.as_str(), "deleting" | "deleted" | "error"));
        volumes.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(volumes)
    }

    /// One volume.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn volume(&self, id: &str) -> Result<Volume, Problem> {
        let answer =
            self.client.describe_volumes().volume_ids(id).send().await.map_err(problem("DescribeVolumes"))?;
        answer
            .volumes()
            .iter()
            .find_map(convert::volume)
            .ok_or_else(|| incomplete("DescribeVolumes", "the volume"))
    }

    /// Makes a volume.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn create_volume(&self, new: &NewVolume) -> Result<String, Problem> {
        let call = self
            .client
            .create_volume()
            .availability_zone(&new.zone)
            .volume_type(new.kind.as_str().into())
            .size(new.size_gib.try_into().unwrap_or(i32::MAX))
            .encrypted(new.encrypted)
            .client_token(&new.client_token)
            .tag_specifications(tagged(ResourceType::Volume, &new.tags));
        let answer = call.send().await.map_err(problem("CreateVolume"))?;
        answer.volume_id.ok_or_else(|| incomplete("CreateVolume", "the volume's id"))
    }

    /// Attaches a volume. EC2 keeps a volume that was attached after the launch when the instance
    /// ends (user guide, "Preserve data when an instance is terminated").
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn attach(&self, volume: &str, instance: &str, device: &str) -> Result<(), Problem> {
        let call = self.client.attach_volume().volume_id(volume).instance_id(instance).device(device);
        call.send().await.map(|_| ()).map_err(problem("AttachVolume"))
    }

    /// Asks for another size, unless that is under way already.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn grow(&self, volume: &str, size_gib: u32) -> Result<(), Problem> {
        let size = size_gib.try_into().unwrap_or(i32::MAX);
        let call = self.client.modify_volume().volume_id(volume).size(size);
        match call.send().await.map_err(problem("ModifyVolume")) {
            // The SDK repeats a call whose answer was lost.
            Err(problem) if problem.kind() == Kind::WrongState => {
                let latest = self.latest_modification(volume).await?;
                if latest.is_some_and(|change| change.target_size == Some(size)) {
                    Ok(())
                } else {
                    Err(problem)
                }
            }
            answer => answer.map(|_| ()),
        }
    }

    /// How far the latest change of a volume is; none if there never was one.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn modification(&self, volume: &str) -> Result<Option<Modification>, Problem> {
        Ok(self.latest_modification(volume).await?.as_ref().map(convert::modification))
    }

    async fn latest_modification(&self, volume: &str) -> Result<Option<VolumeModification>, Problem> {
        let call = self.client.describe_volumes_modifications().filters(filter("volume-id", &[volume]));
        match call.send().await.map_err(problem("DescribeVolumesModifications")) {
            Err(problem) if problem.kind() == Kind::NotFound => Ok(None),
            Err(problem) => Err(problem),
            Ok(answer) => {
                let changes = answer.volumes_modifications.unwrap_or_default().into_iter();
                Ok(changes.max_by_key(|change| change.start_time.map(|time| time.secs())))
            }
        }
    }

    /// Tags a volume as replaced.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn retire(&self, volume: &str) -> Result<(), Problem> {
        let tag = Tag::builder().key(PURPOSE).value(RETIRED).build();
        let call = self.client.create_tags().resources(volume).tags(tag);
        call.send().await.map(|_| ()).map_err(problem("CreateTags"))
    }

    /// Deletes a volume; one that is gone is deleted.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn delete_volume(&self, volume: &str) -> Result<(), Problem> {
        let answer = self.client.delete_volume().volume_id(volume).send().await;
        gone(answer.map_err(problem("DeleteVolume")))
    }

    /// Begins an EBS snapshot of a volume.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn snapshot_volume(
        &self,
        volume: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Problem> {
        let call = self
            .client
            .create_snapshot()
            .volume_id(volume)
            .tag_specifications(tagged(ResourceType::Snapshot, tags));
        let answer = call.send().await.map_err(problem("CreateSnapshot"))?;
        answer.snapshot_id.ok_or_else(|| incomplete("CreateSnapshot", "the EBS snapshot's id"))
    }

    /// Whether an EBS snapshot is complete.
    ///
    /// # Errors
    /// [`Problem`], also when it failed.
    pub async fn snapshot_is_complete(&self, snapshot: &str) -> Result<bool, Problem> {
        let answer = self.client.describe_snapshots().snapshot_ids(snapshot).send().await;
        let answer = answer.map_err(problem("DescribeSnapshots"))?;
        let state =
            answer.snapshots().first().and_then(|found| found.state()).map(|state| state.as_str().to_owned());
        match state.as_deref() {
            Some("completed") => Ok(true),
            Some("error") => Err(incomplete("CreateSnapshot", "success: EBS could not make the snapshot")),
            _ => Ok(false),
        }
    }
}
