//! Mailchimp audiences: the port on top of the Marketing API, version 3.0.
//!
//! A [`Connection`] is one account; [`Connection::list`] gives one audience of it. All audiences
//! of an account share its ten simultaneous requests. Double opt-in is ours, never Mailchimp's:
//! the API takes `subscribed` for anybody, so an invitation is sent as `pending` and read back.
//! `Connection` never holds a member, and nothing here logs.

mod api;
mod batches;
mod reader;
#[cfg(test)]
mod scripted;
pub mod settings;
mod webhook;
mod wire;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use api::Connection;
pub use settings::{Auth, Settings, SettingsError};

use super::port::{
    Account, Audience, Capabilities, Job, JobState, ListReader, ListWriter, Lot, LotResult, Member,
    MemberPage, MemberWrite, PageCursor, ProviderError, Scope,
};
use super::registry::{BadSettings, ListAccount, Opening, Provider};
use super::{WebhookAdmin, WebhookScheme};
use crate::domain::{Address, Channel, MemberKey, MemberStatus};

/// The provider's line in the registry.
pub const PROVIDER: Provider = Provider {
    name: "mailchimp",
    channel: Channel::Email,
    keeps_list: true,
    check,
    connect,
    webhook: Some(scheme),
};

fn check(settings: &Map<String, Value>) -> Result<(), BadSettings> {
    read(settings)?.check().map_err(|error| BadSettings(error.to_string()))
}

fn connect(opening: Opening) -> Result<Arc<dyn ListAccount>, BadSettings> {
    let Opening { settings, key, transport, clock } = opening;
    let connection = Connection::new(read(&settings)?, &key, transport, clock)
        .map_err(|error| BadSettings(error.to_string()))?;
    Ok(Arc::new(connection))
}

fn scheme(settings: &Map<String, Value>) -> Result<Arc<dyn WebhookScheme>, BadSettings> {
    Ok(Arc::new(webhook::Scheme::new(&read(settings)?)))
}

fn read(settings: &Map<String, Value>) -> Result<Settings, BadSettings> {
    Settings::deserialize(settings).map_err(|error| BadSettings(error.to_string()))
}

#[async_trait]
impl ListAccount for Connection {
    async fn lists(&self) -> Result<Vec<(String, String)>, ProviderError> {
        self.read_lists().await
    }

    fn list(&self, id: &str, fields: BTreeSet<String>, tags: bool) -> Arc<dyn ListWriter> {
        Arc::new(self.list(id).reading(fields, tags))
    }

    fn webhooks(&self, list: &str) -> Option<Arc<dyn WebhookAdmin>> {
        Some(Arc::new(webhook::Hooks { connection: self.clone(), list: list.to_owned() }))
    }
}

/// One audience of one account.
#[derive(Debug, Clone)]
pub struct Mailchimp {
    connection: Connection,
    list: String,
    fields: BTreeSet<String>,
    tags: bool,
    capabilities: Capabilities,
}

impl Connection {
    /// Returns the audience `id` of this account; nothing is sent yet.
    #[must_use]
    pub fn list(&self, id: &str) -> Mailchimp {
        Mailchimp {
            connection: self.clone(),
            list: id.to_owned(),
            fields: BTreeSet::new(),
            tags: false,
            capabilities: Capabilities {
                channel: Channel::Email,
                in_flight: self.settings().in_flight,
                delta_overlap: Duration::from_mins(2),
                archives: true,
                erases: true,
                shows: MemberStatus::ALL,
            },
        }
    }
}

impl Mailchimp {
    /// Names the merge fields, and whether tags, are read with single members (L25). Pages name
    /// theirs in their [`Scope`].
    #[must_use]
    pub fn reading(mut self, fields: BTreeSet<String>, tags: bool) -> Self {
        self.fields = fields;
        self.tags = tags;
        self
    }
}

#[async_trait]
impl ListReader for Mailchimp {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn account(&self) -> Result<Account, ProviderError> {
        self.read_account().await
    }

    async fn audience(&self) -> Result<Audience, ProviderError> {
        self.read_audience().await
    }

    async fn page(
        &self,
        scope: &Scope,
        cursor: Option<&PageCursor>,
    ) -> Result<MemberPage, ProviderError> {
        self.read_page(scope, cursor).await
    }

    async fn members(&self, keys: &[MemberKey]) -> Result<Vec<Option<Member>>, ProviderError> {
        self.read_members(keys).await
    }

    async fn member_by_address(&self, address: &Address) -> Result<Option<Member>, ProviderError> {
        self.read_by_address(address).await
    }
}

#[async_trait]
impl ListWriter for Mailchimp {
    fn lots(&self, writes: Vec<MemberWrite>) -> Vec<Lot> {
        write::lots(writes, &self.list, self.connection.settings().single_call_limit)
    }

    async fn send(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        self.send_lot(lot).await
    }

    async fn job(&self, job: &Job) -> Result<JobState, ProviderError> {
        self.look_at_job(job).await
    }
}

/// Returns the path id of an address: the MD5 of its lower-case form, by which Mailchimp knows it.
fn hash(address: &Address) -> String {
    hex::encode(Md5::digest(address.expose().to_lowercase()))
}
