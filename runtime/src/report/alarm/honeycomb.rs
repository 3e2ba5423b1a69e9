//! A trigger of Honeycomb that fires when no successful run was seen (Honeycomb API, "Triggers").

use std::time::Duration;

use dormouse_generator::spec::Honeycomb;
use serde_json::{Value, json};

use super::Watched;
use crate::report::http::Request;
use crate::report::sink::Trouble;
use crate::report::sink::honeycomb::{authorized, url};

/// How often a trigger may be evaluated, in seconds.
const OFTEN: u64 = 60;

/// Makes the trigger, or changes it to what the spec says.
///
/// # Errors
/// [`Trouble`].
pub async fn apply(sink: &Honeycomb, watched: &Watched<'_>, deadline: Duration) -> Result<String, Trouble> {
    let (triggers, wanted) = (url(sink, "triggers"), trigger(sink, watched));
    let name = wanted["name"].as_str().unwrap_or_default().to_owned();
    let answer = authorized(sink, Request::get(&triggers))?.send(deadline).await?;
    let strange = |_| Trouble::Strange("the list of triggers is none".to_owned());
    let all: Vec<Value> = serde_json::from_str(&answer).map_err(strange)?;
    let Some(found) = all.iter().find(|trigger| trigger["name"] == wanted["name"]) else {
        authorized(sink, Request::post(&triggers, &wanted))?.send(deadline).await?;
        return Ok(format!("made trigger {name:?}"));
    };
    if holds(found, &wanted) {
        return Ok(format!("trigger {name:?} is as the spec says"));
    }
    let id = found["id"].as_str().ok_or_else(|| Trouble::Strange("a trigger has no id".to_owned()))?;
    authorized(sink, Request::put(format!("{triggers}/{id}"), &wanted))?.send(deadline).await?;
    Ok(format!("changed trigger {name:?}"))
}

/// The trigger: it counts successful runs. Its query may look back over four evaluations.
#[must_use]
pub fn trigger(sink: &Honeycomb, watched: &Watched<'_>) -> Value {
    let equals = |column: &str, value: Value| json!({ "column": column, "op": "=", "value": value });
    let recipient = |who: &String| match who.contains('@') {
        true => json!({ "type": "email", "target": who }),
        false => json!({ "id": who }),
    };
    json!({
        "name": format!("dormouse {}", watched.slug()),
        "description": watched.text(),
        "query": {
            "time_range": watched.alert_after,
            "calculations": [{ "op": "COUNT" }],
            "filter_combination": "AND",
            "filters": [
                equals("spec", watched.spec.into()),
                equals("host", watched.host.into()),
                equals("replication", watched.replication.into()),
                equals("success", true.into()),
            ],
        },
        "threshold": { "op": "<", "value": 1 },
        "frequency": watched.alert_after.div_ceil(4).next_multiple_of(OFTEN),
        "disabled": false,
        "recipients": sink.recipients.iter().map(recipient).collect::<Vec<_>>(),
    })
}

/// Whether everything that is wanted is there; services add fields of their own.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && wanted.iter().all(|value| found.iter().any(|found| holds(found, value)))
        }
        (Value::Number(found), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
        _ => found == wanted,
    }
}
