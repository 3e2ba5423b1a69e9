//! Of EC2 archivers.

use super::Artifact;
use crate::inputs::Inputs;
use crate::problem::Problem;

pub(crate) fn make(_: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    Ok(Vec::new())
}
