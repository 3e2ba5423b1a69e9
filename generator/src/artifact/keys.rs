//! `keys/**.pub`: the public half of every key, so that `--check` needs no seed.

use super::Artifact;
use crate::inputs::Inputs;
use crate::problem::Problem;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let file = |(id, pair): (&crate::keyring::KeyId, &crate::keyring::KeyPair)| {
        Artifact::public(id.public_path(), format!("{}\n", pair.public))
    };
    Ok(inputs.keys.iter().map(file).collect())
}
