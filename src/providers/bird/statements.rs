//! Statements of wishes, as Bird keeps them: one current one for each number and sender.
//!
//! They are about our sender alone, as a STOP to it is, and cover no care messages (L30). A consent
//! goes without the date by which it could outdate an opt-out: the port hands none over, and any
//! other would be made up.

use serde_json::json;
use uuid::Uuid;

use super::Connection;
use super::api::{Call, parse};
use super::wire::{Preference, Stated};
use crate::domain::Address;
use crate::providers::Refusal;
use crate::providers::http::Failure;

/// What Bird keeps as the note on where a statement came from.
const SOURCE: &str = "listwarden";

impl Connection {
    /// States that somebody consented; a refusal where Bird holds an opt-out.
    ///
    /// An opt-out that we stated ourselves gives way: whether a newer consent outranks it was
    /// decided before we were asked. One that the person stated, or anybody else, does not.
    pub(super) async fn grant(&self, id: Uuid, to: &Address) -> Result<(), Failure> {
        match self.try_grant(id, to).await {
            Err(Failure::Refused { refusal: Refusal::OptedOut, status, title }) => {
                if self.forget(to, "revoked").await? == 0 {
                    let refusal = Refusal::OptedOut;
                    return Err(Failure::Refused { refusal, status, title });
                }
                self.try_grant(Uuid::from_u128(!id.as_u128()), to).await
            }
            granted => granted,
        }
    }

    async fn try_grant(&self, id: Uuid, to: &Address) -> Result<(), Failure> {
        if self.state(id, to, "granted").await?.applied {
            return Ok(());
        }
        let title = "a newer statement".to_owned();
        Err(Failure::Refused { refusal: Refusal::OptedOut, status: 200, title })
    }

    /// States that somebody opted out. That Bird knows it already, or newer, is as good.
    pub(super) async fn revoke(&self, id: Uuid, to: &Address) -> Result<(), Failure> {
        match self.state(id, to, "revoked").await {
            Ok(_) | Err(Failure::Refused { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn state(&self, id: Uuid, to: &Address, status: &str) -> Result<Stated, Failure> {
        let statement = json!({
            "channel": "sms",
            "handle": to.expose(),
            "sender_scope": self.settings().sender,
            "status": status,
            "coverage": "non_transactional",
            "source": SOURCE,
        });
        parse(&self.write(&Call::post(&["preferences"], id, statement)).await?)
    }

    /// Deletes the consents of a number that we stated; opt-outs stay.
    pub(super) async fn forget_consents(&self, of: &Address) -> Result<(), Failure> {
        self.forget(of, "granted").await.map(drop)
    }

    /// Deletes what we stated of a number for our sender, and says how much that was. What the
    /// person or anybody else stated is not ours to delete.
    async fn forget(&self, of: &Address, status: &str) -> Result<usize, Failure> {
        let call = Call::get(&["preferences"]).with("channel", "sms").with("handle", of.expose());
        let stated: Vec<Preference> = self.read_all(&call).await?;
        let ours = |one: &&Preference| {
            one.status == status
                && one.origin == "api_key"
                && one.source.as_deref() == Some(SOURCE)
                && one.sender_scope.as_ref() == Some(&self.settings().sender)
        };
        let mut forgotten = 0;
        for one in stated.iter().filter(ours) {
            match self.write(&Call::delete(&["preferences", &one.id])).await {
                Ok(_) | Err(Failure::NotFound) => forgotten += 1,
                Err(Failure::Refused { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(forgotten)
    }
}
