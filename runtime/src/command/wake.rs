//! `dormouse wake`.

use clap::Args;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::provider::{self, Identity};

/// Arguments of `dormouse wake`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The archiver
    archiver: String,
}

impl Arguments {
    /// Wakes the archiver; it goes back to sleep by itself after `linger`.
    ///
    /// # Errors
    /// Whatever keeps it asleep.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let session = provider::connect(context, &self.archiver, Identity::Host, true).await?;
        context.say(&format!("{} is awake", self.archiver));
        session.leave();
        Ok(Exit::Done)
    }
}
