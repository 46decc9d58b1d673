//! Contacts: addresses under their hashes, with what is known against them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{At, args, from_json, json, millis, text_rows};
use super::db::Tx;
use super::error::Result;
use super::holders::{HolderLeft, HolderPut, Holding, holders_exchange, holders_of};
use super::ledger::ledger_lock;
use super::sql::statements;
use crate::domain::{
    Address, Channel, ClinicId, Contact, ContactId, EventId, OptOut, OptOutKind, PatientId,
    Standing, TimeSource,
};
use crate::keys::AddressHash;

/// One address under all its hashes.
struct Hashed<'a> {
    address: &'a Address,
    hashes: Vec<AddressHash>,
}

/// The contacts of addresses.
struct Ensured<'a> {
    contacts: BTreeMap<&'a Address, ContactId>,
    /// Those that were there before.
    known: BTreeSet<Uuid>,
}

#[derive(Serialize)]
struct HashRow<'a> {
    contact: Option<Uuid>,
    channel: &'static str,
    hash: &'a str,
}

#[derive(Serialize)]
struct ContactPut<'a> {
    id: Uuid,
    channel: &'static str,
    address: &'a str,
    hash: &'a str,
    key_id: &'a str,
    standing: String,
}

#[derive(sqlx::FromRow)]
struct Suppressed {
    hash: String,
    kind: OptOutKind,
    clock: TimeSource,
    event_id: EventId,
    #[sqlx(try_from = "At")]
    at: DateTime<Utc>,
}

statements! {
    CONTACTS_BY_HASH (given: channel text, hash text) = {
        "SELECT g.channel, c.hash, c.id, c.address IS NULL FROM given g
         JOIN contacts c ON c.clinic_id = $2 AND c.channel = g.channel AND c.hash = g.hash"
    }
    CONTACTS_FIND (given: channel text, hash text) = {
        "SELECT c.hash, c.id, c.standing FROM given g
         JOIN contacts c ON c.clinic_id = $2 AND c.channel = g.channel AND c.hash = g.hash"
    }
    CONTACTS_ADD (given: id uuid, channel text, address text, hash text, key_id text,
        standing text) = {
        "INSERT INTO contacts (clinic_id, id, channel, address, hash, key_id, standing)
         SELECT $2, id, channel, address, hash, key_id, standing FROM given"
    }
    CONTACTS_REVIVE (given: id uuid, address text) = {
        "UPDATE contacts SET address = g.address, erased_at = NULL FROM given g
         WHERE contacts.clinic_id = $2 AND contacts.id = g.id"
    }
    SUPPRESSIONS_BY_HASH (given: text text) = {
        "SELECT s.hash, s.kind, s.clock, s.event_id, s.at FROM given g CROSS JOIN suppressions s
         WHERE s.clinic_id = $2 AND s.hash = g.text ORDER BY s.at, s.event_id"
    }
}

impl Store {
    /// Returns the hashes of `address` under every live key, the current one first.
    #[must_use]
    pub fn address_hashes(&self, clinic: ClinicId, address: &Address) -> Vec<AddressHash> {
        self.keys.address_hashes(clinic.0, address.channel().word(), address.expose())
    }

    /// Finds the contact of an address, with what its events add up to.
    pub async fn contact_find(
        &self,
        clinic: ClinicId,
        address: &Address,
    ) -> Result<Option<Contact>> {
        let hashes = self.address_hashes(clinic, address);
        let found = self.contact_by_hashes(clinic, address.channel(), &hashes).await?;
        let Some(id) = found else { return Ok(None) };
        Ok(self.contact(clinic, id).await?.and_then(|facts| facts.contact))
    }

