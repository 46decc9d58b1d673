//! Bird audiences: the port on top of Bird's platform API, where contacts, audiences, consent
//! statements, suppressions and texts live. Keys of `MessageBird` and of the older Bird API open
//! nothing here.
//!
//! A [`Connection`] is one workspace; [`Connection::list`] gives one audience of it. An audience
//! shows who is on it and no other status. Bird asks nobody for a confirmation: the invitation is a
//! text of ours and the reply is judged by us. A STOP ends in a suppression at Bird that no API
//! call lifts, and what a person said is never overruled from here: consent is stated without a
//! date of its own, so that it yields to every opt-out Bird holds (L11). No suppression is ever
//! written, and no statement covers care messages (L30).
//!
//! Source for all of it: Bird's official Python SDK 0.106.0, which is made of its `OpenAPI` file.
//! Nothing here logs.

mod api;
mod delivery;
mod hooks;
mod lots;
mod reader;
pub mod settings;
mod statements;
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
pub use settings::{Settings, SettingsError};

use super::port::{
    Account, Audience, Capabilities, Job, JobState, ListReader, ListWriter, Lot, LotResult, Member,
    MemberPage, MemberWrite, PageCursor, ProviderError, Scope,
};
use super::registry::{BadSettings, ListAccount, Opening, Provider};
use super::{NoticeReader, TextSender, WebhookAdmin, WebhookScheme};
use crate::domain::{Address, Channel, MemberKey, MemberStatus};

/// The provider's line in the registry.
pub const PROVIDER: Provider = Provider {
    name: "bird",
    channel: Channel::Sms,
    keeps_list: true,
    check,
    connect,
    webhook: Some(scheme),
};

fn check(settings: &Map<String, Value>) -> Result<(), BadSettings> {
    read(settings).map(drop)
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
    let settings =
        Settings::deserialize(settings).map_err(|error| BadSettings(error.to_string()))?;
    settings.check().map_err(|error| BadSettings(error.to_string()))?;
    Ok(settings)
}

#[async_trait]
impl ListAccount for Connection {
    async fn lists(&self) -> Result<Vec<(String, String)>, ProviderError> {
        self.read_audiences().await
    }

    /// Only numbers are sent and read: there are no fields and no tags.
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

    fn webhooks(&self, _list: &str) -> Option<Arc<dyn WebhookAdmin>> {
        Some(Arc::new(hooks::Hooks { connection: self.clone() }))
    }
}

/// One audience of one workspace.
#[derive(Debug, Clone)]
pub struct Bird {
    connection: Connection,
    audience: String,
    capabilities: Capabilities,
}

impl Connection {
    /// Returns the audience `id` of this workspace; nothing is sent yet.
    #[must_use]
    pub fn list(&self, id: &str) -> Bird {
        Bird {
            connection: self.clone(),
            audience: id.to_owned(),
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
impl ListReader for Bird {
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
        self.read_by_address(address).await
    }
}

#[async_trait]
impl ListWriter for Bird {
    fn lots(&self, writes: Vec<MemberWrite>) -> Vec<Lot> {
        lots::lots(writes)
    }

    async fn send(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        self.send_lot(lot).await
    }

    /// Nothing goes as a job.
    async fn job(&self, _job: &Job) -> Result<JobState, ProviderError> {
        Ok(JobState::Lost)
    }
}
