//! Unbound: noes that were said from an address while nobody was known to hold it. Whoever is first
//! read with it is bound by them, and the clinic told (L8, L15).

use super::Store;
use super::columns::{args, from_json, id_rows};
use super::db::Tx;
use super::error::Result;
use super::holders::HolderPut;
use super::sql::statements;
use super::standings::bound;
use crate::domain::{ClinicId, Draft, Event, EventId};

statements! {
    NOES_OF_CONTACTS (given: id uuid) = {
        "SELECT d.payload FROM given g CROSS JOIN ledger l CROSS JOIN ledger_detail d
         WHERE l.clinic_id = $2 AND l.contact_id = g.id
            AND l.kind IN ('withdrawn', 'objected', 'complained')
            AND d.clinic_id = l.clinic_id AND d.seq = l.seq
         ORDER BY l.seq"
    }
}

impl Store {
    /// Binds `new` holders by the noes from their addresses that bound nobody: each gets a second
    /// line, at the time of the first, which binds whoever holds the address now. It has one name,
    /// so that those who come later are bound by neither.
    pub(super) async fn noes_bind(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        new: &[&HolderPut],
    ) -> Result<()> {
        let rows = id_rows(new.iter().map(|holder| holder.contact))?;
        let noes: Vec<(String,)> = tx.rows(NOES_OF_CONTACTS, args![rows, clinic]).await?;
        let mut binding = Vec::new();
        for (payload,) in &noes {
            let no: Event = from_json("event", payload)?;
            if bound(&no).next().is_none() {
                binding.push(self.binding(no));
            }
        }
        if binding.is_empty() {
            return Ok(());
        }
        self.append_in(tx, clinic, &binding).await.map(drop)
    }

    fn binding(&self, no: Event) -> Event {
        let (at, clock) = no.as_opt_out();
        let draft = Draft {
            unique: format!("bound:{}", no.id),
            occurred_at: Some(at),
            clock,
            reason: Some("said before anybody was known to hold the address".to_owned()),
            ..no.draft
        };
        draft.into_event(EventId(self.clock.id()), self.clock.now())
    }
}
