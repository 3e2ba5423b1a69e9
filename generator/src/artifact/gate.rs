//! The gate: the program that a host's key is confined to. An EC2 archiver has it in its configuration; a static one
//! gets `archivers/<a>/gate`, with `gate.tmpfiles` for the directory of its locks, where the spec asks for it.

use minijinja::context;

use super::Artifact;
use crate::inputs::Inputs;
use crate::layout;
use crate::problem::Problem;
use crate::spec::{Archiver, Host, Provider};

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, archiver) in &inputs.spec.archivers {
        let Provider::Static(machine) = &archiver.provider else { continue };
        if machine.gate {
            let user = &machine.user;
            let tmpfiles = format!(
                "d /run/dormouse-gate 0755 root root -\nd /run/dormouse-gate/{user} 0700 {user} root -\n"
            );
            files.push(Artifact::public(layout::archiver_file(name, "gate"), text(inputs, archiver)?));
            files.push(Artifact::public(layout::archiver_file(name, "gate.tmpfiles"), tmpfiles));
        }
    }
    Ok(files)
}

/// The program of an archiver.
pub(super) fn text(inputs: &Inputs, archiver: &Archiver) -> Result<String, Vec<Problem>> {
    let is_ec2 = matches!(archiver.provider, Provider::Ec2(_));
    inputs.render("gate.sh.j2", context! { pool => archiver.pool.name.as_str(), is_ec2 })
}

/// Where a host replicates to on an archiver.
pub(super) fn targets(host: &Host, archiver: &str) -> Vec<String> {
    let replications = host.replications.values().filter(|replication| replication.archiver == archiver);
    replications.map(|replication| replication.target.to_string()).collect()
}
