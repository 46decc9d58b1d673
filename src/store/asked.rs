//! Invitations by contact: one confirmation text counts for every list of the clinic.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{At, args, id_rows};
use super::error::Result;
use super::sql::statements;
use crate::domain::{ClinicId, ContactId, Invitation, LinkId};

#[derive(sqlx::FromRow)]
struct AskedColumns {
    contact_id: ContactId,
    id: LinkId,
    invitation_key: String,
    #[sqlx(try_from = "At")]
    invitation_at: DateTime<Utc>,
    invitation_voided: bool,
    invitation_confirmed: bool,
    invitation_wording: Option<String>,
}

statements! {
    ASKED (given: id uuid) = {
        "SELECT k.contact_id, k.id, k.invitation_key, k.invitation_at, k.invitation_voided,
            k.invitation_confirmed, k.invitation_wording
         FROM given g CROSS JOIN links k
         WHERE k.clinic_id = $2 AND k.contact_id = g.id AND k.invitation_key IS NOT NULL
            AND k.invitation_at IS NOT NULL
         UNION ALL
         SELECT k.contact_id, k.id, k.intent_invitation, k.intent_at, FALSE, FALSE, NULL
         FROM given g CROSS JOIN links k
         WHERE k.clinic_id = $2 AND k.contact_id = g.id AND k.intent_verb = 'invite'
            AND k.intent_invitation IS NOT NULL AND k.intent_at IS NOT NULL"
    }
}

/// The invitations of contacts, with the links they are of.
pub(super) type Asked = BTreeMap<ContactId, Vec<(LinkId, Invitation)>>;

impl Store {
    /// Reads every invitation of the contacts, also those of which nobody knows yet whether they
    /// went out.
    pub(super) async fn asked(
        &self,
        clinic: ClinicId,
        contacts: impl Iterator<Item = ContactId> + Send,
    ) -> Result<Asked> {
        let contacts: Vec<_> = contacts.map(|id| id.0).collect();
        let mut asked = Asked::new();
        if contacts.is_empty() {
            return Ok(asked);
        }
        let rows: Vec<AskedColumns> =
            self.db.rows(ASKED, args![id_rows(contacts)?, clinic]).await?;
        for row in rows {
            let invitation = Invitation {
                key: row.invitation_key,
                sent_at: row.invitation_at,
                voided: row.invitation_voided,
                confirmed: row.invitation_confirmed,
                wording: row.invitation_wording,
            };
            asked.entry(row.contact_id).or_default().push((row.id, invitation));
        }
        Ok(asked)
    }
}
