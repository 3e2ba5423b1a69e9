//! `dormouse proxy`.

use std::io::{IoSlice, stdout};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use clap::Args;
use rustix::fs::{FileType, fstat};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
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
    /// Wakes the archiver, connects to it, and leaves the connection to ssh (ssh_config(5),
    /// `ProxyUseFdpass`), so that nothing of ours stands between the two. It goes back to sleep by itself,
    /// after `linger` without a session.
    ///
    /// # Errors
    /// [`Error::NoProxy`], whatever keeps it asleep, or a connection that fails.
    pub async fn run(&self, context: &Context) -> Result<Exit, Error> {
        let output = fstat(stdout()).map_err(std::io::Error::from)?;
        if !FileType::from_raw_mode(output.st_mode).is_socket() {
            return Err(Error::NoProxy { archiver: self.archiver.clone() });
        }
        let session = provider::connect(context, &self.archiver, Identity::Host, true).await?;
        let address = session.archiver.endpoint().address.clone();
        let stream = TcpStream::connect((address.as_str(), self.port)).await?;
        // ssh sets this itself, but only after the login, of which it sends some messages in two halves:
        // the second would wait until the first has been acknowledged.
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        hand_over(&stream)?;
        // From here on ssh's own session keeps it awake.
        session.leave();
        Ok(Exit::Done)
    }
}

/// Sends an open file to whoever holds the other end of stdout, with a byte that carries it (unix(7),
/// `SCM_RIGHTS`).
fn hand_over(file: &impl AsFd) -> std::io::Result<()> {
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(stdout(), &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}
