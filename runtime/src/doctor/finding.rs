//! What a check finds.

use serde::Serialize;

/// What a check finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// How it is.
    pub state: State,
    /// In words.
    pub detail: String,
    /// What to do; none where nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Good,
    /// To be mended.
    Bad,
    /// Not known, or a matter of taste; backups work all the same.
    Note,
}

impl Finding {
    /// Something is as it should be.
    #[must_use]
    pub fn good(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Good, detail: detail.into(), fix: None }
    }

    /// Something is to be mended.
    #[must_use]
    pub fn bad(check: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Bad, detail: detail.into(), fix: Some(fix.into()) }
    }

    /// Something may be as it should be.
    #[must_use]
    pub fn note(check: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Note, ..Self::bad(check, detail, fix) }
    }

    /// For a person.
    #[must_use]
    pub fn words(&self) -> String {
        let sign = match self.state {
            State::Good => '✓',
            State::Bad => '✗',
            State::Note => '-',
        };
        let fix = self.fix.as_ref().map(|fix| format!("\n    {fix}")).unwrap_or_default();
        format!("{sign} {}: {}{fix}", self.check, self.detail)
    }
}
