//! What to do about each error.

use super::Error;
use crate::exec;

impl Error {
    /// What to do next; whether the data is safe, where that may be in doubt.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Spec(_) => {
                "mend the spec; `dormouse-generate` shows every problem of it at once".to_owned()
            }
            Self::NoSpec { .. } => "name it with --spec, or make one: `dormouse-generate init`".to_owned(),
            Self::UnknownHost { .. } => "name one with --host, or add this host to the spec".to_owned(),
            Self::UnknownReplication { .. } => "name one of these, or none to run them all".to_owned(),
            Self::MissingFile { .. } => {
                "run `dormouse-generate` on the machine that has the seed, then bring the file here; \
                 --generated and --secrets name other folders"
                    .to_owned()
            }
            Self::Locked { .. } => {
                "nothing was changed; wait for that run, or look at it: `dormouse status`".to_owned()
            }
            Self::Folder { .. } => {
                "make it writable for this user, or set RUNTIME_DIRECTORY and STATE_DIRECTORY".to_owned()
            }
            Self::NotOurs { path, .. } => format!(
                "nothing was done; `ls -ld {}` shows who made it: remove it, or set RUNTIME_DIRECTORY and \
                 STATE_DIRECTORY to folders of this user",
                path.display()
            ),
            Self::NoState => "set STATE_DIRECTORY to a folder of this user".to_owned(),
            Self::Unreachable { address, .. } => format!(
                "backups are intact, and what was received is kept; try `ssh -v {}`, then run the same command again",
                address.replace(':', " -p ")
            ),
            Self::HostKey { known_hosts, .. } => format!(
                "nothing was sent; if the archiver was given a new key on purpose, run `dormouse-generate` and install \
                 the new {}; if not, somebody may be in between",
                known_hosts.display()
            ),
            Self::Identity { user, .. } => format!(
                "nothing was sent; put this host's line of generated/archivers/…/authorized_keys into \
                 ~{user}/.ssh/authorized_keys on the archiver"
            ),
            Self::NoPool { pool, .. } => {
                format!("nothing was sent; as root on the archiver: `zpool import -N {pool}` says why")
            }
            Self::Pool { .. } => {
                "what this host has is intact; as root on the archiver, `zpool status -v` names the \
                 data that is hit; bring what is sound elsewhere before the volume fails"
                    .to_owned()
            }
            Self::NoSource { .. } => {
                "nothing was sent; see `zfs list`, then mend `source` in the spec".to_owned()
            }
            Self::SourceStays { dataset } => format!(
                "nothing was sent; `zfs get -o all dormouse:replicate {dataset}` shows where it comes from; take the \
                 replication out of the spec, or `zfs inherit` the property there"
            ),
            Self::Listing { .. } => {
                "nothing was sent, since an unread list is not an empty one; run it again".to_owned()
            }
            Self::Chatter { user, .. } => format!(
                "nothing was sent; if the login shell of {user} prints that there, let it be silent when nobody types: in \
                 ~/.bashrc, `[[ $- == *i* ]] || return` comes first"
            ),
            Self::Partial { dataset, .. } => format!(
                "every snapshot that has arrived is intact; as root on the archiver: `zfs receive -A {dataset}` gives up \
                 the partial data, and nothing else"
            ),
            Self::UnknownArchiver { .. } => "name one of these".to_owned(),
            Self::AlwaysOn { .. } => "use it as it is: `dormouse replicate`".to_owned(),
            Self::NoProxy { archiver } => format!(
                "nothing was woken; `ssh {archiver}` starts it; a ssh_config of your own needs \
                 `ProxyUseFdpass yes` beside the ProxyCommand"
            ),
            Self::NoTarget { dataset, .. } => format!(
                "nothing was changed, and other datasets are sent; give it a shorter name with `zfs rename`, or \
                 `exclude` {dataset} in the spec"
            ),
            Self::NoRetention { archiver } => format!(
                "add `retention` to {archiver:?}, such as {{ \"frequent\": 4, \"hourly\": 48 }}; then \
                 `dormouse-generate` and `dormouse up {archiver}`"
            ),
            Self::OlderConfiguration { archiver } => {
                format!("nothing was let go; bring it up to date: `dormouse up {archiver}`")
            }
            Self::NotPruned { archiver, .. } => format!(
                "nothing went but what its retention names, and the rest is still there; it tries again \
                 whenever it wakes, or: `dormouse prune {archiver}`"
            ),
            Self::Ec2(failure) => failure.help(),
            Self::Restore(refusal) => refusal.help(),
            Self::Drill(trouble) => trouble.help(),
            Self::ServiceState { .. } => "ask as root: `sudo dormouse status`".to_owned(),
            Self::NoAlarm => "set `recipients` of `honeycomb`, `healthchecks` of `ping` or `rules_file` of \
                 `prometheus` in this host's `report`"
                .to_owned(),
            Self::Alarm { source, .. } => source.help().to_owned(),
            Self::Program(exec::Error::TooMuch { .. }) => {
                "backups are intact; no listing of ZFS is that long: find out who controls the machine that answered \
                 before you connect to it again"
                    .to_owned()
            }
            Self::Program(_) | Self::Argument(_) | Self::System(_) => {
                "backups are intact; mend the cause, then run the same command again".to_owned()
            }
            Self::Interrupted(_) => {
                "what was received is kept; run the same command again to go on".to_owned()
            }
        }
    }
}
