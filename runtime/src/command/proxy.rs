//! `dormouse proxy`.

use clap::Args;
use tokio::io::{AsyncWriteExt, copy, stdin, stdout};
use tokio::net::TcpStream;

use crate::context::Context;
use crate::error::{Error, Exit};
use crate::provider::{self, Identity};

/// Arguments of `dormouse proxy`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The archiver
    archiver: String,
    /// TCP port of its ssh server
    port: u16,
}

impl Arguments {
    /// Wakes the archiver and carries bytes between it and stdin and stdout. It goes back to sleep
    /// by itself, after `linger` without a session.
    ///
    /// # Errors
    /// Whatever keeps it asleep, or a connection that fails.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let session = provider::connect(context, &self.archiver, Identity::Host, true).await?;
        let address = session.archiver.endpoint().address.clone();
        let mut stream = TcpStream::connect((address.as_str(), self.port)).await?;
        // From here on ssh's own session keeps it awake.
        session.leave();
        let (mut from, mut to) = stream.split();
        let (mut input, mut output) = (stdin(), stdout());
        let there = async {
            // An error here shows in the other direction too, which is the one that counts.
            let _ = copy(&mut input, &mut to).await;
            let _ = to.shutdown().await;
            std::future::pending::<()>().await;
        };
        let back = async {
            copy(&mut from, &mut output).await?;
            output.flush().await
        };
        // The session is over when the archiver has closed it.
        tokio::select! {
            result = back => result?,
            () = there => {}
        }
        Ok(Exit::Done)
    }
}
