//! What AWS has to allow: `archivers/<a>/iam-policy.json` to whoever sets an EC2 archiver up, and
//! `archivers/<a>/iam-policy-host.json` to the hosts that wake it.
//!
//! A host may launch what the archiver's launch template says and nothing else: `ec2:LaunchTemplate` binds all that a
//! launch creates to a template, the tags bind the template, and `ec2:IsLaunchTemplateResource` keeps image, subnet and
//! security groups as they are there. Type, metadata options and root volume are parameters, which a launch may
//! override, so they have conditions of their own (EC2 user guide, "Control access to launch templates"). User data have
//! no condition key: `dormouse-identity.service` of the image sees to them. Reading is allowed in the region.
//! Everything else is bound to the archiver's tags: on what exists, or on what the same call creates. Left out on purpose:
//! iam:PassRole (the instance has no role), what shows user data and so the host key (ec2:DescribeInstanceAttribute,
//! ec2:DescribeLaunchTemplateVersions, ec2:GetLaunchTemplateData), and ec2:DeleteVolume (the backups are on it).

use serde_json::{Value, json};

use super::Artifact;
use crate::inputs::{Inputs, defect};
use crate::json_path::JsonPath;
use crate::layout;
use crate::problem::Problem;
use crate::reach::ROOT_GIB;
use crate::spec::{Ec2, Market};

/// The AWS account that publishes NixOS' images.
const NIXOS_ACCOUNT: &str = "427812963091";

/// What whoever sets it up may do to what is the archiver's.
const CHANGES: [&str; 9] = [
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateImage",
    "ec2:DeleteLaunchTemplate",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSnapshot",
    "ec2:DeregisterImage",
    "ec2:ModifyVolume",
    "ec2:TerminateInstances",
];

/// What a host looks at to wake an archiver. IAM binds none of this to tags.
const HOST_LOOKS: [&str; 3] = ["ec2:DescribeInstances", "ec2:DescribeLaunchTemplates", "ec2:DescribeVolumes"];

/// What whoever sets it up looks at in addition.
const ADMINISTRATOR_LOOKS: [&str; 6] = [
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumesModifications",
];

