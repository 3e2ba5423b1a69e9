//! `archivers/<a>/configuration.nix`: the NixOS system of an EC2 archiver. No secret in it.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use super::{Artifact, gate};
use crate::inputs::{Inputs, defect};
use crate::keyring::KeyId;
use crate::layout;
use crate::problem::Problem;
use crate::reach;
use crate::spec::{Archiver, Ec2, Retention, Scrub, SnapshotClass};

/// NixOS' state version where the spec names an image instead of a release.
const DEFAULT_STATE_VERSION: &str = "26.05";

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, archiver, machine) in inputs.ec2() {
        let text = inputs.render("configuration.nix.j2", values(inputs, name, archiver, machine)?)?;
        files.push(Artifact::public(path(name), text));
    }
    Ok(files)
}

/// A hash of who may enter an archiver, and what they may do there.
pub(crate) fn access(inputs: &Inputs, name: &str) -> Result<String, Vec<Problem>> {
    let archiver =
        inputs.spec.archivers.get(name).ok_or_else(|| defect(&format!("there is no archiver {name}")))?;
    let all = (
        inputs.host_key(name, archiver)?,
        inputs.public(&KeyId::admin(inputs.spec))?.key(),
        hosts(inputs, name, archiver)?,
        gate::text(inputs, archiver)?,
        reach::RIGHTS,
        reach::KEPT,
    );
    Ok(reach::long_hash(&serde_json::to_string(&all).map_err(|error| defect(&error))?))
}

/// Where the configuration of an archiver lies.
pub(super) fn path(archiver: &str) -> String {
    layout::archiver_file(archiver, "configuration.nix")
}

fn values(inputs: &Inputs, name: &str, archiver: &Archiver, machine: &Ec2) -> Result<Value, Vec<Problem>> {
    let spec = inputs.spec;
    Ok(context! {
        name,
        spec => spec.name.as_str(),
        pool => archiver.pool.name.as_str(),
        port => archiver.ssh_port,
        linger => archiver.linger.as_secs(),
        max_lifetime => archiver.max_lifetime.as_secs(),
        scrub_period => scrub_period(archiver.scrub),
        retention => archiver.retention.as_ref().map(retention),
        group => reach::GROUP,
        rights => reach::RIGHTS,
        kept => reach::KEPT,
        gate => gate::text(inputs, archiver)?,
        hosts => hosts(inputs, name, archiver)?,
        host_key => inputs.host_key(name, archiver)?,
        admin_key => inputs.public(&KeyId::admin(inputs.spec))?.key(),
        state_version => machine.image.nixos.as_deref().unwrap_or(DEFAULT_STATE_VERSION),
        host_id => reach::short_hash(&format!("{}/{name}", spec.name)),
    })
}

/// The users of an archiver: the number and the key of each, and the datasets that it receives into.
fn hosts(inputs: &Inputs, name: &str, archiver: &Archiver) -> Result<BTreeMap<String, Value>, Vec<Problem>> {
    let mut users = BTreeMap::new();
    for (host_name, host) in inputs.hosts_of(name) {
        let key = inputs.public(&KeyId::host(host_name, host))?.key();
        let targets = gate::targets(host, name);
        users.insert(
            reach::login(archiver, host_name),
            context! { uid => reach::uid(host_name), name => host_name, key, targets },
        );
    }
    Ok(users)
}

/// The classes whose snapshots are let go: how many of each stay, and the seconds between two.
fn retention(retention: &Retention) -> Vec<Value> {
    let value = |(class, count): (&SnapshotClass, &u32)| {
        context! { class => class.name(), count, period => class.period() }
    };
    retention.iter().map(value).collect()
}

const fn scrub_period(scrub: Scrub) -> Option<u64> {
    match scrub {
        Scrub::Never => None,
        Scrub::Weekly => Some(7 * 86_400),
        Scrub::Monthly => Some(30 * 86_400),
    }
}
