//! Security groups and subnets.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, ResourceType};

use super::{Api, by_tags, convert, filter, gone, incomplete, problem, tagged};
use crate::ec2::model::Group;
use crate::ec2::problem::{Kind, Problem};

impl Api {
    /// The security groups with these tags.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn groups(&self, tags: &BTreeMap<String, String>) -> Result<Vec<Group>, Problem> {
        let call = self.client.describe_security_groups().set_filters(Some(by_tags(tags)));
        let answer = call.send().await.map_err(problem("DescribeSecurityGroups"))?;
        Ok(answer.security_groups().iter().filter_map(convert::group).collect())
    }

    /// Makes a security group in the VPC of `subnet`, or in the default one.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn create_group(
        &self,
        name: &str,
        subnet: Option<&str>,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Problem> {
        let vpc = match subnet {
            Some(subnet) => self.vpc_of(subnet).await?,
            None => None,
        };
        let call = self
            .client
            .create_security_group()
            .group_name(name)
            .description("ssh to a Dormouse archiver")
            .set_vpc_id(vpc)
            .tag_specifications(tagged(ResourceType::SecurityGroup, tags));
        match call.send().await.map_err(problem("CreateSecurityGroup")) {
            // The SDK repeats a call whose answer was lost.
            Err(problem) if problem.kind() == Kind::Duplicate => {
                self.groups(tags).await?.into_iter().next().map(|group| group.id).ok_or(problem)
            }
            answer => answer?.group_id.ok_or_else(|| incomplete("CreateSecurityGroup", "the group's id")),
        }
    }

    async fn vpc_of(&self, subnet: &str) -> Result<Option<String>, Problem> {
        let answer = self.client.describe_subnets().subnet_ids(subnet).send().await;
        let answer = answer.map_err(problem("DescribeSubnets"))?;
        Ok(answer.subnets().first().and_then(|found| found.vpc_id.clone()))
    }

    /// The default subnet of a zone, if it has one.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn default_subnet(&self, zone: &str) -> Result<Option<String>, Problem> {
        let filters = vec![filter("availability-zone", &[zone]), filter("default-for-az", &["true"])];
        let answer = self.client.describe_subnets().set_filters(Some(filters)).send().await;
        let answer = answer.map_err(problem("DescribeSubnets"))?;
        Ok(answer.subnets().first().and_then(|found| found.subnet_id.clone()))
    }

    /// Lets a range of addresses reach one TCP port. Letting it again is no error.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn open_port(&self, group: &str, port: u16, range: &str) -> Result<(), Problem> {
        let mut permission =
            IpPermission::builder().ip_protocol("tcp").from_port(port.into()).to_port(port.into());
        permission = match range.contains(':') {
            true => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(range).build()),
            false => permission.ip_ranges(IpRange::builder().cidr_ip(range).build()),
        };
        let call =
            self.client.authorize_security_group_ingress().group_id(group).ip_permissions(permission.build());
        match call.send().await.map_err(problem("AuthorizeSecurityGroupIngress")) {
            Err(problem) if problem.kind() != Kind::Duplicate => Err(problem),
            _ => Ok(()),
        }
    }

    /// Deletes a security group; one that is gone is deleted.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn delete_group(&self, group: &str) -> Result<(), Problem> {
        let answer = self.client.delete_security_group().group_id(group).send().await;
        gone(answer.map_err(problem("DeleteSecurityGroup")))
    }
}
