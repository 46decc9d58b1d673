//! Sinch groups: the port on top of the SMS REST API and the consent lists of the Conversation API.
//!
//! A [`Connection`] is one project or one service plan; [`Connection::list`] gives one group of it.
//! A group is a set of numbers and shows one status, `subscribed`; who was asked or said no is
//! ours to know. Sinch asks nobody for a confirmation and takes STOP for a message like any other,
//! so the invitation is a text of ours and every answer is judged by us.
//!
//! A group is never replaced (`PUT` sets all of its members), and `auto_update.add` is never set:
//! a keyword that joins would bypass the double opt-in (L10). Nothing here logs.

mod api;
mod numbers;
mod reader;
mod report;
pub mod settings;
mod text;
mod told;
mod webhook;
mod wire;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use api::Connection;
pub use settings::{Region, Settings, SettingsError, WebhookAuth};

use super::port::{
    Account, Audience, Capabilities, Job, JobState, ListReader, ListWriter, Lot, LotResult, Member,
    MemberPage, MemberWrite, PageCursor, ProviderError, Scope,
};
use super::registry::{BadSettings, ListAccount, Opening, Provider};
use super::{NoticeReader, TextSender, WebhookScheme};
use crate::domain::{Address, Channel, MemberKey, MemberStatus};

/// The provider's line in the registry.
pub const PROVIDER: Provider = Provider {
    name: "sinch",
    channel: Channel::Sms,
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
        self.read_groups().await
    }

    /// A group keeps numbers alone: there are no fields and no tags to read.
    fn list(&self, id: &str, _fields: BTreeSet<String>, _tags: bool) -> Arc<dyn ListWriter> {
        Arc::new(self.list(id))
    }

    fn sender(&self) -> Option<&str> {
        Some(&self.settings().sender)
    }

    fn notices(&self) -> Option<Arc<dyn NoticeReader>> {
        Some(Arc::new(told::Told { connection: self.clone() }))
    }

    fn texts(&self) -> Option<Arc<dyn TextSender>> {
        Some(Arc::new(self.clone()))
    }
}

/// One group of one account.
#[derive(Debug, Clone)]
pub struct Sinch {
    connection: Connection,
    group: String,
    capabilities: Capabilities,
}

impl Connection {
    /// Returns the group `id` of this account; nothing is sent yet.
    #[must_use]
    pub fn list(&self, id: &str) -> Sinch {
        Sinch {
            connection: self.clone(),
            group: id.to_owned(),
            capabilities: Capabilities {
                channel: Channel::Sms,
                in_flight: self.settings().in_flight,
                delta_overlap: Duration::from_mins(2),
                archives: false,
                erases: true,
                shows: &[MemberStatus::Subscribed],
            },
        }
    }
}

#[async_trait]
impl ListReader for Sinch {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn account(&self) -> Result<Account, ProviderError> {
        self.connection.read_account().await
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
        let keys = [numbers::key(address)];
        Ok(self.read_members(&keys).await?.pop().flatten())
    }
}

#[async_trait]
impl ListWriter for Sinch {
    fn lots(&self, writes: Vec<MemberWrite>) -> Vec<Lot> {
        write::lots(writes)
    }

    async fn send(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        self.send_lot(lot).await
    }

    /// Nothing goes as a job.
    async fn job(&self, _job: &Job) -> Result<JobState, ProviderError> {
        Ok(JobState::Lost)
    }
}
