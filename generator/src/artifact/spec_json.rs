//! `spec.json`: the spec with every default filled in, for the NixOS module and the runtime.

use super::Artifact;
use crate::inputs::{Inputs, defect};
use crate::layout;
use crate::problem::Problem;
use crate::spec::Spec;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    Ok(vec![Artifact::public(layout::SPEC, canonical(inputs.spec)?)])
}

/// The one text that a spec has, whatever the order and layout of its author's file.
pub(super) fn canonical(spec: &Spec) -> Result<String, Vec<Problem>> {
    serde_json::to_string_pretty(spec).map(|text| text + "\n").map_err(|error| defect(&error))
}
