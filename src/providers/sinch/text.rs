//! Texts: one to a number, and what is known of it when no answer came.

use async_trait::async_trait;
use serde_json::json;
use uuid::Uuid;

use super::api::{Call, parse};
use super::numbers::digits;
use super::{Connection, wire};
use crate::domain::{Address, Personal};
use crate::providers::http::Failure;
use crate::providers::{ProviderError, TextSender, TextSent};

/// How far back a text of ours is looked for, in minutes: it was sent just now.
const LOOK_BACK: i64 = 60;

#[async_trait]
impl TextSender for Connection {
    async fn text(
        &self,
        id: Uuid,
        to: &Address,
        body: &Personal,
    ) -> Result<TextSent, ProviderError> {
        let reference = id.simple().to_string();
        let call = Call::post(
            &["batches"],
            json!({
                "type": "mt_text",
                "from": digits(&self.settings().sender),
                "to": [to.expose()],
                "body": body.expose(),
                "delivery_report": "per_recipient_final",
                "client_reference": reference,
            }),
        );
        match self.write(&call).await {
            Ok(answer) => match parse::<wire::Batch>(&answer) {
                Ok(batch) => Ok(TextSent::Sent(batch.id)),
                Err(failure) => self.resolve(&reference, failure.of_account()).await,
            },
            Err(Failure::Refused { refusal, .. }) => Ok(TextSent::Refused(refusal)),
            Err(failure) => self.resolve(&reference, failure.of_account()).await,
        }
    }
}

impl Connection {
    /// Looks for a text that may have been sent by the reference we gave it.
    ///
    /// A reference is a name: Sinch sends twice what it is given twice. That the text is listed
    /// proves that it was sent; that it is not, proves nothing.
    async fn resolve(
        &self,
        reference: &str,
        error: ProviderError,
    ) -> Result<TextSent, ProviderError> {
        if !error.is_doubtful() {
            return Err(error);
        }
        let since = self.clock().now() - chrono::TimeDelta::minutes(LOOK_BACK);
        let call = Call::get(&["batches"])
            .with("client_reference", reference)
            .with("start_date", super::told::instant(since))
            .with("page_size", "1");
        let found: Option<wire::Batches> = self.read(&call).await.ok();
        let batch = found.and_then(|found| found.batches.into_iter().next());
        // An account that ignores the filter would show any batch: it must be ours by its name.
        let ours = batch.filter(|batch| batch.client_reference.as_deref() == Some(reference));
        ours.map_or(Err(error), |batch| Ok(TextSent::Sent(batch.id)))
    }
}
