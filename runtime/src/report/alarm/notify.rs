//! Whom the host itself tells that a replication is late: for those who have no service that
//! watches. It is told once a day, and once more when all is well again.

use std::time::Duration;

use dormouse_generator::spec::Notify;
use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::report::health::Replication;
use crate::report::http::Request;
use crate::report::secret::Secret;
use crate::report::sink::{Trouble, command};

/// How often a replication that stays late is told of, in seconds.
const AGAIN: i64 = 86_400;

/// How long one of them may take.
const EACH: Duration = Duration::from_secs(60);

/// What was told of a replication that was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When, in seconds since 1970.
    pub at: i64,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// On one line.
    pub title: String,
    /// More of it.
    pub text: String,
}

/// What is to be told of a replication now, if anything.
#[must_use]
pub fn message(host: &str, replication: &Replication, told: Option<Told>, now: i64) -> Option<Message> {
    let name = &replication.replication;
    let text = format!("{}\n\n`dormouse status` on {host} says more.\n", replication.words(now));
    match (replication.late, told) {
        (true, Some(Told { at })) if now - at < AGAIN => None,
        (true, _) => Some(Message { title: format!("{host}: backup {name} is late"), text }),
        (false, Some(_)) => Some(Message { title: format!("{host}: backup {name} is well again"), text }),
        (false, None) => None,
    }
}

/// Tells everybody; returns who could not be told.
pub async fn tell(notify: &Notify, message: &Message, exec: Exec) -> Vec<(&'static str, Trouble)> {
    let mut troubles = Vec::new();
    if let Some(address) = &notify.mail {
        let Message { title, text } = message;
        let mail = format!("To: {address}\nSubject: {title}\nAuto-Submitted: auto-generated\n\n{text}");
        let argv = ["sendmail", "-i", "--", address].map(str::to_owned);
        troubles.extend(command::feed(&argv, &mail, exec, EACH).await.err().map(|error| ("mail", error)));
    }
    if let Some(ntfy) = &notify.ntfy {
        troubles.extend(publish(&ntfy.url_file, message).await.err().map(|error| ("ntfy", error)));
    }
    if !notify.command.is_empty() {
        let text = format!("{}\n\n{}", message.title, message.text);
        let fed = command::feed(&notify.command, &text, exec, EACH).await;
        troubles.extend(fed.err().map(|error| ("command", error)));
    }
    troubles
}

/// Publishes to a topic (ntfy, "Publishing").
async fn publish(url_file: &str, message: &Message) -> Result<(), Trouble> {
    let url = Secret::read("notify.ntfy.url_file", url_file)?;
    let request = Request::post_text(url.reveal(), &message.text);
    let request =
        request.header("Title", &message.title).header("Priority", "high").header("Tags", "warning");
    request.send(EACH).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::health;

    #[test]
    fn one_that_is_late_is_told_of_once_a_day_and_when_it_is_well_again() {
        let late = health::replication("safe", "nas", None, 3_600, 0);
        let well = Replication { late: false, ..late.clone() };
        let title = |one: &Replication, told: Option<i64>| {
            message("desktop", one, told.map(|at| Told { at }), 100_000).map(|message| message.title)
        };
        assert_eq!(title(&late, None).unwrap(), "desktop: backup safe is late");
        assert_eq!(title(&late, Some(100_000 - AGAIN + 1)), None);
        assert!(title(&late, Some(100_000 - AGAIN)).is_some());
        assert_eq!(title(&well, Some(0)).unwrap(), "desktop: backup safe is well again");
        assert_eq!(title(&well, None), None);
    }
}
