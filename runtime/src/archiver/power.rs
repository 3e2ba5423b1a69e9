//! Its units, who uses it, and its power-off.

use super::Archiver;
use crate::error::Error;

impl Archiver {
    /// The state of a systemd unit there, as systemd names it: `active`, `activating`, `failed`, …
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn unit_state(&self, unit: &str) -> Result<String, Error> {
        let shown = self.query(&["systemctl", "show", "--property=ActiveState", "--value", unit]).await?;
        Ok(shown.trim_end().to_owned())
    }

    /// Powers it off unless somebody else has a session; returns how many others there are.
    ///
    /// # Errors
    /// When it cannot be asked, or refuses.
    pub async fn power_off(&self) -> Result<usize, Error> {
        let others = self.other_sessions().await?;
        if others > 0 {
            return Ok(others);
        }
        match self.shut_down().await {
            Ok(()) => Ok(0),
            // It refuses when somebody has come in between: then that one lets it sleep.
            Err(error) => match self.other_sessions().await? {
                0 => Err(error),
                others => Ok(others),
            },
        }
    }

    /// Powers it off.
    ///
    /// # Errors
    /// When it refuses: as a host, because somebody else has a session.
    pub async fn shut_down(&self) -> Result<(), Error> {
        match self.query(&["systemctl", "poweroff"]).await {
            // The connection may go before the answer comes.
            Ok(_) | Err(Error::Unreachable { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How many sessions there are besides this one.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn other_sessions(&self) -> Result<usize, Error> {
        let listed = self.query(&["loginctl", "list-sessions", "--json=short"]).await?;
        Ok(sessions(&listed)?.saturating_sub(1))
    }
}

/// Counts the sessions of `loginctl list-sessions --json=short`. Since systemd 256 it lists each
/// user's service manager too, which is nobody's session; root's own are of class `user-early`.
fn sessions(json: &str) -> Result<usize, Error> {
    #[derive(serde::Deserialize)]
    struct Session {
        #[serde(default)]
        class: Option<String>,
    }
    let sessions: Vec<Session> = serde_json::from_str(json).map_err(std::io::Error::from)?;
    let is_manager =
        |session: &&Session| session.class.as_deref().is_some_and(|class| class.starts_with("manager"));
    Ok(sessions.iter().filter(|session| !is_manager(session)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_of_users_are_counted() {
        let json = r#"[{"session":"1","uid":0,"user":"root","seat":null,"leader":9,"class":"user","tty":null,"idle":false,"since":null},
            {"session":"2","uid":0,"user":"root","seat":null,"leader":10,"class":"manager-early","tty":null,"idle":false,"since":null},
            {"session":"3","uid":0,"user":"root","seat":null,"leader":11,"class":"user-early","tty":null,"idle":false,"since":null},
            {"session":"4","uid":999,"user":"u","seat":null,"leader":12,"class":"manager","tty":null,"idle":false,"since":null}]"#;
        assert_eq!(sessions(json).unwrap(), 2);
        assert_eq!(sessions(r#"[{"session":"1","uid":0,"user":"root","seat":"","tty":""}]"#).unwrap(), 1);
        assert!(sessions("no sessions").is_err());
    }
}
