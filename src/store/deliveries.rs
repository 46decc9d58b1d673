//! Deliveries: what providers sent, kept before it is answered, attended to afterwards.
//!
//! Many deliveries share one transaction, each with the opt-outs that it proves. The key makes a
//! delivery that comes twice the same one; it outlives the sealed body.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{At, args, from_json, id_rows, json, millis};
use super::db::{Tx, again};
use super::endpoints::Endpoint;
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::ledger::{After, ledger_lock};
use super::lists::ListRow;
use super::sql::statements;
use crate::domain::{Channel, ClinicId, ContactId, Draft, Event, EventId, RunId, Standing};
use crate::keys::AddressHash;

/// A delivery that was found genuine.
#[derive(Clone)]
pub struct NewDelivery {
    /// The clinic of its endpoint.
    pub clinic: ClinicId,
    /// Its endpoint.
    pub endpoint: Uuid,
    /// What makes it the same when it comes again: the provider's id, else a hash of the body.
    pub key: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// Its media type.
    pub media_type: String,
    /// Whether a signature proved who sent it.
    pub proven: bool,
    /// What it proves by itself.
    pub opt_outs: Vec<ProvenOptOut>,
}

/// An opt-out that a delivery proves, for one clinic.
#[derive(Debug, Clone)]
pub struct ProvenOptOut {
    /// The clinic.
    pub clinic: ClinicId,
    /// The channel of the address.
    pub channel: Channel,
    /// Hashes of the address under every live key, the current one first.
    pub hashes: Vec<AddressHash>,
    /// When it happened, by the provider: it names the act. Without, the draft's own key does.
    pub at: Option<DateTime<Utc>>,
    /// Told of an opt-out that the provider holds, whenever it was made: one on record since then is
    /// that one, unless the address confirmed after it. None where the act itself was told.
    pub held_since: Option<DateTime<Utc>>,
    /// What the ledger is to say; whose address it is, is found by the hashes.
    pub draft: Draft,
}

/// A delivery that waits to be attended to.
#[derive(Clone)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// Its endpoint.
    pub endpoint: Uuid,
    /// The raw body; none once it was dropped.
    pub body: Option<Vec<u8>>,
    /// Its media type.
    pub media_type: String,
    /// Whether a signature proved who sent it.
    pub proven: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl fmt::Debug for NewDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewDelivery").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct DeliveryPut<'a> {
    clinic: Uuid,
    id: Uuid,
    endpoint: Uuid,
    key: &'a str,
    body: String,
    media_type: &'a str,
    proven: bool,
    at: i64,
}

#[derive(Serialize)]
struct ContactPut<'a> {
    id: Uuid,
    channel: Channel,
    hash: &'a str,
    key_id: &'a str,
}

#[derive(Serialize)]
struct OrdinalGiven {
    ordinal: i64,
}

#[derive(sqlx::FromRow)]
struct DeliveryColumns {
    id: Uuid,
    endpoint_id: Uuid,
    body: Option<String>,
    media_type: String,
    proven: bool,
    #[sqlx(try_from = "At")]
    received_at: DateTime<Utc>,
}

