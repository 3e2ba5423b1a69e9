//! Dormouse's generator: a pure function from a spec and keys to files.
//!
//! - [`spec`]: what a spec can hold; [`name`], [`duration`], [`public_key`]: its checked values
//! - [`parse`]: bytes to a spec, or to all [`problem`]s at once; `validate`: which specs make sense
//! - [`source`], [`json_path`]: where in the text a value stands; `suggest`: what was meant
//! - [`secret`], [`keyring`]: the seed, and the keys that derive from it
//! - [`artifact`]: the files, one module each; `inputs`: what they are made from; `template`: how
//!   values are escaped
//! - [`share`]: manual pages and completions of a program
//! - [`reach`], [`layout`]: names and paths that the runtime must agree on
//!
//! Everything that reads, writes or prompts is in the binary (`cli`).

pub mod artifact;
pub mod duration;
mod inputs;
pub mod json_path;
pub mod keyring;
pub mod layout;
pub mod name;
pub mod parse;
pub mod problem;
pub mod public_key;
pub mod reach;
pub mod secret;
pub mod share;
pub mod source;
pub mod spec;
mod suggest;
mod template;
mod validate;

pub use artifact::{Artifact, Contents};
pub use keyring::Keyring;
pub use spec::Spec;

use inputs::Inputs;
use problem::Problem;

/// A hash of who may enter an EC2 archiver's system, and what they may do there: of all its keys, the gate, the targets
/// and the rights. An image with another one lets in whom the spec does not.
///
/// # Errors
/// When the archiver's keys or its gate cannot be written.
pub fn access(spec: &Spec, keyring: &Keyring, archiver: &str) -> Result<String, Vec<Problem>> {
    artifact::access(&Inputs::new(spec, keyring)?, archiver)
}

/// All artifacts of a spec: the same ones, byte for byte, for the same spec and keys. Secret ones
/// only when the keyring has the seed.
///
/// # Errors
/// What only shows in the finished files, such as user data that EC2 would not take.
pub fn generate(spec: &Spec, keyring: &Keyring) -> Result<Vec<Artifact>, Vec<Problem>> {
    let inputs = Inputs::new(spec, keyring)?;
    artifact::KINDS.iter().try_fold(Vec::new(), |mut artifacts, (_, make)| {
        artifacts.extend(make(&inputs, &artifacts)?);
        Ok(artifacts)
    })
}
