//! `hosts/<h>/ssh_config`: `ssh -F … <archiver>` works wherever the file lies.

use minijinja::{Error, context};

use super::Artifact;
use crate::inputs::{Inputs, defect};
use crate::layout;
use crate::problem::Problem;
use crate::reach;
use crate::spec::{Archiver, Host, Provider};
use crate::template::ssh_quote;

/// A directive of ssh_config and its arguments, quoted already.
pub(super) type Directive = (&'static str, String);

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, host) in &inputs.spec.hosts {
        let mut blocks = Vec::new();
        for (archiver_name, archiver) in inputs.archivers_of(host) {
            let directives = directives(inputs, (name, host), (archiver_name, archiver))?;
            blocks.push(context! { pattern => pattern(inputs, archiver_name), directives });
        }
        let text = inputs.render("ssh_config.j2", context! { host => name, blocks })?;
        files.push(Artifact::public(layout::ssh_config(name), text));
    }
    Ok(files)
}

/// What a user types after `ssh`. The alias is there for those who have another host of the
/// archiver's name.
pub(super) fn pattern(inputs: &Inputs, archiver: &str) -> Vec<String> {
    vec![archiver.to_owned(), reach::host_key_alias(&inputs.spec.name, archiver)]
}

/// How this host reaches this archiver.
pub(super) fn directives(
    inputs: &Inputs,
    (host_name, host): (&str, &Host),
    (name, archiver): (&str, &Archiver),
) -> Result<Vec<Directive>, Vec<Problem>> {
    let alias = reach::host_key_alias(&inputs.spec.name, name);
    let key = inputs.host_key(name, archiver)?;
    let identity = quote(&inputs.identity_file(host_name, host))?;
    let mut directives = way(host_name, name, archiver)?;
    directives.extend([
        ("User", quote(&reach::login(archiver, host_name))?),
        ("Port", archiver.ssh_port.to_string()),
        ("IdentityFile", identity),
        ("IdentitiesOnly", "yes".to_owned()),
        ("HostKeyAlias", alias.clone()),
        ("HostKeyAlgorithms", "ssh-ed25519".to_owned()),
        // Says the one key that is right. A known_hosts file would have to be named by its path,
        // and this file is the same wherever it lies.
        ("KnownHostsCommand", format!("/usr/bin/env echo {alias} {key}")),
        ("UserKnownHostsFile", "/dev/null".to_owned()),
        ("GlobalKnownHostsFile", "/dev/null".to_owned()),
        ("StrictHostKeyChecking", "yes".to_owned()),
        ("UpdateHostKeys", "no".to_owned()),
        ("ForwardAgent", "no".to_owned()),
        ("ControlMaster", "no".to_owned()),
        ("ControlPath", "none".to_owned()),
        // A peer that is gone shows after two minutes, not after TCP's hours.
        ("ServerAliveInterval", "30".to_owned()),
        ("ServerAliveCountMax", "4".to_owned()),
    ]);
    if !archiver.ssh_ciphers.is_empty() {
        directives.push(("Ciphers", archiver.ssh_ciphers.join(",")));
    }
    if archiver.ssh_compression {
        directives.push(("Compression", "yes".to_owned()));
    }
    Ok(directives)
}

/// Where the connection goes: to an address, or through the program that wakes the archiver.
fn way(host_name: &str, name: &str, archiver: &Archiver) -> Result<Vec<Directive>, Vec<Problem>> {
    Ok(match &archiver.provider {
        Provider::Static(machine) => vec![("HostName", quote(&machine.address)?)],
        Provider::Ec2(_) => vec![
            ("ProxyCommand", format!("dormouse --host {host_name} proxy {name} %p")),
            // It leaves its connection to ssh and ends.
            ("ProxyUseFdpass", "yes".to_owned()),
        ],
    })
}

fn quote(text: &str) -> Result<String, Vec<Problem>> {
    ssh_quote(text).map_err(|error: Error| defect(&error))
}
