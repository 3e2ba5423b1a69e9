//! `manifest.json`: every public file and its hash. Hashes of secrets are no business of readers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Artifact, spec_json};
use crate::inputs::{Inputs, defect};
use crate::layout;
use crate::problem::Problem;

/// The manifest's format.
const VERSION: u32 = 1;

/// What a run generated.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The manifest's format.
    pub version: u32,
    /// SHA-256 of `spec.json`.
    pub spec_sha256: String,
    /// SHA-256 of each file in the public folder but this one, by its path.
    pub artifacts: BTreeMap<String, String>,
}

pub(crate) fn make(inputs: &Inputs, others: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let hash = |artifact: &Artifact| Some((artifact.path.clone(), sha256(artifact.public_text()?)));
    let manifest = Manifest {
        version: VERSION,
        spec_sha256: sha256(&spec_json::canonical(inputs.spec)?),
        artifacts: others.iter().filter_map(hash).collect(),
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| defect(&error))?;
    Ok(vec![Artifact::public(layout::MANIFEST, text + "\n")])
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
