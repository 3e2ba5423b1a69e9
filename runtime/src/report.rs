//! Every run reports, and a run that could not is reported by the next who looks.
//!
//! - [`run`]: which run this is, and what started it
//! - [`clock`]: how long its phases take
//! - [`event`]: what is told about it, made from its outcome
//! - [`spool`]: events on the disk until they are sent, and for a while after
//! - [`seen`]: what was last seen of replications and archivers
//! - [`known`]: that, from every folder that tells it; [`health`]: how things stand by it
//! - [`deliver`]: events to [`sink`]s, in bounded time
//! - [`http`], [`secret`]: one request; what a service must be told and nobody else
//! - [`page`]: the same for a browser
//! - [`alarm`]: what goes off when runs are missing
//! - [`recorder`]: what `dormouse replicate` does of all this
//!
//! An event is on the disk before anybody is told of it, and reporting never fails a backup.

pub mod alarm;
pub mod clock;
pub mod deliver;
pub mod event;
pub mod health;
pub mod http;
pub mod known;
pub mod page;
pub mod recorder;
pub mod run;
pub mod secret;
pub mod seen;
pub mod sink;
pub mod spool;
