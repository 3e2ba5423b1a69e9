//! What an archiver lets go.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many automatic snapshots of each class an archiver keeps of each dataset. One more is let go
/// only when it is also older than so many of the class's periods, so that no flood of new snapshots
/// drives out the old ones. A class that is not named is kept whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Those of every 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequent: Option<u32>,
    /// Those of every hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hourly: Option<u32>,
    /// Those of every day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily: Option<u32>,
    /// Those of every week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly: Option<u32>,
    /// Those of every month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly: Option<u32>,
}

impl Retention {
    /// The classes that are named, with how many of each are kept.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u32> {
        let all = [
            ("frequent", self.frequent),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
        ];
        all.into_iter().filter_map(|(class, count)| Some((class, count?))).collect()
    }
}
