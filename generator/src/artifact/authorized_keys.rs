//! `authorized_keys` of a static archiver: what its administrator installs for its user.

use super::{Artifact, gate};
use crate::inputs::{Inputs, defect};
use crate::keyring::KeyId;
use crate::layout;
use crate::problem::Problem;
use crate::spec::Provider;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, archiver) in &inputs.spec.archivers {
        if let Provider::Static(machine) = &archiver.provider {
            let path = layout::archiver_file(name, "authorized_keys");
            files.push(Artifact::public(path, lines(inputs, name, machine.gate)?));
        }
    }
    Ok(files)
}

/// One line for each host: `restrict` leaves a session its command and nothing else (sshd(8)).
fn lines(inputs: &Inputs, archiver: &str, has_gate: bool) -> Result<String, Vec<Problem>> {
    let mut text = String::new();
    for (name, host) in inputs.hosts_of(archiver) {
        let words = std::iter::once(name.to_owned()).chain(gate::targets(host, archiver));
        let words: Vec<String> = words.collect();
        let command = match has_gate {
            true => format!(",command=\"bash /etc/dormouse/gate {}\"", arguments(&words)?),
            false => String::new(),
        };
        text.push_str(&format!("restrict{command} {}\n", inputs.public(&KeyId::host(name, host))?));
    }
    Ok(text)
}

/// Words of a shell within double quotes: no name of a host or dataset holds a quote.
fn arguments(words: &[String]) -> Result<String, Vec<Problem>> {
    let line = shlex::try_join(words.iter().map(String::as_str)).map_err(|error| defect(&error))?;
    if line.contains(['"', '\\']) { Err(defect(&format!("{line} cannot be quoted"))) } else { Ok(line) }
}
