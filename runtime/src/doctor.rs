//! Everything that a newcomer gets wrong, in order, each with what to do.
//!
//! - [`finding`]: what a check finds
//! - [`zfs`]: ZFS, the datasets, the rights
//! - [`files`]: generated files, keys and their modes
//! - [`archiver`]: whether archivers answer, or EC2 would let them
//! - [`system`]: ssh, the clock, the units
//! - [`sinks`]: who hears of runs

pub mod archiver;
pub mod files;
pub mod finding;
mod mounts;
mod sinks;
pub mod system;
pub mod zfs;

use self::finding::Finding;
use crate::context::Context;
use crate::error::Error;
use crate::exec;

/// All findings, in the order in which things are to be mended. With `wake`, archivers on EC2 are
/// woken and asked; those that are always on are asked in any case.
///
/// # Errors
/// When the spec has no such host.
pub async fn examine(context: &Context, wake: bool) -> Result<Vec<Finding>, Error> {
    let runs = context.replications(&[])?;
    let mut findings = vec![Finding::good(
        "spec",
        format!("{} has host {:?}", context.spec_path.display(), context.host_name),
    )];
    findings.extend(zfs::examine(context, &runs).await);
    findings.extend(files::examine(context));
    findings.extend(system::ssh(context, &runs).await);
    findings.extend(archiver::examine(context, &runs, wake).await);
    findings.extend(system::clock(context).await);
    findings.extend(system::units(context, &runs).await);
    findings.extend(sinks::examine(context).await);
    Ok(findings)
}

/// What a short command prints.
async fn ask(context: &Context, argv: &[&str]) -> Result<String, exec::Error> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    context.exec.run(&argv, std::time::Duration::from_secs(30)).await
}