statements! {
    DELIVERIES_ADD (given: clinic uuid, id uuid, endpoint uuid, key text, body text,
        media_type text, proven boolean, at bigint) = {
        "INSERT INTO deliveries (clinic_id, id, endpoint_id, unique_key, body, media_type, proven,
            received_at)
         SELECT clinic, id, endpoint, key, body, media_type, proven, at FROM given WHERE TRUE
         ON CONFLICT (clinic_id, endpoint_id, unique_key) DO NOTHING RETURNING id"
    }
    DELIVERY_CONTACTS (given: id uuid, channel text, hash text, key_id text) = {
        "SELECT c.channel, c.hash, c.id, c.standing FROM given g
         JOIN contacts c ON c.clinic_id = $2 AND c.channel = g.channel AND c.hash = g.hash"
    }
    DELIVERY_CONTACTS_ADD (given: id uuid, channel text, hash text, key_id text) = {
        "INSERT INTO contacts (clinic_id, id, channel, address, hash, key_id, standing)
         SELECT $2, id, channel, NULL, hash, key_id, '{}' FROM given"
    }
    LINKS_URGENT_BY_ORDINAL (given: ordinal bigint) = {
        "UPDATE links SET urgent = TRUE, stale = TRUE, version = links.version + 1,
            seen_at = CASE WHEN links.seen_at > $4 THEN links.seen_at ELSE $4 END
         FROM given g
         WHERE links.clinic_id = $2 AND links.list_id = $3 AND links.ordinal = g.ordinal"
    }
    DELIVERIES_WAITING = {
        "SELECT d.id, d.endpoint_id, d.body, d.media_type, d.proven, d.received_at
         FROM deliveries d
         JOIN endpoints e ON e.clinic_id = d.clinic_id AND e.id = d.endpoint_id
         WHERE d.clinic_id = $1 AND d.attended_at IS NULL AND d.id > $4 AND e.account = $3
         ORDER BY d.id LIMIT $2"
    }
    // LIMIT keeps PostgreSQL from reading everything that waits: one row a clinic is enough.
    CLINICS_WAITING = {
        "SELECT c.clinic_id FROM clinics c
         WHERE (SELECT 1 FROM deliveries d
                WHERE d.clinic_id = c.clinic_id AND d.attended_at IS NULL LIMIT 1) = 1
            OR (SELECT 1 FROM links k WHERE k.clinic_id = c.clinic_id AND k.urgent LIMIT 1) = 1
            OR (SELECT 1 FROM feedback f
                WHERE f.clinic_id = c.clinic_id AND f.done_at IS NULL LIMIT 1) = 1"
    }
    // What CLINICS_WAITING asks of all, of a few.
    WAITING_AMONG (given: id uuid) = {
        "SELECT g.id FROM given g
         WHERE (SELECT 1 FROM deliveries d
                WHERE d.clinic_id = g.id AND d.attended_at IS NULL LIMIT 1) = 1
            OR (SELECT 1 FROM links k WHERE k.clinic_id = g.id AND k.urgent LIMIT 1) = 1"
    }
    LINKS_URGENT_AGAIN = {
        "UPDATE links SET urgent = TRUE, stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND id IN (SELECT o.link_id FROM operations o
            WHERE o.clinic_id = $1 AND o.run_id = $2 AND o.list_id = $3
                AND o.state IN ('planned', 'superseded'))"
    }
    LINKS_URGENT_AFTER = {
        "UPDATE links SET urgent = TRUE
         WHERE clinic_id = $1 AND stale AND id IN (SELECT o.link_id FROM operations o
            WHERE o.clinic_id = $1 AND o.run_id = $2 AND o.list_id = $3
                AND o.state = 'acknowledged')"
    }
    LINKS_CALM = {
        "UPDATE links SET urgent = FALSE WHERE clinic_id = $1 AND list_id = $2 AND urgent"
    }
    DELIVERIES_ATTENDED (given: id uuid) = {
        "UPDATE deliveries SET attended_at = $3 FROM given g
         WHERE deliveries.clinic_id = $2 AND deliveries.id = g.id"
    }
    DELIVERIES_EMPTY = {
        "UPDATE deliveries SET body = NULL, attended_at = COALESCE(attended_at, $3)
         WHERE clinic_id = $1 AND received_at < $2 AND body IS NOT NULL"
    }
    DELIVERY_LAST = {
        "SELECT MAX(received_at) FROM deliveries WHERE clinic_id = $1 AND endpoint_id = $2"
    }
}

impl Store {
    /// Takes deliveries, all of them or none; tells of each whether it was new.
    ///
    /// Of a new one the opt-outs that it proves are in the ledger, and the links of the addresses
    /// urgent, when this returns.
    pub async fn deliveries_take(&self, deliveries: &[NewDelivery]) -> Result<Vec<bool>> {
        let now = self.clock.now();
        let ids: Vec<Uuid> = deliveries.iter().map(|_| self.clock.id()).collect();
        let mut puts = Vec::with_capacity(deliveries.len());
        for (id, delivery) in ids.iter().zip(deliveries) {
            puts.push(DeliveryPut {
                clinic: delivery.clinic.0,
                id: *id,
                endpoint: delivery.endpoint,
                key: &delivery.key,
                body: self.seal_bytes("deliveries/body", *id, &delivery.body)?,
                media_type: &delivery.media_type,
                proven: delivery.proven,
                at: millis(now),
            });
        }
        // Rows in one order, so that two takers cannot wait for each other; what still does is done
        // again.
        puts.sort_by_key(|put| (put.clinic, put.endpoint, put.key));
        again!(self, self.take_in_one(&ids, deliveries, &puts, now).await)
    }

