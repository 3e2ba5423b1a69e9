//! Dormouse's generator: a pure function from a spec and keys to files.
//!
//! - [`spec`]: what a spec can hold; [`name`], [`duration`], [`public_key`]: its checked values
//! - [`parse`]: bytes to a spec, or to all [`problem`]s at once; `validate`: which specs make sense
//! - [`source`], [`json_path`]: where in the text a value stands
//! - [`reach`], [`layout`]: names and paths that the runtime must agree on

pub mod duration;
pub mod json_path;
pub mod layout;
pub mod name;
pub mod parse;
pub mod problem;
pub mod public_key;
pub mod reach;
pub mod source;
pub mod spec;
mod suggest;
mod validate;
