//! Which run this is, and what started it, from what systemd tells its processes
//! (systemd.exec(5), "Environment Variables in Spawned Processes").

use rand::Rng;
use serde::{Deserialize, Serialize};

/// A run of `dormouse replicate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// 32 hexadecimal digits: systemd's invocation of the unit, else drawn at random.
    pub run: String,
    /// The unit that triggered it, `systemd`, `person` or `process`.
    pub trigger: String,
    /// Whether systemd runs it as a service of its own, and so looks after its end.
    pub is_service: bool,
}

impl Identity {
    /// The identity of this process' run.
    #[must_use]
    pub fn of_this_process() -> Self {
        use std::io::IsTerminal;
        let is_terminal = std::io::stdin().is_terminal();
        Self::from(|name| std::env::var(name).ok(), std::process::id(), is_terminal)
    }

    /// The identity of a process with this environment. A shell in a service inherits the
    /// service's invocation, so it counts only for the process that systemd started itself.
    #[must_use]
    pub fn from(variable: impl Fn(&str) -> Option<String>, pid: u32, is_terminal: bool) -> Self {
        let is_ours = variable("SYSTEMD_EXEC_PID").is_none_or(|started| started == pid.to_string());
        let invocation = variable("INVOCATION_ID").filter(|id| is_ours && is_id(id));
        let trigger = match (&invocation, is_terminal) {
            (Some(_), _) => variable("TRIGGER_UNIT").unwrap_or_else(|| "systemd".to_owned()),
            (None, true) => "person".to_owned(),
            (None, false) => "process".to_owned(),
        };
        let is_service = invocation.is_some();
        Self { run: invocation.unwrap_or_else(random_id), trigger, is_service }
    }
}

/// How systemd says that a service ended (systemd.exec(5), `$SERVICE_RESULT`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEnd {
    /// `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …
    pub service_result: Option<String>,
    /// `exited`, `killed` or `dumped`; none when the process never ran.
    pub exit_code: Option<String>,
    /// The exit status or the name of the signal.
    pub exit_status: Option<String>,
}

impl ServiceEnd {
    /// What systemd tells an `ExecStopPost=`, with the invocation that ended.
    #[must_use]
    pub fn from(variable: impl Fn(&str) -> Option<String>) -> Option<(String, Self)> {
        let service_result = Some(variable("SERVICE_RESULT")?);
        let invocation = variable("INVOCATION_ID").filter(|id| is_id(id))?;
        let (exit_code, exit_status) = (variable("EXIT_CODE"), variable("EXIT_STATUS"));
        Some((invocation, Self { service_result, exit_code, exit_status }))
    }

    /// How a run that ends by itself with this exit code will look to systemd.
    #[must_use]
    pub fn exited(code: u8) -> Self {
        Self {
            service_result: Some(if code == 0 { "success" } else { "exit-code" }.to_owned()),
            exit_code: Some("exited".to_owned()),
            exit_status: Some(code.to_string()),
        }
    }

    /// The exit code, if it exited with one.
    #[must_use]
    pub fn code(&self) -> Option<u8> {
        self.exit_code.as_deref().filter(|code| *code == "exited")?;
        self.exit_status.as_deref()?.parse().ok()
    }

    /// In words: `timeout (killed, TERM)`.
    #[must_use]
    pub fn words(&self) -> String {
        let result = self.service_result.as_deref().unwrap_or("no service");
        match (&self.exit_code, &self.exit_status) {
            (Some(code), Some(status)) => format!("{result} ({code}, {status})"),
            _ => result.to_owned(),
        }
    }
}

/// Names of files are made of it.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn random_id() -> String {
    format!("{:032x}", rand::rng().next_u64() as u128 | u128::from(rand::rng().next_u64()) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn a_service_goes_by_its_invocation_and_its_trigger() {
        let variables = [("INVOCATION_ID", ID), ("SYSTEMD_EXEC_PID", "7"), ("TRIGGER_UNIT", "a.timer")];
        let identity = Identity::from(environment(&variables), 7, false);
        assert_eq!((identity.run.as_str(), identity.trigger.as_str()), (ID, "a.timer"));
        assert_eq!(Identity::from(environment(&variables[..2]), 7, false).trigger, "systemd");
    }

    #[test]
    fn a_shell_inside_of_a_service_is_a_run_of_its_own() {
        let inherited = environment(&[("INVOCATION_ID", ID), ("SYSTEMD_EXEC_PID", "7")]);
        let (first, second) = (Identity::from(&inherited, 8, true), Identity::from(&inherited, 9, false));
        assert_eq!((first.trigger.as_str(), second.trigger.as_str()), ("person", "process"));
        assert!(first.run != second.run && is_id(&first.run) && first.run != ID);
    }

    #[test]
    fn an_invocation_that_is_no_id_never_names_a_file() {
        let forged = environment(&[("INVOCATION_ID", "../../etc/passwd"), ("SERVICE_RESULT", "signal")]);
        assert!(is_id(&Identity::from(&forged, 1, false).run));
        assert_eq!(ServiceEnd::from(&forged), None);
    }

    #[test]
    fn the_end_of_a_service_is_read_as_systemd_tells_it() {
        let told = [("INVOCATION_ID", ID), ("SERVICE_RESULT", "timeout"), ("EXIT_CODE", "killed")];
        let (id, end) =
            ServiceEnd::from(environment(&[told.as_slice(), &[("EXIT_STATUS", "TERM")]].concat())).unwrap();
        assert_eq!((id.as_str(), end.words().as_str(), end.code()), (ID, "timeout (killed, TERM)", None));
        assert_eq!(ServiceEnd::exited(3).code(), Some(3));
        assert_eq!(ServiceEnd::from(environment(&[("INVOCATION_ID", ID)])), None, "not an ExecStopPost");
    }
}
