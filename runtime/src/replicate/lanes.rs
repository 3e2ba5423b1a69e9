//! Connections for large streams.
//!
//! On a long line, a connection carries one buffer per round trip. OpenSSH gives a channel a window of 2 MiB
//! (`CHAN_SES_WINDOW_DEFAULT` in channels.h). Linux gives a connection 4 MiB for unacknowledged data and its
//! overhead (tcp(7), `tcp_wmem`). So the channels of one connection share little more than one channel can
//! use: docs/design.md has the measurements.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::archiver::Archiver;
use crate::context::Context;
use crate::{log, provider};

/// Logins at once. By default sshd drops some at random once ten are pending (sshd_config(5),
/// `MaxStartups`), and other hosts log in too.
const LOGINS: usize = 4;

/// A run's connections to one archiver.
#[derive(Debug)]
pub struct Lanes<'a> {
    context: &'a Context,
    first: &'a Archiver,
    logins: Semaphore,
    state: Mutex<State>,
    /// Signals the end of a login.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a large stream uses the first connection.
    is_taken: bool,
    /// Others that nothing uses.
    idle: Vec<Archiver>,
    /// Logins of [`Lanes::prepare`] that are under way.
    opening: usize,
    /// Streams that wait for one of those.
    waiting: usize,
    /// Whether the archiver refused another one.
    is_refused: bool,
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub struct Lane<'l> {
    lanes: &'l Lanes<'l>,
    /// None for the first connection.
    own: Option<Archiver>,
    takes_first: bool,
}

impl<'a> Lanes<'a> {
    /// Only the first connection; others are opened when they are needed.
    #[must_use]
    pub fn new(context: &'a Context, first: &'a Archiver) -> Self {
        Self {
            context,
            first,
            logins: Semaphore::new(LOGINS),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Opens connections beside the first, for streams that are about to start. A login takes ten round trips.
    pub async fn prepare(&self, count: usize) {
        self.state().opening += count;
        join_all((0..count).map(|_| async {
            let opened = self.open().await;
            let mut state = self.state();
            state.idle.extend(opened);
            state.opening -= 1;
            self.changed.notify_waiters();
        }))
        .await;
    }

    /// The first connection, whatever else uses it.
    #[must_use]
    pub fn shared(&self) -> Lane<'_> {
        Lane { lanes: self, own: None, takes_first: false }
    }

    /// A connection that no other large stream uses.
    pub async fn own(&self) -> Lane<'_> {
        let takes_first = !std::mem::replace(&mut self.state().is_taken, true);
        if takes_first {
            return Lane { lanes: self, own: None, takes_first };
        }
        self.another().await
    }

    /// One beside the first. Should the archiver refuse that, the first.
    pub async fn another(&self) -> Lane<'_> {
        let own = loop {
            let changed = self.changed.notified();
            if let Some(idle) = self.state().idle() {
                break Some(idle);
            }
            if !self.state().waits() {
                break self.open().await;
            }
            changed.await;
            self.state().waiting -= 1;
        };
        Lane { lanes: self, own, takes_first: false }
    }

    async fn open(&self) -> Option<Archiver> {
        let _login = self.logins.acquire().await.ok()?;
        if self.state().is_refused || !self.first.is_alive() {
            return None;
        }
        match provider::another(self.context, self.first).await {
            Ok(archiver) => Some(archiver),
            Err(error) => {
                log::detail(&format!("large streams share the connections that there are: {error}"));
                self.state().is_refused = true;
                None
            }
        }
    }

    /// Closes all but the first.
    pub async fn close(self) {
        let idle = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).idle;
        let closing: JoinSet<()> = idle.into_iter().map(Archiver::close).collect();
        closing.join_all().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn idle(&mut self) -> Option<Archiver> {
        while let Some(idle) = self.idle.pop() {
            if idle.is_alive() {
                return Some(idle);
            }
        }
        None
    }

    /// Waits for a login that is under way, if there is one left.
    fn waits(&mut self) -> bool {
        let waits = self.waiting < self.opening;
        self.waiting += usize::from(waits);
        waits
    }
}

impl Lane<'_> {
    /// The archiver at its end.
    #[must_use]
    pub fn archiver(&self) -> &Archiver {
        self.own.as_ref().unwrap_or(self.lanes.first)
    }

    /// Drops a connection that broke. Its process may not have ended yet.
    pub fn abandon(mut self) {
        self.own = None;
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.state();
        state.is_taken &= !self.takes_first;
        state.idle.extend(self.own.take());
    }
}
