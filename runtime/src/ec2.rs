//! Archivers on EC2: instances that live only while they are needed.
//!
//! - [`model`]: what EC2 has, as plain values
//! - [`api`]: the calls; the only module that knows the AWS SDK
//! - [`problem`], [`failure`]: what EC2 refuses, what goes wrong, and what to do about it
//! - [`machine`]: one archiver: its spec, tags and files
//! - [`wake`], [`sleep`]: an instance comes and goes
//! - [`up`], [`down`]: set-up and teardown
//! - [`pool`]: the pool on the volume
//! - [`migrate`]: a smaller volume takes its place
//! - [`caller`]: from where ssh is let in
//! - [`bake`]: an image that needs no rebuild
//! - [`token`]: what is written down before an instance is launched
//! - [`poll`]: waiting, bounded
//! - [`price`]: what it costs

pub mod api;
pub mod bake;
pub mod caller;
pub mod down;
pub mod failure;
pub mod machine;
pub mod migrate;
pub mod model;
pub mod poll;
pub mod pool;
pub mod price;
pub mod problem;
pub mod sleep;
pub mod token;
pub mod up;
pub mod wake;
