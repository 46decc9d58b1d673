//! An account: a project with its service plan, its keys, groups, texts and consent lists.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::group::Group;
use crate::simulator::sinch::door::reply::stamp;
use crate::simulator::sinch::hooks::Hooks;

/// How long texts are kept, both ways.
const KEPT: TimeDelta = TimeDelta::days(14);

/// What opens an account; the default opens a lone one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// The project, for tokens by OAuth 2.0.
    pub project_id: String,
    /// The service plan, for a token of its own.
    pub service_plan_id: String,
    /// The service plan's token.
    pub api_token: String,
    /// The id of the project's access key.
    pub key_id: String,
    /// Its secret.
    pub key_secret: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            project_id: "project-1".to_owned(),
            service_plan_id: "plan-1".to_owned(),
            api_token: "plan-token-1".to_owned(),
            key_id: "key-1".to_owned(),
            key_secret: "key-secret-1".to_owned(),
        }
    }
}

/// A text sent by the account, to one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// The batch it went in.
    pub batch_id: String,
    /// The sender.
    pub from: String,
    /// The number, without `+`.
    pub to: String,
    /// What it says.
    pub body: String,
    /// What the sender called the batch.
    pub client_reference: Option<String>,
    /// The reports the batch asked for.
    pub delivery_report: String,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
}

/// A text that a person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inbound {
    /// Its id.
    pub id: String,
    /// The person's number, without `+`.
    pub from: String,
    /// The account's number, without `+`.
    pub to: String,
    /// What it says.
    pub body: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl Inbound {
    /// Shows it as the API and the callbacks do.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "type": "mo_text",
            "id": self.id,
            "from": self.from,
            "to": self.to,
            "body": self.body,
            "operator_id": "23410",
            "received_at": stamp(self.received_at),
        })
    }
}

/// A batch as the API shows it.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// What the sender called it.
    pub client_reference: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The whole document.
    pub shown: Value,
}

/// An account.
#[derive(Debug)]
pub struct Account {
    /// What opens it.
    pub credentials: Credentials,
    /// Tokens given out, and when each ends.
    pub tokens: Vec<(String, DateTime<Utc>)>,
    /// Refuses every token of the service plan and every access key.
    pub closed: bool,
    /// Its groups, oldest first.
    pub groups: Vec<Group>,
    /// Its batches, oldest first.
    pub batches: Vec<Batch>,
    /// The texts of those batches, number by number.
    pub texts: Vec<Text>,
    /// What people sent, oldest first.
    pub inbounds: Vec<Inbound>,
    /// The consent lists: app and list type -> numbers without `+`.
    pub consents: BTreeMap<(String, String), Vec<String>>,
    /// The apps of the Conversation API.
    pub apps: Vec<String>,
    /// Its callback and what waits for it.
    pub hooks: Hooks,
}

impl Account {
    /// Opens an account.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            tokens: Vec::new(),
            closed: false,
            groups: Vec::new(),
            batches: Vec::new(),
            texts: Vec::new(),
            inbounds: Vec::new(),
            consents: BTreeMap::new(),
            apps: Vec::new(),
            hooks: Hooks::default(),
        }
    }

    /// Finds one of its groups.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Finds one of its groups to change it.
    pub fn group_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.id == id)
    }

    /// Tells whether consent management keeps texts from a number.
    #[must_use]
    pub fn blocks(&self, number: &str) -> bool {
        let all = self.consents.iter().filter(|((_, list), _)| list == "OPT_OUT_ALL");
        all.flat_map(|(_, numbers)| numbers).any(|known| known == number)
    }

    /// Forgets texts that are too old to be listed.
    pub fn tidy(&mut self, now: DateTime<Utc>) {
        self.batches.retain(|batch| batch.created_at >= now - KEPT);
        self.inbounds.retain(|inbound| inbound.received_at >= now - KEPT);
    }
}
