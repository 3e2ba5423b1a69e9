//! `dormouse up`.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::ec2::machine::Machine;
use crate::ec2::up;
use crate::error::{Error, Exit};
use crate::folder;
use crate::lock::Lock;
use crate::output::{confirm, print_json};

/// Arguments of `dormouse up`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The archiver
    archiver: String,
    /// If the volume is bigger than the spec says: copy everything to a smaller one, which takes
    /// its place; the old one is kept
    #[arg(long)]
    migrate: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Arguments {
    /// Shows what is missing and what it costs, asks, makes it.
    ///
    /// # Errors
    /// What keeps it from being made; running it again goes on from there.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let machine = Machine::find(context, &self.archiver).await?;
        let machine = machine.ok_or_else(|| Error::AlwaysOn { archiver: self.archiver.clone() })?;
        let lock = format!("{}.up", self.archiver);
        let _lock = Lock::take(&folder::runtime()?, &context.spec.name, &lock)?;
        let steps = up::plan(&machine, self.migrate).await?;
        up::ask(&machine, &steps).await?;
        context.say(&format!("{}:", self.archiver));
        for step in &steps {
            context.say(&format!("  {}", up::words(&machine, step)));
        }
        context.say(&format!("  {}", up::cost(&machine)?));
        if !confirm(self.yes, "Go on?")? {
            return Ok(Exit::Failed);
        }
        up::run(&machine, &steps).await?;
        if context.json {
            let steps: Vec<String> = steps.iter().map(|step| up::words(&machine, step)).collect();
            print_json(&json!({ "archiver": self.archiver, "steps": steps }))?;
        }
        Ok(Exit::Done)
    }
}
