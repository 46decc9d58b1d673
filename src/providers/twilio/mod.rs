//! Text messages through Twilio: invitations out, replies and delivery reports in.
//!
//! Twilio has no list of contacts for texts, so the list lives with us: a [`Twilio`] shows no
//! member, every change but an invitation is done once it is recorded here, and the audience is the
//! sender itself. What Twilio does keep, who answered STOP to a sender, cannot be read; it shows in
//! a refusal (21610), in the message log and in webhooks. Source: Twilio docs, Messages resource.
//!
//! A message has no idempotency id at Twilio: one that was not answered may have gone out, and is
//! never sent again from here. `Connection` never holds a contact, and nothing here logs.

mod api;
mod delivery;
mod hooks;
mod notices;
mod reader;
mod settings;
mod webhook;
mod wire;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use api::Connection;
pub use settings::{Settings, SettingsError, Signing};

use super::port::{
    Account, Audience, Capabilities, Job, JobState, ListReader, ListWriter, Lot, LotResult, Member,
    MemberPage, MemberWrite, PageCursor, ProviderError, Scope,
};
use super::registry::{BadSettings, ListAccount, Opening, Provider};
use super::{NoticeReader, TextSender, TextSent, WebhookAdmin, WebhookScheme};
use crate::domain::{Address, Channel, MemberKey, Personal};

/// The provider's line in the registry.
pub const PROVIDER: Provider = Provider {
    name: "twilio",
    channel: Channel::Sms,
    keeps_list: false,
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
        let audience = self.read_audience().await?;
        Ok(vec![(audience.id, audience.name)])
    }

    fn list(&self, id: &str, _fields: BTreeSet<String>, _tags: bool) -> Arc<dyn ListWriter> {
        Arc::new(self.list(id))
    }

    fn sender(&self) -> Option<&str> {
        Some(&self.settings().sender)
    }

    fn notices(&self) -> Option<Arc<dyn NoticeReader>> {
        Some(Arc::new(notices::Log { connection: self.clone() }))
    }

    fn texts(&self) -> Option<Arc<dyn TextSender>> {
        Some(Arc::new(self.clone()))
    }

    fn webhooks(&self, _list: &str) -> Option<Arc<dyn WebhookAdmin>> {
        Some(Arc::new(hooks::Hooks { connection: self.clone() }))
    }
}

#[async_trait]
impl TextSender for Connection {
    /// The id goes nowhere: Twilio takes none, so a text in doubt is an error and not sent again.
    async fn text(
        &self,
        _id: Uuid,
        to: &Address,
        body: &Personal,
    ) -> Result<TextSent, ProviderError> {
        self.send_text(to, body).await
    }
}

/// The list of one sender.
#[derive(Debug, Clone)]
pub struct Twilio {
    connection: Connection,
    id: String,
    capabilities: Capabilities,
}

impl Connection {
    /// Returns the list of the sender `id`; nothing is sent yet.
    #[must_use]
    pub fn list(&self, id: &str) -> Twilio {
        Twilio {
            connection: self.clone(),
            id: id.to_owned(),
            capabilities: Capabilities {
                channel: Channel::Sms,
                in_flight: self.settings().in_flight,
                delta_overlap: Duration::ZERO,
                archives: false,
                erases: true,
                shows: &[],
            },
        }
    }
}

#[async_trait]
impl ListReader for Twilio {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn account(&self) -> Result<Account, ProviderError> {
        self.connection.read_account().await
    }

    async fn audience(&self) -> Result<Audience, ProviderError> {
        if self.id != self.connection.settings().sender {
            return Err(ProviderError::ListGone);
        }
        self.connection.read_audience().await
    }

    /// Shows nobody, without asking: Twilio keeps no list.
    async fn page(
        &self,
        _scope: &Scope,
        _cursor: Option<&PageCursor>,
    ) -> Result<MemberPage, ProviderError> {
        Ok(MemberPage { members: Vec::new(), total: 0, next: Vec::new() })
    }

    async fn members(&self, keys: &[MemberKey]) -> Result<Vec<Option<Member>>, ProviderError> {
        Ok(keys.iter().map(|_| None).collect())
    }

    async fn member_by_address(&self, _address: &Address) -> Result<Option<Member>, ProviderError> {
        Ok(None)
    }
}

#[async_trait]
impl ListWriter for Twilio {
    fn lots(&self, writes: Vec<MemberWrite>) -> Vec<Lot> {
        write::lots(writes)
    }

    async fn send(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        self.send_lot(lot).await
    }

    /// There are no jobs.
    async fn job(&self, _job: &Job) -> Result<JobState, ProviderError> {
        Ok(JobState::Lost)
    }
}

/// Returns the id of a number: the SHA-256 of its E.164 digits, so that none lies about as a key.
fn key(address: &Address) -> MemberKey {
    let digits = address.expose().trim_start_matches('+');
    MemberKey(hex::encode(Sha256::digest(digits)))
}
