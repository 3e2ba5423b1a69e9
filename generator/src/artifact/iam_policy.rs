//! What AWS has to allow: `archivers/<a>/iam-policy.json` to whoever sets an EC2 archiver up, and
//! `archivers/<a>/iam-policy-host.json` to the hosts that wake it.
//!
//! A host may launch the baked image and nothing else: an instance of any other, with user data of a
//! thief's, could be given the volume. Reading is allowed in the region. Everything else is bound to the
//! archiver's tags: on what exists, or on what the same call creates. Left out on purpose: iam:PassRole
//! (the instance has no role), ec2:DescribeInstanceAttribute (it shows the user data, and so the host
//! key), and ec2:DeleteVolume (the backups are on it).

use serde_json::{Value, json};

use super::Artifact;
use crate::inputs::{Inputs, defect};
use crate::layout;
use crate::problem::Problem;
use crate::reach::ROOT_GIB;
use crate::spec::{Ec2, Market};

/// The AWS account that publishes NixOS' images.
const NIXOS_ACCOUNT: &str = "427812963091";

/// What whoever sets it up may do to what is the archiver's.
const CHANGES: [&str; 7] = [
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSnapshot",
    "ec2:DeregisterImage",
    "ec2:ModifyVolume",
    "ec2:TerminateInstances",
];

/// What a host looks at to wake an archiver. IAM binds none of this to tags.
const HOST_LOOKS: [&str; 5] = [
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVolumes",
];

/// What whoever sets it up looks at in addition.
const ADMINISTRATOR_LOOKS: [&str; 3] =
    ["ec2:DescribeSnapshots", "ec2:DescribeSubnets", "ec2:DescribeVolumesModifications"];

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, _, machine) in inputs.ec2() {
        let policy = Policy { spec: &inputs.spec.name, archiver: name, machine };
        for (file, document) in
            [("iam-policy.json", policy.of_administrator()), ("iam-policy-host.json", policy.of_host())]
        {
            let text = serde_json::to_string_pretty(&document).map_err(|error| defect(&error))?;
            files.push(Artifact::public(layout::archiver_file(name, file), text + "\n"));
        }
    }
    Ok(files)
}

struct Policy<'a> {
    spec: &'a str,
    archiver: &'a str,
    machine: &'a Ec2,
}

