//! `hosts/<h>/home.nix`: the blocks of `ssh_config` for home-manager.

use minijinja::context;

use super::{Artifact, ssh_config};
use crate::inputs::Inputs;
use crate::layout;
use crate::problem::Problem;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (name, host) in &inputs.spec.hosts {
        let mut blocks = Vec::new();
        for (archiver_name, archiver) in inputs.archivers_of(host) {
            let directives = ssh_config::directives(inputs, (name, host), (archiver_name, archiver))?;
            let pattern = ssh_config::pattern(inputs, archiver_name).join(" ");
            blocks.push(context! { pattern, directives });
        }
        let text = inputs.render("home.nix.j2", context! { host => name, blocks })?;
        files.push(Artifact::public(layout::host_file(name, "home.nix"), text));
    }
    Ok(files)
}
