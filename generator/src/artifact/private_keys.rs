//! The private half of every key, with the public half beside it, as ssh-keygen leaves them; and the keys that
//! sign records of properties.

use super::Artifact;
use crate::inputs::Inputs;
use crate::layout;
use crate::problem::Problem;
use crate::secret::Secret;

pub(crate) fn make(inputs: &Inputs, _: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    for (id, pair) in &inputs.keys {
        if let Some(private) = &pair.private {
            let path = id.private_path();
            let public = format!("{}\n", pair.public).into_bytes();
            files.push(Artifact::secret(format!("{path}.pub"), Secret::new(public)));
            files.push(Artifact::secret(path, Secret::new(private.expose().to_vec())));
        }
    }
    for (host, key) in &inputs.record_keys {
        files.push(Artifact::secret(layout::record_key(host), Secret::new(key.expose().to_vec())));
    }
    Ok(files)
}