impl Policy<'_> {
    fn of_host(&self) -> Value {
        let is_baked = self.machine.image.bake;
        let image = if is_baked { self.run_own_image() } else { self.run_image() };
        let mut statements =
            vec![self.look(&HOST_LOOKS), self.run(), self.run_volume(), self.run_with(), image];
        if self.machine.security_group_ids.is_empty() {
            statements.push(self.run_in_own_group());
        }
        statements.push(self.tag_at_creation(&["RunInstances"], &["instance"]));
        statements
            .push(self.own_only(&["ec2:AttachVolume", "ec2:TerminateInstances"], &["instance", "volume"]));
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    fn of_administrator(&self) -> Value {
        let looks = [&HOST_LOOKS[..], &ADMINISTRATOR_LOOKS].concat();
        let mut statements =
            vec![self.look(&looks), self.run(), self.run_volume(), self.run_with(), self.run_image()];
        if self.machine.image.bake {
            statements.extend([self.run_own_image(), self.bake(), self.bake_into()]);
        }
        if self.machine.security_group_ids.is_empty() {
            statements.extend([self.run_in_own_group(), self.create_group(), self.create_group_in()]);
        }
        let creating = ["CreateImage", "CreateSecurityGroup", "CreateVolume", "RunInstances"];
        let created = ["image", "instance", "security-group", "snapshot", "volume"];
        let owned = ["image", "instance", "security-group", "snapshot", "volume"];
        statements.extend([
            self.create_volume(),
            self.tag_at_creation(&creating, &created),
            self.own_only(&CHANGES, &owned),
        ]);
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    /// The resources of this kind in the account, or those of no account where that is false.
    fn arn(&self, kind: &str, id: &str, in_account: bool) -> String {
        let region = &self.machine.region;
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:ec2:{region}:{}:{kind}/{id}", if in_account { "*" } else { "" })
    }

    fn all(&self, kinds: &[&str]) -> Vec<String> {
        kinds.iter().map(|kind| self.arn(kind, "*", !matches!(*kind, "image" | "snapshot"))).collect()
    }

    /// The tags that the call puts on what it creates.
    fn requested(&self) -> Value {
        json!({ "aws:RequestTag/dormouse:spec": self.spec, "aws:RequestTag/dormouse:archiver": self.archiver })
    }

    /// The tags that the resource has.
    fn owned(&self) -> Value {
        json!({ "aws:ResourceTag/dormouse:spec": self.spec, "aws:ResourceTag/dormouse:archiver": self.archiver })
    }

    fn look(&self, actions: &[&str]) -> Value {
        json!({
            "Sid": "Look", "Effect": "Allow", "Resource": "*", "Action": actions,
            "Condition": { "StringEquals": { "aws:RequestedRegion": self.machine.region } }
        })
    }

    fn run(&self) -> Value {
        let mut condition = self.requested();
        condition["ec2:InstanceType"] = json!(self.machine.instance_type);
        condition["ec2:MetadataHttpTokens"] = json!("required");
        json!({
            "Sid": "RunTagged", "Effect": "Allow", "Action": "ec2:RunInstances",
            "Resource": self.all(&["instance"]),
            "Condition": {
                "StringEquals": condition,
                "NumericLessThanEquals": { "ec2:MetadataHttpPutResponseHopLimit": "1" }
            }
        })
    }

    /// The root volume, of which a launch says type and size.
    fn run_volume(&self) -> Value {
        json!({
            "Sid": "RunRootVolume", "Effect": "Allow", "Action": "ec2:RunInstances",
            "Resource": self.all(&["volume"]),
            "Condition": {
                "StringEquals": { "ec2:VolumeType": "gp3" },
                "NumericLessThanEquals": { "ec2:VolumeSize": ROOT_GIB.to_string() }
            }
        })
    }

    /// What an instance is made of besides itself and its image.
    fn run_with(&self) -> Value {
        let mut resources = self.all(&["network-interface"]);
        resources.push(self.arn("subnet", self.machine.subnet_id.as_deref().unwrap_or("*"), true));
        let groups = self.machine.security_group_ids.iter();
        resources.extend(groups.map(|id| self.arn("security-group", id, true)));
        if self.machine.market == Market::Spot {
            resources.extend(self.all(&["spot-instances-request"]));
        }
        json!({ "Sid": "RunWith", "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": resources })
    }

    fn run_image(&self) -> Value {
        match &self.machine.image.id {
            Some(id) => json!({
                "Sid": "RunImage", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": [self.arn("image", id, false)]
            }),
            None => json!({
                "Sid": "RunImage", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": self.all(&["image"]),
                "Condition": { "StringEquals": { "ec2:Owner": NIXOS_ACCOUNT } }
            }),
        }
    }

    fn run_own_image(&self) -> Value {
        json!({
            "Sid": "RunOwnImage", "Effect": "Allow", "Action": "ec2:RunInstances",
            "Resource": self.all(&["image", "snapshot"]), "Condition": { "StringEquals": self.owned() }
        })
    }

    fn run_in_own_group(&self) -> Value {
        json!({
            "Sid": "RunInOwnGroup", "Effect": "Allow", "Action": "ec2:RunInstances",
            "Resource": self.all(&["security-group"]), "Condition": { "StringEquals": self.owned() }
        })
    }

    fn bake(&self) -> Value {
        json!({
            "Sid": "BakeFromOwn", "Effect": "Allow", "Action": "ec2:CreateImage",
            "Resource": self.all(&["instance"]), "Condition": { "StringEquals": self.owned() }
        })
    }

    fn bake_into(&self) -> Value {
        json!({
            "Sid": "BakeTagged", "Effect": "Allow", "Action": "ec2:CreateImage",
            "Resource": self.all(&["image", "snapshot"]), "Condition": { "StringEquals": self.requested() }
        })
    }

    fn create_group(&self) -> Value {
        json!({
            "Sid": "CreateGroupTagged", "Effect": "Allow", "Action": "ec2:CreateSecurityGroup",
            "Resource": self.all(&["security-group"]), "Condition": { "StringEquals": self.requested() }
        })
    }

    fn create_group_in(&self) -> Value {
        json!({
            "Sid": "CreateGroupIn", "Effect": "Allow", "Action": "ec2:CreateSecurityGroup",
            "Resource": self.all(&["vpc"])
        })
    }

    fn create_volume(&self) -> Value {
        json!({
            "Sid": "CreateVolumeTagged", "Effect": "Allow", "Action": "ec2:CreateVolume",
            "Resource": self.all(&["volume"]), "Condition": { "StringEquals": self.requested() }
        })
    }

    /// Tags are set by the call that creates, never on what exists: else anything could be made
    /// the archiver's own, and then be ended.
    fn tag_at_creation(&self, actions: &[&str], kinds: &[&str]) -> Value {
        let mut condition = self.requested();
        condition["ec2:CreateAction"] = json!(actions);
        json!({
            "Sid": "TagAtCreation", "Effect": "Allow", "Action": "ec2:CreateTags",
            "Resource": self.all(kinds),
            "Condition": {
                "StringEquals": condition,
                "ForAllValues:StringLike": { "aws:TagKeys": ["Name", "dormouse:*"] }
            }
        })
    }

    fn own_only(&self, actions: &[&str], kinds: &[&str]) -> Value {
        json!({
            "Sid": "OwnOnly", "Effect": "Allow", "Action": actions, "Resource": self.all(kinds),
            "Condition": { "StringEquals": self.owned() }
        })
    }
}
