//! The files that are generated: one module each, and one row in `KINDS`.

mod authorized_keys;
mod configuration;
mod gate;
mod home;
mod iam_policy;
mod keys;
mod known_hosts;
mod manifest;
mod nixos;
mod private_keys;
mod spec_json;
mod ssh_config;
pub mod user_data;

pub(crate) use configuration::access;
pub use manifest::Manifest;

use crate::inputs::Inputs;
use crate::problem::Problem;
use crate::secret::Secret;

/// A file that is generated.
pub struct Artifact {
    /// Its path in the folder that its contents belong to, with `/`.
    pub path: String,
    /// What it holds, and who may read it.
    pub contents: Contents,
}

/// What a file holds, and who may read it.
pub enum Contents {
    /// For everyone, in the public folder: committed, and copied into the Nix store.
    Public(String),
    /// For the owner alone, in the secrets folder.
    Secret(Secret),
}

impl Artifact {
    pub(crate) fn public(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), contents: Contents::Public(text.into()) }
    }

    pub(crate) fn secret(path: impl Into<String>, secret: Secret) -> Self {
        Self { path: path.into(), contents: Contents::Secret(secret) }
    }

    /// Its text, if everyone may read it.
    #[must_use]
    pub fn public_text(&self) -> Option<&str> {
        match &self.contents {
            Contents::Public(text) => Some(text),
            Contents::Secret(_) => None,
        }
    }
}

/// Makes the files of one kind, given those of the rows above.
type Make = fn(&Inputs, &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>>;

/// Every kind of artifact by the name of its module. The manifest sums up all others.
pub(crate) const KINDS: [(&str, Make); 13] = [
    ("spec_json", spec_json::make),
    ("keys", keys::make),
    ("known_hosts", known_hosts::make),
    ("configuration", configuration::make),
    ("iam_policy", iam_policy::make),
    ("authorized_keys", authorized_keys::make),
    ("gate", gate::make),
    ("nixos", nixos::make),
    ("home", home::make),
    ("ssh_config", ssh_config::make),
    ("private_keys", private_keys::make),
    ("user_data", user_data::make),
    ("manifest", manifest::make),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn the_table_is_the_folder() {
        let files: BTreeSet<String> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/artifact"))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(files, KINDS.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn the_manifest_comes_last() {
        assert_eq!(KINDS.last().unwrap().0, "manifest");
    }
}
