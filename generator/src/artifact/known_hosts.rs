//! `known_hosts`: the host key of each archiver under every name that it is reached by.

use super::Artifact;
use crate::inputs::Inputs;
use crate::layout;
use crate::problem::Problem;
use crate::reach;
use crate::spec::{Archiver, Provider};

/// The port that ssh leaves out.
const SSH_PORT: u16 = 22;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut text = String::new();
    for (name, archiver) in &inputs.spec.archivers {
        let names = host_names(&inputs.spec.name, name, archiver).join(",");
        let key = inputs.host_key(name, archiver)?;
        text.push_str(&format!("{names} {key}\n"));
    }
    Ok(vec![Artifact::public(layout::KNOWN_HOSTS, text)])
}

/// The names under which ssh looks an archiver's key up: its alias, its own name, its address.
pub(super) fn host_names(spec_name: &str, name: &str, archiver: &Archiver) -> Vec<String> {
    let on_port = |host: &str| match archiver.ssh_port {
        SSH_PORT => host.to_owned(),
        port => format!("[{host}]:{port}"),
    };
    let mut names = vec![reach::host_key_alias(spec_name, name), on_port(name)];
    if let Provider::Static(machine) = &archiver.provider
        && machine.address != name
    {
        names.push(on_port(&machine.address));
    }
    names
}
