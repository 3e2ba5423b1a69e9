//! What is changed there besides what arrives.

use dormouse_generator::name::DatasetName;

use super::{Archiver, CHANGE};
use crate::error::Error;
use crate::exec;
use crate::zfs::argv::Make;
use crate::zfs::conflict::Move;
use crate::zfs::stderr::{Meaning, meaning};
use crate::zfs::{Kind, argv};

/// The unit of the generated configuration.nix that gives up partial data; its instances are a user and
/// a dataset.
const ABANDON: &str = "--template=dormouse-abandon@.service";

impl Archiver {
    /// Makes the datasets above `dataset` that are missing, from the pool down.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn create_ancestors(&self, dataset: &DatasetName) -> Result<(), Error> {
        let mut missing = Vec::new();
        let mut ancestor = dataset.parent();
        while let Some(name) = ancestor {
            if name.parent().is_none() || !self.tree(&name, false).await?.is_empty() {
                break;
            }
            ancestor = name.parent();
            missing.push(name);
        }
        for name in missing.iter().rev() {
            self.create_above(name).await?;
        }
        Ok(())
    }

    /// Makes a dataset above a target. One that keeps the copies below unmounted is made so.
    async fn create_above(&self, name: &DatasetName) -> Result<(), Error> {
        match self.endpoint().kept.as_deref() {
            Some(kept) if kept == name.as_str() => self.change(&argv::create_kept(name)).await,
            kept => self.create_placeholder(name, Make { passive: kept.is_none(), keyless: false }).await,
        }
    }

    /// Makes a dataset that only holds others.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create_placeholder(&self, dataset: &DatasetName, make: Make) -> Result<(), Error> {
        self.change(&argv::create_placeholder(dataset, make)).await
    }

    /// Renames a dataset with everything below it, or a snapshot.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub async fn rename(&self, moved: &Move) -> Result<(), Error> {
        self.change(&argv::rename(&moved.from, &moved.to)).await
    }

    /// Gives up the partial data of an interrupted receive. For that zfs asks for the right to destroy,
    /// which no host has on an archiver that we configure: there a unit of root's does it for a host.
    ///
    /// # Errors
    /// [`Error::Partial`] when this user may not, else when zfs refuses.
    pub async fn abandon(&self, dataset: &DatasetName) -> Result<(), Error> {
        let Err(error) = self.exec.run(&self.argv(&argv::abandon(dataset))?, CHANGE).await else {
            return Ok(());
        };
        if meaning(error.stderr()) != Some(Meaning::PermissionDenied) {
            return Err(Error::Program(error));
        }
        let instance = format!("{}:{dataset}", self.endpoint().user);
        let asked = async {
            let unit = self.query(&["systemd-escape", ABANDON, &instance]).await?;
            self.query(&["systemctl", "--no-ask-password", "start", unit.trim_end()]).await
        };
        match asked.await {
            Ok(_) => Ok(()),
            Err(unreachable @ Error::Unreachable { .. }) => Err(unreachable),
            Err(_) => Err(Error::Partial {
                archiver: self.name().to_owned(),
                dataset: dataset.to_string(),
                detail: exec::text(error.stderr()),
            }),
        }
    }

    /// Ends a receive into this dataset whose sender is gone without the archiver having heard of
    /// it. The caller's lock says that no sender of ours is left; what was received is kept.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn end_stale_receive(&self, dataset: &DatasetName, kind: Kind) -> Result<(), Error> {
        // A new copy is received by other commands than what comes after.
        for make in Make::all() {
            let line = literal(&argv::receive(dataset, kind, make).join(" "));
            self.exit_code(&["pkill", "-f", "-x", &line]).await?;
        }
        Ok(())
    }
}

/// A regular expression that matches this text only.
fn literal(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, c| {
        if !c.is_ascii_alphanumeric() && !" /-_=:@".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    })
}
