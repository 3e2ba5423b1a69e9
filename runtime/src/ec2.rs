//! Archivers on EC2: instances that live only while they are needed.
//!
//! - [`model`]: what EC2 has, as plain values
//! - [`api`]: the calls; the only module that knows the AWS SDK
//! - [`problem`]: what EC2 refuses, and what to do about it
//! - [`wake`], [`sleep`]: an instance comes and goes
//! - [`up`], [`down`]: set-up and teardown
//! - [`bake`]: an image that needs no rebuild
//! - [`token`]: what is written down before an instance is launched
//! - [`poll`]: waiting, bounded
//! - [`price`]: what it costs

pub mod api;
pub mod model;
pub mod poll;
pub mod problem;
pub mod token;
