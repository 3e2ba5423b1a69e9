//! Machine images.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::ResourceType;

use super::{Api, by_tags, convert, filter, gone, incomplete, problem, tagged};
use crate::ec2::model::Image;
use crate::ec2::problem::{Kind, Problem};

/// The AWS account that publishes NixOS' images (NixOS/amis).
const NIXOS_ACCOUNT: &str = "427812963091";

impl Api {
    /// The account's own images with these tags, the newest first.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn own_images(&self, tags: &BTreeMap<String, String>) -> Result<Vec<Image>, Problem> {
        let call = self.client.describe_images().owners("self").set_filters(Some(by_tags(tags)));
        let answer = call.send().await.map_err(problem("DescribeImages"))?;
        Ok(newest_first(answer.images().iter().filter_map(convert::image).collect()))
    }

    /// The public images of a NixOS release and architecture, the newest first.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn nixos_images(&self, release: &str, architecture: &str) -> Result<Vec<Image>, Problem> {
        let filters = vec![
            filter("name", &[&format!("nixos/{release}*")]),
            filter("architecture", &[architecture]),
            filter("state", &["available"]),
        ];
        let call = self.client.describe_images().owners(NIXOS_ACCOUNT).set_filters(Some(filters));
        let answer = call.send().await.map_err(problem("DescribeImages"))?;
        Ok(newest_first(answer.images().iter().filter_map(convert::image).collect()))
    }

    /// One image.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn image(&self, id: &str) -> Result<Option<Image>, Problem> {
        match self.client.describe_images().image_ids(id).send().await.map_err(problem("DescribeImages")) {
            Err(problem) if problem.kind() == Kind::NotFound => Ok(None),
            Err(problem) => Err(problem),
            Ok(answer) => Ok(answer.images().iter().find_map(convert::image)),
        }
    }

    /// Makes an image of an instance, which EC2 restarts for it, so that its disk is at rest.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn create_image(
        &self,
        instance: &str,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Problem> {
        let call = self
            .client
            .create_image()
            .instance_id(instance)
            .name(name)
            .tag_specifications(tagged(ResourceType::Image, tags))
            .tag_specifications(tagged(ResourceType::Snapshot, tags));
        match call.send().await.map_err(problem("CreateImage")) {
            // The SDK repeats a call whose answer was lost.
            Err(problem) if problem.kind() == Kind::Duplicate => {
                let mut images = self.own_images(tags).await?.into_iter();
                images.find(|image| image.name == name).map(|image| image.id).ok_or(problem)
            }
            answer => answer?.image_id.ok_or_else(|| incomplete("CreateImage", "the image's id")),
        }
    }

    /// Takes an image away, with the EBS snapshots that it is made of; what is gone is no error.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn delete_image(&self, image: &Image) -> Result<(), Problem> {
        let call = self.client.deregister_image().image_id(&image.id);
        gone(call.send().await.map_err(problem("DeregisterImage")))?;
        for snapshot in &image.snapshots {
            let answer = self.client.delete_snapshot().snapshot_id(snapshot).send().await;
            gone(answer.map_err(problem("DeleteSnapshot")))?;
        }
        Ok(())
    }
}

fn newest_first(mut images: Vec<Image>) -> Vec<Image> {
    images.sort_by(|a, b| (&b.created, &b.id).cmp(&(&a.created, &a.id)));
    images
}
