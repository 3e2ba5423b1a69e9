//! `dormouse down`.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::ec2::down::{self, Inventory};
use crate::ec2::machine::Machine;
use crate::error::{Error, Exit};
use crate::folder;
use crate::lock::Lock;
use crate::output::{ask, confirm, print_json};

/// Arguments of `dormouse down`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The archiver
    archiver: String,
    /// Delete the volume with all backups on it too
    #[arg(long)]
    destroy_data: bool,
    /// With --destroy-data: the archiver's name once more, instead of typing it when asked
    #[arg(long, value_name = "NAME", requires = "destroy_data")]
    confirm: Option<String>,
    /// With --destroy-data: keep a last EBS snapshot of the volume
    #[arg(long, requires = "destroy_data")]
    last_snapshot: bool,
    /// Do not ask about anything but data
    #[arg(short, long)]
    yes: bool,
}

impl Arguments {
    /// Shows what there is, asks, removes it, proves it.
    ///
    /// # Errors
    /// What does not go; running it again goes on from there.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let machine = Machine::find(context, &self.archiver).await?;
        let machine = machine.ok_or_else(|| Error::AlwaysOn { archiver: self.archiver.clone() })?;
        let lock = format!("{}.up", self.archiver);
        let _lock = Lock::take(&folder::runtime()?, &context.spec.name, &lock)?;
        let inventory = Inventory::take(&machine).await?;
        let inventory = if self.destroy_data { inventory } else { inventory.without_volumes() };
        context.say(&format!("{}: remove {}", self.archiver, list(&inventory)));
        if !self.is_confirmed(&inventory)? {
            context.say("nothing was changed");
            return Ok(Exit::Failed);
        }
        down::run(&machine, &inventory, self.last_snapshot).await?;
        if context.json {
            print_json(&json!({ "archiver": self.archiver, "removed": inventory.ids() }))?;
        }
        Ok(Exit::Done)
    }

    /// Data goes only when the archiver's name was given on purpose.
    fn is_confirmed(&self, inventory: &Inventory) -> Result<bool, Error> {
        if inventory.volumes.is_empty() {
            return confirm(self.yes, "Go on?");
        }
        let question = format!("This deletes every backup of {}. Type its name to go on:", self.archiver);
        let typed = match &self.confirm {
            Some(name) => name.clone(),
            None => ask(&question)?,
        };
        Ok(typed == self.archiver)
    }
}

fn list(inventory: &Inventory) -> String {
    let ids = inventory.ids();
    if ids.is_empty() { "nothing, for there is nothing".to_owned() } else { ids.join(", ") }
}