    async fn take_in_one(
        &self,
        ids: &[Uuid],
        deliveries: &[NewDelivery],
        puts: &[DeliveryPut<'_>],
        now: DateTime<Utc>,
    ) -> Result<Vec<bool>> {
        let mut tx = self.db.begin().await?;
        let new: Vec<(Uuid,)> = tx.rows(DELIVERIES_ADD, args![json(&puts)?]).await?;
        let new: BTreeSet<Uuid> = new.into_iter().map(|(id,)| id).collect();
        // Heads are locked in the order of the clinics, so that two takers cannot wait for each
        // other.
        let mut proven: BTreeMap<ClinicId, Vec<&ProvenOptOut>> = BTreeMap::new();
        let taken = ids.iter().zip(deliveries).filter(|(id, _)| new.contains(id));
        for opt_out in taken.flat_map(|(_, delivery)| &delivery.opt_outs) {
            proven.entry(opt_out.clinic).or_default().push(opt_out);
        }
        for (clinic, opt_outs) in proven {
            self.opt_outs_append(&mut tx, clinic, &opt_outs, now).await?;
        }
        tx.commit().await?;
        Ok(ids.iter().map(|id| new.contains(id)).collect())
    }

    /// Records opt-outs that a provider's log proves; their links are urgent. Fenced.
    pub async fn opt_outs_record(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        opt_outs: &[ProvenOptOut],
    ) -> Result<()> {
        for opt_outs in opt_outs.chunks(self.db.chunk() / 8) {
            let opt_outs: Vec<&ProvenOptOut> = opt_outs.iter().collect();
            again!(self, {
                let mut tx = self.begin_under(lease).await?;
                self.opt_outs_append(&mut tx, clinic, &opt_outs, self.clock.now()).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    async fn opt_outs_append(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        opt_outs: &[&ProvenOptOut],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let head = ledger_lock(tx, clinic).await?;
        let (contacts, standings) = self.contacts_by_hash(tx, clinic, opt_outs).await?;
        let mut folded = standings.clone();
        let mut events: Vec<Event> = Vec::new();
        for (opt_out, contact) in opt_outs.iter().zip(&contacts) {
            let standing = folded.entry(*contact).or_default();
            let draft = opt_out.draft_of(*contact);
            let known = match opt_out.held_since {
                // Whoever confirmed after that opt-out made another since.
                Some(since) => standing.has_opted_out_since(
                    standing.proof.as_ref().map_or(since, |proof| since.max(proof.at)),
                ),
                None => standing.has_on_record(draft.kind, draft.occurred_at, draft.clock),
            };
            if !known {
                let event = draft.into_event(EventId(self.clock.id()), now);
                // One act, told twice together, is one line.
                standing.apply(&event);
                events.push(event);
            }
        }
        let urgent = contacts.iter().map(|contact| contact.0).collect();
        let after = After { head, standings, urgent };
        self.append_after(tx, clinic, after, &events).await.map(drop)
    }

    /// Finds the contacts and how those stand that are known; whoever the clinic never knew becomes
    /// a contact without an address, so that the opt-out is there before the person is.
    async fn contacts_by_hash(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        opt_outs: &[&ProvenOptOut],
    ) -> Result<(Vec<ContactId>, BTreeMap<ContactId, Standing>)> {
        let puts: Vec<ContactPut<'_>> =
            opt_outs.iter().flat_map(|opt_out| opt_out.contact_puts(|| self.clock.id())).collect();
        let found: Vec<(Channel, String, ContactId, String)> =
            tx.rows(DELIVERY_CONTACTS, args![json(&puts)?, clinic]).await?;
        let mut known: BTreeMap<(Channel, String), ContactId> = BTreeMap::new();
        let mut standings = BTreeMap::new();
        for (channel, hash, contact, standing) in found {
            known.insert((channel, hash), contact);
            standings.insert(contact, from_json("standing", &standing)?);
        }
        let mut contacts = Vec::with_capacity(opt_outs.len());
        let mut new = Vec::new();
        for opt_out in opt_outs {
            let mut puts = opt_out.contact_puts(|| self.clock.id());
            let key = |put: &ContactPut<'_>| (put.channel, put.hash.to_owned());
            let found =
                opt_out.contact_puts(Uuid::nil).find_map(|put| known.get(&key(&put)).copied());
            let contact = match (found, puts.next()) {
                (Some(contact), _) => contact,
                (None, Some(put)) => {
                    let contact = ContactId(put.id);
                    known.insert(key(&put), contact);
                    standings.insert(contact, Standing::default());
                    new.push(put);
                    contact
                }
                // The keyring always has a key, so that every address has a hash.
                (None, None) => return Err(StoreError::Missing { what: "address hash" }),
            };
            contacts.push(contact);
        }
        if !new.is_empty() {
            tx.execute(DELIVERY_CONTACTS_ADD, args![json(&new)?, clinic]).await?;
        }
        Ok((contacts, standings))
    }

    /// Returns deliveries for one account of the clinic that nobody attended to yet, oldest first,
    /// after the one called `after`.
    ///
    /// A body that does not open is as good as dropped: the next sweep sees what it told of.
    pub async fn deliveries_waiting(
        &self,
        clinic: ClinicId,
        account: &str,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let rows: Vec<DeliveryColumns> =
            self.db.rows(DELIVERIES_WAITING, args![clinic, limit, account, after]).await?;
        Ok(rows
            .into_iter()
            .map(|row| Delivery {
                body: row
                    .body
                    .and_then(|sealed| self.open_bytes("deliveries/body", row.id, &sealed).ok()),
                id: row.id,
                endpoint: row.endpoint_id,
                media_type: row.media_type,
                proven: row.proven,
                received_at: row.received_at,
            })
            .collect())
    }

    /// Returns the clinics for whom something waits: a delivery, an urgent link, news for their own
    /// record.
    pub async fn clinics_waiting(&self) -> Result<Vec<ClinicId>> {
        let rows: Vec<(ClinicId,)> = self.db.rows(CLINICS_WAITING, args![]).await?;
        Ok(rows.into_iter().map(|(clinic,)| clinic).collect())
    }

    /// Tells whether somebody waits for the lists of one of these clinics.
    pub async fn is_any_waiting(&self, clinics: &BTreeSet<ClinicId>) -> Result<bool> {
        let rows = id_rows(clinics.iter().map(|clinic| clinic.0))?;
        let waiting: Option<(ClinicId,)> = self.db.row(WAITING_AMONG, args![rows]).await?;
        Ok(waiting.is_some())
    }

    /// Has the links of a list planned before all others; they were asked for at `seen_at`, whether
    /// or not anything had changed. Fenced.
    pub async fn links_urgent(
        &self,
        lease: &Lease,
        list: &ListRow,
        ordinals: &[i64],
        seen_at: DateTime<Utc>,
    ) -> Result<()> {
        for ordinals in ordinals.chunks(self.db.chunk()) {
            let rows: Vec<_> =
                ordinals.iter().map(|ordinal| OrdinalGiven { ordinal: *ordinal }).collect();
            let args = args![json(&rows)?, list.clinic, list.id, seen_at];
            self.execute_under(lease, LINKS_URGENT_BY_ORDINAL, args).await?;
        }
        Ok(())
    }

    /// Has the links planned first again whose change the run could not send. Fenced.
    pub async fn links_urgent_again(
        &self,
        lease: &Lease,
        run: RunId,
        list: &ListRow,
    ) -> Result<()> {
        let args = args![list.clinic, run, list.id];
        self.execute_under(lease, LINKS_URGENT_AGAIN, args).await.map(drop)
    }

    /// Has the links planned once more that the run changed: they stand otherwise now, and something
    /// more may be due. Fenced.
    pub async fn links_urgent_after(
        &self,
        lease: &Lease,
        run: RunId,
        list: &ListRow,
    ) -> Result<()> {
        let args = args![list.clinic, run, list.id];
        self.execute_under(lease, LINKS_URGENT_AFTER, args).await.map(drop)
    }

    /// Leaves the list's links to its next run, urgent or not. Fenced.
    pub async fn links_calm(&self, lease: &Lease, list: &ListRow) -> Result<()> {
        self.execute_under(lease, LINKS_CALM, args![list.clinic, list.id]).await.map(drop)
    }

    /// Records that the deliveries were attended to. Fenced.
    pub async fn deliveries_attended(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        deliveries: &[Uuid],
    ) -> Result<()> {
        let rows = id_rows(deliveries.iter().copied())?;
        let args = args![rows, clinic, self.clock.now()];
        self.execute_under(lease, DELIVERIES_ATTENDED, args).await.map(drop)
    }

    /// Drops the bodies of deliveries that came before `before`; their keys stay. One that nobody
    /// attended to by then, because its account is gone, waits no longer.
    pub async fn deliveries_empty(&self, clinic: ClinicId, before: DateTime<Utc>) -> Result<u64> {
        self.db.execute(DELIVERIES_EMPTY, args![clinic, before, self.clock.now()]).await
    }

    /// Returns when the endpoint last took a delivery.
    pub async fn delivery_last(&self, endpoint: &Endpoint) -> Result<Option<DateTime<Utc>>> {
        let last: Option<(super::columns::MaybeAt,)> =
            self.db.row(DELIVERY_LAST, args![endpoint.clinic, endpoint.id]).await?;
        Ok(last.and_then(|(at,)| at.into()))
    }
}

impl ProvenOptOut {
    fn draft_of(&self, contact: ContactId) -> Draft {
        let draft = Draft { contact: Some(contact), ..self.draft.clone() };
        let act = self.at.map(|at| Draft::act(contact, draft.kind, at));
        Draft { unique: act.unwrap_or_else(|| draft.unique.clone()), ..draft }
    }

    fn contact_puts(&self, mut id: impl FnMut() -> Uuid) -> impl Iterator<Item = ContactPut<'_>> {
        self.hashes.iter().map(move |hash| ContactPut {
            id: id(),
            channel: self.channel,
            hash: &hash.hash,
            key_id: &hash.key_id,
        })
    }
}