    /// Finds the contacts of addresses, with what their events add up to.
    pub async fn contacts_find<'a>(
        &self,
        clinic: ClinicId,
        addresses: impl Iterator<Item = &'a Address> + Send,
    ) -> Result<BTreeMap<&'a Address, (ContactId, Standing)>> {
        let hashed: Vec<_> =
            addresses.map(|address| (address, self.address_hashes(clinic, address))).collect();
        let rows = hash_rows(hashed.iter().flat_map(|(address, hashes)| {
            hashes.iter().map(|hash| (None, address.channel(), hash.hash.as_str()))
        }))?;
        let found: Vec<(String, ContactId, String)> =
            self.db.rows(CONTACTS_FIND, args![rows, clinic]).await?;
        let found: BTreeMap<String, (ContactId, Standing)> = found
            .into_iter()
            .map(|(hash, id, standing)| Ok((hash, (id, from_json("standing", &standing)?))))
            .collect::<Result<_>>()?;
        let of = |hashes: &[AddressHash]| hashes.iter().find_map(|hash| found.get(&hash.hash));
        Ok(hashed.iter().filter_map(|(a, hashes)| Some((*a, of(hashes)?.clone()))).collect())
    }

    /// Returns the contacts that a patient holds now.
    pub async fn contacts_of_patient(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Vec<Contact>> {
        let mut held = self.contacts_held(clinic, std::iter::once(patient)).await?;
        let held = held.remove(&patient).unwrap_or_default();
        let mut contacts = Vec::new();
        for id in [held.email, held.sms].into_iter().flatten() {
            let facts = self.contact(clinic, id).await?;
            contacts.extend(facts.and_then(|facts| facts.contact));
        }
        Ok(contacts)
    }

    /// Finds the contact that any of `hashes` names.
    pub async fn contact_by_hashes(
        &self,
        clinic: ClinicId,
        channel: Channel,
        hashes: &[AddressHash],
    ) -> Result<Option<ContactId>> {
        let rows = hash_rows(hashes.iter().map(|hash| (None, channel, hash.hash.as_str())))?;
        let found: Vec<(Channel, String, ContactId, bool)> =
            self.db.rows(CONTACTS_BY_HASH, args![rows, clinic]).await?;
        Ok(found.first().map(|(_, _, id, _)| *id))
    }

    /// Makes `holdings` what their patients hold now: contacts, holders and links follow.
    pub(super) async fn contacts_hold(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        holdings: &[Holding],
    ) -> Result<()> {
        let hashed: BTreeMap<&Address, Hashed<'_>> = holdings
            .iter()
            .flat_map(|holding| &holding.addresses)
            .map(|address| {
                (address, Hashed { address, hashes: self.address_hashes(clinic, address) })
            })
            .collect();
        let Ensured { contacts, known } = self.contacts_ensure(tx, clinic, &hashed).await?;
        let held: BTreeSet<HolderPut> = holdings
            .iter()
            .flat_map(|holding| holding.addresses.iter().map(move |a| (holding.patient, a)))
            .filter_map(|(patient, address)| {
                let contact = contacts.get(address)?.0;
                Some(HolderPut { contact, patient: patient.0 })
            })
            .collect();
        let patients = holdings.iter().map(|holding| holding.patient);
        let before = holders_of(tx, clinic, patients).await?;
        let since: BTreeMap<Uuid, i64> =
            holdings.iter().map(|holding| (holding.patient.0, millis(holding.since))).collect();
        let left: Vec<_> = before
            .difference(&held)
            .filter_map(|&HolderPut { contact, patient }| {
                let left_at = *since.get(&patient)?;
                Some(HolderLeft { contact, patient, left_at })
            })
            .collect();
        let new: Vec<_> = held.difference(&before).collect();
        let of_known: Vec<_> =
            new.iter().copied().filter(|holder| known.contains(&holder.contact)).collect();
        if of_known.is_empty() {
            holders_exchange(tx, clinic, &left, &new).await?;
        } else {
            // No no is written down while its address gets a holder.
            ledger_lock(tx, clinic).await?;
            holders_exchange(tx, clinic, &left, &new).await?;
            self.noes_bind(tx, clinic, &of_known).await?;
        }
        let touched: BTreeSet<Uuid> =
            held.iter().chain(&before).map(|holder| holder.contact).collect();
        let rows = hash_rows(hashed.iter().flat_map(|(address, hashed)| {
            let contact = contacts.get(address).map(|id| id.0);
            hashed.hashes.iter().map(move |h| (contact, address.channel(), h.hash.as_str()))
        }))?;
        self.links_follow(tx, clinic, &touched, rows).await
    }

    /// Returns the contact of each address, adding those never seen with what is known against
    /// their hash, and giving an erased one its address back.
    async fn contacts_ensure<'a>(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        hashed: &BTreeMap<&'a Address, Hashed<'a>>,
    ) -> Result<Ensured<'a>> {
        let rows = hash_rows(hashed.values().flat_map(|hashed| {
            hashed.hashes.iter().map(|h| (None, hashed.address.channel(), h.hash.as_str()))
        }))?;
        let found: Vec<(Channel, String, ContactId, bool)> =
            tx.rows(CONTACTS_BY_HASH, args![rows, clinic]).await?;
        let known: BTreeMap<&str, (ContactId, bool)> =
            found.iter().map(|(_, hash, id, erased)| (hash.as_str(), (*id, *erased))).collect();
        let (mut contacts, mut unknown, mut revived) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (address, hashed) in hashed {
            match hashed.hashes.iter().find_map(|hash| known.get(hash.hash.as_str())) {
                Some((id, erased)) => {
                    contacts.insert(*address, *id);
                    if *erased {
                        revived.push(Revived { id: id.0, address: address.expose() });
                    }
                }
                None => unknown.push(hashed),
            }
        }
        tx.execute(CONTACTS_REVIVE, args![json(&revived)?, clinic]).await?;
        let known = contacts.values().map(|id| id.0).collect();
        for (address, id) in self.contacts_add(tx, clinic, &unknown).await? {
            contacts.insert(address, id);
        }
        Ok(Ensured { contacts, known })
    }

    async fn contacts_add<'a>(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        unknown: &[&Hashed<'a>],
    ) -> Result<Vec<(&'a Address, ContactId)>> {
        let all = unknown.iter().flat_map(|hashed| hashed.hashes.iter().map(|h| h.hash.as_str()));
        let suppressed: Vec<Suppressed> =
            tx.rows(SUPPRESSIONS_BY_HASH, args![text_rows(all)?, clinic]).await?;
        let (mut added, mut puts) = (Vec::new(), Vec::new());
        for hashed in unknown {
            let Some(current) = hashed.hashes.first() else { continue };
            let id = ContactId(self.clock.id());
            let standing = suppressed_standing(&suppressed, &hashed.hashes);
            added.push((hashed.address, id));
            puts.push(ContactPut {
                id: id.0,
                channel: hashed.address.channel().word(),
                address: hashed.address.expose(),
                hash: &current.hash,
                key_id: &current.key_id,
                standing: json(&standing)?,
            });
        }
        tx.execute(CONTACTS_ADD, args![json(&puts)?, clinic]).await?;
        Ok(added)
    }
}

#[derive(Serialize)]
struct Revived<'a> {
    id: Uuid,
    address: &'a str,
}

fn suppressed_standing(suppressed: &[Suppressed], hashes: &[AddressHash]) -> Standing {
    let mut standing = Standing::default();
    for row in suppressed.iter().filter(|row| hashes.iter().any(|h| h.hash == row.hash)) {
        let opt_out = OptOut {
            event: row.event_id,
            kind: row.kind,
            at: row.at,
            clock: row.clock,
            by_person: true,
        };
        super::suppressions::standing_suppress(&mut standing, opt_out);
    }
    standing
}

fn hash_rows<'a>(rows: impl Iterator<Item = (Option<Uuid>, Channel, &'a str)>) -> Result<String> {
    let rows: Vec<_> = rows
        .map(|(contact, channel, hash)| HashRow { contact, channel: channel.word(), hash })
        .collect();
    json(&rows)
}
