//! `hosts/<h>/nixos.nix`: the host's values for the options of `modules/nixos.nix`.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Value, context};

use super::{Artifact, known_hosts};
use crate::inputs::Inputs;
use crate::layout;
use crate::problem::Problem;
use crate::reach;
use crate::spec::{Host, Replication};

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, host) in &inputs.spec.hosts {
        let text = inputs.render("nixos.nix.j2", values(inputs, name, host)?)?;
        files.push(Artifact::public(layout::host_file(name, "nixos.nix"), text));
    }
    Ok(files)
}

fn values(inputs: &Inputs, name: &str, host: &Host) -> Result<Value, Vec<Problem>> {
    let archivers = inputs.archivers_of(host);
    let mut keys = BTreeMap::new();
    for (archiver_name, archiver) in &archivers {
        let names = known_hosts::host_names(&inputs.spec.name, archiver_name, archiver);
        keys.insert(
            *archiver_name,
            context! { names, public_key => inputs.host_key(archiver_name, archiver)? },
        );
    }
    let replications: BTreeMap<&str, Value> = host
        .replications
        .iter()
        .filter_map(|(replication_name, replication)| {
            let archiver = archivers.get(replication.archiver.as_str())?;
            let user = reach::login(archiver, name);
            Some((replication_name.as_str(), replication_values(replication, &user)))
        })
        .collect();
    let report = host.report.as_ref().map(|report| {
        context! { honeycomb => Serde(&report.honeycomb), alert_after => report.alert_after.as_secs() }
    });
    Ok(context! {
        host => name,
        secrets_dir => inputs.secrets_dir(host),
        identity_file => inputs.identity_file(name, host),
        snapshots => Serde(&host.snapshots),
        known_hosts => keys,
        report,
        replications,
    })
}

fn replication_values(replication: &Replication, user: &str) -> Value {
    context! { timeout_seconds => replication.timeout.as_secs(), user, ..Serde(replication) }
}
