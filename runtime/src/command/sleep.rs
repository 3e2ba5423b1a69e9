//! `dormouse sleep`.

use std::time::Instant;

use clap::Args;

use crate::context::Context;
use crate::ec2::machine::Machine;
use crate::ec2::sleep;
use crate::error::{Error, Exit};
use crate::provider::session;

/// Arguments of `dormouse sleep`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The archiver
    archiver: String,
    /// Terminate it without asking it, even if others use it
    #[arg(long)]
    now: bool,
}

impl Arguments {
    /// Sends the archiver to sleep, unless somebody uses it.
    ///
    /// # Errors
    /// [`crate::ec2::failure::Failure::MayStillRun`] unless its end was seen.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let machine = Machine::find(context, &self.archiver).await?;
        let machine = machine.ok_or_else(|| Error::AlwaysOn { archiver: self.archiver.clone() })?;
        let mut exit = Exit::Done;
        for instance in sleep::remaining(&machine).await? {
            if self.now {
                let ended = sleep::terminate(&machine, &instance.id).await;
                ended.map_err(|error| sleep::may_still_run(&machine, &instance.id, &error))?;
            } else if instance.is_live() && session::ask_to_sleep(&machine, &instance).await? > 0 {
                context.say(&format!("{} stays awake: others use {}", self.archiver, instance.id));
                exit = Exit::StillRunning;
            } else {
                sleep::see_off(&machine, &instance, Instant::now()).await?;
            }
        }
        if exit == Exit::Done {
            context.say(&format!("{} is asleep", self.archiver));
        }
        Ok(exit)
    }
}
