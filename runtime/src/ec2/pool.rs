//! The pool on the volume: made on a blank one, adopted on any other.

mod claims;

use std::time::{Duration, Instant};

use dormouse_generator::reach::KEPT;

use super::failure::Failure;
use super::machine::Machine;
use super::model::Volume;
use crate::archiver::Archiver;
use crate::error::Error;

/// How long the volume's device may need to appear.
const DEVICE: Duration = Duration::from_secs(120);

/// How long an existing pool may need to be imported.
const IMPORT: Duration = Duration::from_secs(300);

/// How often to look.
const LOOK: Duration = Duration::from_millis(500);

/// How much of a blank device's beginning must be zeros, in bytes: more than any partition table
/// or file system leaves alone. A new EBS volume reads as zeros throughout.
const BLANK: &str = "8388608";

/// Makes the pool if the volume is blank, the datasets above the targets, and the rights.
///
/// # Errors
/// [`Failure::NotBlank`] for a volume that holds something else; nothing is changed then.
pub async fn prepare(machine: &Machine<'_>, archiver: &Archiver, volume: &Volume) -> Result<(), Error> {
    let since = Instant::now();
    let pool = machine.archiver.pool.name.as_str();
    let device = device(archiver, volume).await?;
    if is_blank(archiver, &device).await? {
        machine.note(since, &format!("{} is blank; making pool {pool}", volume.id));
        create(machine, archiver, &device, pool).await?;
    } else {
        imported(machine, archiver, volume).await?;
        // It takes what the volume has grown by, if only in a set-up that was killed before this.
        archiver.query(&["zpool", "online", "-e", pool, &device]).await?;
    }
    for target in machine.targets().values().flatten() {
        archiver.create_ancestors(target).await?;
    }
    // It imports the pool and grants each host its rights; it does both at every wake.
    archiver.query(&["systemctl", "restart", "dormouse-pool.service"]).await?;
    archiver.require_pool(pool).await?;
    claims::take_back(machine, archiver).await
}

/// The volume's device by its id. EBS gives the id without its hyphen as the serial number, of
/// which the by-id name ends (EBS user guide, "Map EBS volumes to NVMe device names").
///
/// # Errors
/// [`Failure::Stuck`].
pub async fn device(archiver: &Archiver, volume: &Volume) -> Result<String, Error> {
    let serial = volume.id.replacen('-', "", 1);
    let deadline = Instant::now() + DEVICE;
    loop {
        let listed = archiver.query(&["ls", "/dev/disk/by-id"]).await?;
        if let Some(name) = listed.lines().find(|name| name.ends_with(&serial)) {
            return Ok(format!("/dev/disk/by-id/{name}"));
        }
        if Instant::now() > deadline {
            let (what, seconds) = (volume.id.clone(), DEVICE.as_secs());
            return Err(Failure::Stuck { what, state: "has not appeared in the archiver", seconds }.into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether nothing was ever written there: no signature that blkid(8) knows, and only zeros.
///
/// # Errors
/// When it cannot be asked.
pub async fn is_blank(archiver: &Archiver, device: &str) -> Result<bool, Error> {
    // blkid ends with 2 when it finds nothing, and with 8 when it finds several things.
    if archiver.exit_code(&["blkid", "--probe", device]).await? != 2 {
        return Ok(false);
    }
    Ok(archiver.exit_code(&["cmp", "--silent", "--bytes", BLANK, device, "/dev/zero"]).await? == 0)
}

/// Makes the pool; until its export it may have another name than on its disk.
///
/// # Errors
/// When zpool refuses.
pub async fn create(
    machine: &Machine<'_>,
    archiver: &Archiver,
    device: &str,
    name: &str,
) -> Result<(), Error> {
    let pool = &machine.archiver.pool;
    let ashift = format!("ashift={}", pool.ashift);
    let mut argv = vec!["zpool", "create", "-o", &ashift, "-o", "cachefile=none", "-o", "autoexpand=on"];
    if name != pool.name.as_str() {
        argv.extend(["-t", name]);
    }
    let kept = KEPT.map(|(property, value)| format!("{property}={value}"));
    for property in ["atime=off", "compression=on"].into_iter().chain(kept.iter().map(String::as_str)) {
        argv.extend(["-O", property]);
    }
    argv.extend([pool.name.as_str(), device]);
    archiver.query(&argv).await.map(|_| ())
}

/// Waits for the pool that is on the volume already.
async fn imported(machine: &Machine<'_>, archiver: &Archiver, volume: &Volume) -> Result<(), Error> {
    let pool = machine.archiver.pool.name.as_str();
    let deadline = Instant::now() + IMPORT;
    loop {
        match archiver.require_pool(pool).await {
            Ok(()) => return Ok(()),
            Err(Error::NoPool { .. }) if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            Err(Error::NoPool { detail, .. }) => {
                let (volume, pool) = (volume.id.clone(), pool.to_owned());
                return Err(Failure::NotBlank { volume, pool, detail }.into());
            }
            Err(error) => return Err(error),
        }
    }
}
