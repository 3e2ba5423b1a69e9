//! Dormouse's generator: a pure function from a spec and keys to files.
//!
//! - [`spec`]: what a spec can hold
//! - [`name`], [`duration`]: its checked values

pub mod duration;
pub mod name;
pub mod spec;
