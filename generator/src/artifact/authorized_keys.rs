//! `authorized_keys` of a static archiver: what its administrator installs for its user.

use super::Artifact;
use crate::inputs::Inputs;
use crate::keyring::KeyId;
use crate::layout;
use crate::problem::Problem;
use crate::spec::Provider;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, archiver) in &inputs.spec.archivers {
        if matches!(archiver.provider, Provider::Static(_)) {
            files
                .push(Artifact::public(layout::archiver_file(name, "authorized_keys"), lines(inputs, name)?));
        }
    }
    Ok(files)
}

/// One line for each host: `restrict` leaves a session its command and nothing else.
fn lines(inputs: &Inputs, archiver: &str) -> Result<String, Vec<Problem>> {
    let mut text = String::new();
    for (name, host) in inputs.hosts_of(archiver) {
        text.push_str(&format!("restrict {}\n", inputs.public(&KeyId::host(name, host))?));
    }
    Ok(text)
}