/// Characters of a managed policy, white space left out (IAM user guide, "IAM and AWS STS quotas").
const MAX_CHARACTERS: usize = 6144;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for (name, _, machine) in inputs.ec2() {
        let policy = Policy { spec: &inputs.spec.name, archiver: name, machine };
        for (file, document) in
            [("iam-policy.json", policy.of_administrator()), ("iam-policy-host.json", policy.of_host())]
        {
            problems.extend(too_long(name, file, &document));
            let text = serde_json::to_string_pretty(&document).map_err(|error| defect(&error))?;
            files.push(Artifact::public(layout::archiver_file(name, file), text + "\n"));
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn too_long(name: &str, file: &str, document: &Value) -> Option<Problem> {
    let characters = document.to_string().chars().filter(|c| !c.is_whitespace()).count();
    (characters > MAX_CHARACTERS).then(|| {
        let reason = format!("its {file} has {characters} characters, and IAM takes {MAX_CHARACTERS}");
        let fix = "name fewer security groups, or shorten the names of spec and archiver";
        Problem::new(JsonPath::of(&["archivers", name]), reason, fix).on_key()
    })
}

/// That a launch overrides nothing that its template names.
fn kept_as_is() -> Value {
    json!({ "ec2:IsLaunchTemplateResource": "true" })
}

struct Policy<'a> {
    spec: &'a str,
    archiver: &'a str,
    machine: &'a Ec2,
}

impl Policy<'_> {
    fn of_host(&self) -> Value {
        let mut statements = vec![self.look(&HOST_LOOKS)];
        statements.extend(self.launch());
        statements.extend(self.launched());
        statements.push(self.tag_at_creation(&["RunInstances"], &["instance"]));
        statements
            .push(self.own_only(&["ec2:AttachVolume", "ec2:TerminateInstances"], &["instance", "volume"]));
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    fn of_administrator(&self) -> Value {
        let looks = [&HOST_LOOKS[..], &ADMINISTRATOR_LOOKS].concat();
        let mut statements = vec![self.look(&looks)];
        statements.extend(self.launch());
        if self.machine.image.bake {
            statements.extend([self.run(), self.run_volume(), self.run_with(), self.run_image()]);
            statements.push(self.bake_into());
            if self.machine.security_group_ids.is_empty() {
                statements.push(self.run_in_own_group());
            }
        } else {
            statements.extend(self.launched());
        }
        if self.machine.security_group_ids.is_empty() {
            statements.push(self.create_group_in());
        }
        if self.machine.market == Market::Spot {
            statements.push(self.create_spot_role());
        }
        let creating =
            ["CreateImage", "CreateLaunchTemplate", "CreateSecurityGroup", "CreateVolume", "RunInstances"];
        let created = ["image", "instance", "launch-template", "security-group", "snapshot", "volume"];
        statements.extend([
            self.create(),
            self.tag_at_creation(&creating, &created),
            self.own_only(&CHANGES, &created),
        ]);
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    /// A launch from the archiver's template: of what the template names. Whether AWS also asks for the snapshots of an own
    /// image is not documented, so they are allowed.
    fn launch(&self) -> [Value; 2] {
        [
            json!({
                "Sid": "LaunchOwn", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": self.all(&["launch-template", "snapshot"]), "Condition": { "StringEquals": self.owned() }
            }),
            json!({
                "Sid": "LaunchWith", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": self.all(&["image", "network-interface", "security-group", "subnet"]),
                "Condition": { "ArnLike": self.template_arn(), "Bool": kept_as_is() }
            }),
        ]
    }

    /// What a launch from the archiver's template makes.
    fn launched(&self) -> Vec<Value> {
        let mut statements = vec![
            json!({
                "Sid": "LaunchInstance", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": self.all(&["instance"]),
                "Condition": {
                    "ArnLike": self.template_arn(), "Bool": kept_as_is(), "StringEquals": self.instance(),
                    "NumericLessThanEquals": { "ec2:MetadataHttpPutResponseHopLimit": "1" }
                }
            }),
            json!({
                "Sid": "LaunchRootVolume", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": self.all(&["volume"]),
                "Condition": {
                    "ArnLike": self.template_arn(), "Bool": kept_as_is(),
                    "StringEquals": { "ec2:VolumeType": "gp3" },
                    "NumericLessThanEquals": { "ec2:VolumeSize": ROOT_GIB.to_string() }
                }
            }),
        ];
        if self.machine.market == Market::Spot {
            // No template says it, so that a launch can do without; and it has no condition keys.
            statements.push(json!({
                "Sid": "LaunchSpot", "Effect": "Allow", "Action": "ec2:RunInstances",
                "Resource": self.all(&["spot-instances-request"])
            }));
        }
        statements
    }

    fn template_arn(&self) -> Value {
        json!({ "ec2:LaunchTemplate": self.arn("launch-template", "*", true) })
    }

    /// What an instance has to be like.
    fn instance(&self) -> Value {
        let mut instance =
            json!({ "ec2:InstanceType": self.machine.instance_type, "ec2:MetadataHttpTokens": "required" });
        if self.machine.market != Market::Spot {
            instance["ec2:InstanceMarketType"] = json!("on-demand");
        }
        instance
    }

    fn create(&self) -> Value {
        json!({
            "Sid": "CreateTagged", "Effect": "Allow",
            "Action": ["ec2:CreateLaunchTemplate", "ec2:CreateSecurityGroup", "ec2:CreateVolume"],
            "Resource": self.all(&["launch-template", "security-group", "volume"]),
            "Condition": { "StringEquals": self.requested() }
        })
    }

    /// EC2 makes the role with the first spot instance of an account, if its caller may (EC2 user guide, "Service-linked
    /// role for Spot Instance requests").
    fn create_spot_role(&self) -> Value {
        json!({
            "Sid": "CreateSpotRole", "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole",
            "Resource": format!(
                "arn:{}:iam::*:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", self.partition()
            ),
            "Condition": { "StringEquals": { "iam:AWSServiceName": "spot.amazonaws.com" } }
        })
    }

    /// The resources of this kind in the account, or those of no account where that is false.
    fn arn(&self, kind: &str, id: &str, in_account: bool) -> String {
        let (partition, region) = (self.partition(), &self.machine.region);
        format!("arn:{partition}:ec2:{region}:{}:{kind}/{id}", if in_account { "*" } else { "" })
    }

    fn partition(&self) -> &'static str {
        match self.machine.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.machine.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
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

    /// Any launch, with or without a template.
    fn run(&self) -> Value {
        json!({
            "Sid": "RunInstance", "Effect": "Allow", "Action": "ec2:RunInstances",
            "Resource": self.all(&["instance"]),
            "Condition": {
                "StringEquals": self.instance(),
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

    fn run_in_own_group(&self) -> Value {
        json!({
            "Sid": "RunInOwnGroup", "Effect": "Allow", "Action": "ec2:RunInstances",
            "Resource": self.all(&["security-group"]), "Condition": { "StringEquals": self.owned() }
        })
    }

    fn bake_into(&self) -> Value {
        json!({
            "Sid": "BakeTagged", "Effect": "Allow", "Action": "ec2:CreateImage",
            "Resource": self.all(&["image", "snapshot"]), "Condition": { "StringEquals": self.requested() }
        })
    }

    fn create_group_in(&self) -> Value {
        json!({
            "Sid": "CreateGroupIn", "Effect": "Allow", "Action": "ec2:CreateSecurityGroup",
            "Resource": self.all(&["vpc"])
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
