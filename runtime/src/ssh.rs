//! ssh to an archiver: one connection a run, shared by all its commands.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Error;
use crate::exec::{self, Exec, Process};
use crate::zfs::stderr::{Meaning, meaning};

/// How long connecting and logging in may take.
const CONNECT: Duration = Duration::from_secs(60);

/// How long a connection may take to close.
const CLOSE: Duration = Duration::from_secs(5);

/// How often to look whether the connection stands.
const LOOK: Duration = Duration::from_millis(10);

/// How an archiver is reached and recognised.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The archiver's name in the spec.
    pub archiver: String,
    /// Host name or address.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// User there.
    pub user: String,
    /// Name under which its key stands in `known_hosts`, whatever its address is.
    pub host_key_alias: String,
    /// The file with its key, and with no other way to trust one.
    pub known_hosts: PathBuf,
    /// The private key that it accepts.
    pub identity: PathBuf,
    /// The ciphers that it may use; its own choice if there are none.
    pub ciphers: Vec<String>,
    /// Whether it compresses.
    pub compresses: bool,
    /// The dataset on which its root keeps all copies below unmounted, if it does: hosts then set nothing about that.
    pub kept: Option<String>,
    /// The ssh program.
    pub program: String,
}

impl Endpoint {
    /// The command line up to the host: nothing of the user's or system's ssh configuration
    /// counts, exactly one identity is offered, exactly one host key is accepted, nobody is asked.
    fn argv(&self, control: &Path) -> Vec<String> {
        let options = [
            "BatchMode=yes".to_owned(),
            "ConnectTimeout=15".to_owned(),
            format!("ControlPath=\"{}\"", literal(control)),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "HostKeyAlgorithms=ssh-ed25519".to_owned(),
            format!("HostKeyAlias={}", self.host_key_alias),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            format!("IdentityFile=\"{}\"", literal(&self.identity)),
            // A peer that went away is noticed within half a minute.
            "ServerAliveInterval=10".to_owned(),
            "ServerAliveCountMax=3".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            format!("UserKnownHostsFile=\"{}\"", literal(&self.known_hosts)),
        ];
        let mut argv = vec![self.program.clone(), "-F".to_owned(), "none".to_owned(), "-T".to_owned()];
        let ciphers = (!self.ciphers.is_empty()).then(|| format!("Ciphers={}", self.ciphers.join(",")));
        let compression = self.compresses.then(|| "Compression=yes".to_owned());
        let options = options.into_iter().chain(ciphers).chain(compression);
        argv.extend(options.flat_map(|option| ["-o".to_owned(), option]));
        argv.extend(["-p".to_owned(), self.port.to_string(), "-l".to_owned(), self.user.clone()]);
        argv.extend(["--".to_owned(), self.address.clone()]);
        argv
    }
}

/// The command line for the shell on the archiver: quoted words, commands joined by `&&`, nothing
/// else. This is the only place that makes one.
///
/// # Errors
/// When an argument holds a NUL byte.
pub fn line(commands: &[Vec<String>]) -> Result<String, Error> {
    let quoted = commands.iter().map(|words| {
        shlex::try_join(words.iter().map(String::as_str)).map_err(|_| Error::Argument(format!("{words:?}")))
    });
    Ok(quoted.collect::<Result<Vec<_>, _>>()?.join(" && "))
}

/// The same for commands whose stdin comes from [`PACK`].
///
/// # Errors
/// As [`line`].
pub fn packed_line(commands: &[Vec<String>]) -> Result<String, Error> {
    Ok(format!("zstd -q -d -c | {{ {}; }}", line(commands)?))
}

/// Packs streams for [`packed_line`].
pub const PACK: [&str; 3] = ["zstd", "-q", "-c"];

/// A path for ssh_config(5), where `%` begins a token.
fn literal(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// A connection that stands.
#[derive(Debug)]
pub struct Connection {
    endpoint: Endpoint,
    control: PathBuf,
    master: Mutex<Process>,
    /// The master's remote command is `cat`. It ends when this end of its stdin closes, which
    /// happens even if we are killed: no connection outlives us and keeps the archiver awake.
    alive: Option<OwnedFd>,
}

impl Connection {
    /// Connects, checks the host key, logs in.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::HostKey`], [`Error::Identity`] or [`Error::Program`].
    pub async fn open(exec: Exec, endpoint: Endpoint, control: PathBuf) -> Result<Self, Error> {
        // A run that was killed leaves its socket; the caller's lock says that nobody uses it.
        let _ = std::fs::remove_file(&control);
        let (stdin, alive) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(std::io::Error::from)?;
        let mut argv = endpoint.argv(&control);
        argv.splice(1..1, ["-M".to_owned()]);
        argv.push("cat".to_owned());
        let mut master = exec.stream(&argv, Some(stdin), None).map_err(Error::Program)?;
        let deadline = Instant::now() + CONNECT;
        // The socket appears once the login has succeeded.
        while !control.exists() {
            if master.has_ended() {
                let finished = master.wait().await.map_err(Error::Program)?;
                return Err(endpoint.refusal(&finished.stderr));
            }
            if Instant::now() > deadline {
                return Err(endpoint.refusal(&format!("no connection after {} s", CONNECT.as_secs())));
            }
            sleep(LOOK).await;
        }
        Ok(Self { endpoint, control, master: Mutex::new(master), alive: Some(alive) })
    }

    /// The local command line that runs `remote` on the archiver over this connection.
    ///
    /// # Errors
    /// When an argument holds a NUL byte, which no shell can take.
    pub fn argv(&self, remote: &[String]) -> Result<Vec<String>, Error> {
        self.chain(std::slice::from_ref(&remote.to_vec()))
    }

    /// The same for commands of which each is run when the one before it has succeeded.
    ///
    /// # Errors
    /// As [`Self::argv`].
    pub fn chain(&self, remote: &[Vec<String>]) -> Result<Vec<String>, Error> {
        Ok(self.command(line(remote)?))
    }

    /// The same for commands whose stdin comes packed.
    ///
    /// # Errors
    /// As [`Self::argv`].
    pub fn packed_chain(&self, remote: &[Vec<String>]) -> Result<Vec<String>, Error> {
        Ok(self.command(packed_line(remote)?))
    }

    fn command(&self, line: String) -> Vec<String> {
        let mut argv = self.endpoint.argv(&self.control);
        argv.push(line);
        argv
    }

    /// Where this connection leads.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the connection still stands.
    pub fn is_alive(&self) -> bool {
        !self.master.lock().unwrap_or_else(PoisonError::into_inner).has_ended()
    }

    /// Closes it, so that the archiver's session is over.
    pub async fn close(mut self) {
        self.alive = None;
        let deadline = Instant::now() + CLOSE;
        while self.is_alive() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.control);
    }
}

impl Endpoint {
    /// What a failed connection means.
    #[must_use]
    pub fn refusal(&self, stderr: &str) -> Error {
        let (archiver, address) = (self.archiver.clone(), format!("{}:{}", self.address, self.port));
        let detail = exec::text(stderr);
        match meaning(stderr) {
            Some(Meaning::HostKeyMismatch) => {
                Error::HostKey { archiver, address, known_hosts: self.known_hosts.clone(), detail }
            }
            Some(Meaning::IdentityRefused) => {
                Error::Identity { archiver, user: self.user.clone(), identity: self.identity.clone(), detail }
            }
            _ => Error::Unreachable { archiver, address, detail },
        }
    }
}
