//! `dormouse doctor`.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::doctor;
use crate::doctor::finding::State;
use crate::error::{Error, Exit};
use crate::output::{count, out, print_json};

/// Arguments of `dormouse doctor`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Wake archivers that sleep, and ask them too
    #[arg(long)]
    wake: bool,
}

impl Arguments {
    /// Checks everything and changes nothing; exits with 1 when something is to be mended.
    ///
    /// # Errors
    /// When the spec has no such host.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let findings = doctor::examine(context, self.wake).await?;
        let bad = findings.iter().filter(|finding| finding.state == State::Bad).count();
        if context.json {
            print_json(&json!({ "findings": findings, "bad": bad }))?;
        } else {
            findings.iter().for_each(|finding| out!("{}", finding.words()));
            out!("{}", if bad == 0 { "all is well".to_owned() } else { count(bad, "thing") + " to fix" });
        }
        Ok(if bad == 0 { Exit::Done } else { Exit::Failed })
    }
}
