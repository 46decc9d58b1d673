//! Writing: many on or off in one request, statements and erasures singly, and each write's own
//! outcome.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Bird;
use super::api::{Call, parse};
use super::lots::{ERASE, OFF, ON, TEXT};
use super::text::Purpose;
use super::wire::{Upsert, Upserts};
use crate::domain::{MemberKey, MemberStatus, Verb};
use crate::providers::http::Failure;
use crate::providers::{Lot, LotResult, MemberWrite, Outcome, ProviderError, Refusal, TextSent};

type Outcomes = Vec<(Uuid, Outcome)>;

impl Bird {
    pub(super) async fn send_lot(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        Ok(LotResult::Done(match lot.route {
            ON => self.put_on(&lot.writes).await?,
            OFF => self.take_off(&lot.writes).await?,
            ERASE => self.erase(&lot.writes).await?,
            TEXT => self.invite(&lot.writes).await?,
            _ => lot.writes.iter().map(|write| (write.id, done(None, write.from))).collect(),
        }))
    }

    /// Sends the texts that ask for a confirmation. Nobody becomes a contact before the answer.
    async fn invite(&self, writes: &[MemberWrite]) -> Result<Outcomes, ProviderError> {
        let mut outcomes = Outcomes::new();
        for write in writes {
            let outcome = match &write.text {
                None => {
                    let title = "an invitation without a text".to_owned();
                    Outcome::Refused(Refusal::Other { status: 0, title })
                }
                Some(text) => {
                    let to = &write.address;
                    match self.connection.send_text(write.id, to, text, Purpose::Marketing).await {
                        Ok(TextSent::Sent(_)) => done(None, MemberStatus::Pending),
                        Ok(TextSent::Refused(refusal)) => Outcome::Refused(refusal),
                        Err(error) if error.is_doubtful() => Outcome::Doubtful,
                        Err(error) => return Err(error),
                    }
                }
            };
            outcomes.push((write.id, outcome));
        }
        Ok(outcomes)
    }

    /// States the consents, then puts on the audience whose consent Bird took: an opt-out that it
    /// holds keeps them off.
    async fn put_on(&self, writes: &[MemberWrite]) -> Result<Outcomes, ProviderError> {
        let grants = writes
            .iter()
            .map(|write| self.connection.grant(named(&[write], "consent"), &write.address));
        let mut outcomes = Outcomes::new();
        let mut granted = Vec::new();
        for (write, grant) in writes.iter().zip(join_all(grants).await) {
            match grant {
                Ok(()) => granted.push(write),
                Err(Failure::Refused { refusal, .. }) => {
                    outcomes.push((write.id, Outcome::Refused(refusal)));
                }
                Err(failure) => match failure.of_account() {
                    error if error.is_doubtful() => outcomes.push((write.id, Outcome::Doubtful)),
                    error => return Err(error),
                },
            }
        }
        if granted.is_empty() {
            return Ok(outcomes);
        }
        match self.upsert(&granted).await {
            Ok(upserted) => outcomes.extend(upserted),
            Err(failure) => {
                let error = failure.of_list();
                if !error.is_doubtful() || outcomes.is_empty() {
                    return Err(error);
                }
                outcomes.extend(granted.iter().map(|write| (write.id, Outcome::Doubtful)));
            }
        }
        Ok(outcomes)
    }

    /// Makes or finds the contacts by number, the number alone, and puts them on the audience.
    async fn upsert(&self, writes: &[&MemberWrite]) -> Result<Outcomes, Failure> {
        let contacts: Vec<_> =
            writes.iter().map(|write| json!({ "phone_number": write.address.expose() })).collect();
        let body = json!({
            "contacts": contacts,
            "audience_ids": [self.audience],
            "match_on": "phone_number",
        });
        let call = Call::post(&["contacts", "batch"], named(writes, "batch"), body);
        let Upserts { data } = parse(&self.connection.write(&call).await?)?;
        if data.len() != writes.len() {
            let what = "a batch with another number of results";
            return Err(Failure::Error(ProviderError::Unreadable { what }));
        }
        Ok(writes.iter().map(|write| write.id).zip(data.into_iter().map(upserted)).collect())
    }

    /// Takes members off, then states the opt-outs of those who opted out. Whoever is put away for
    /// another reason said nothing, and nothing is stated of them.
    async fn take_off(&self, writes: &[MemberWrite]) -> Result<Outcomes, ProviderError> {
        let ids = self.ids(writes).await.map_err(Failure::of_account)?;
        let known: Vec<&str> = ids.values().flatten().map(String::as_str).collect();
        let mut outcomes: BTreeMap<Uuid, Outcome> = BTreeMap::new();
        match self.remove(writes, &known).await {
            Ok(()) => {}
            // One contact that is gone refuses them all, unnamed: then each goes by itself.
            Err(Failure::Refused { .. }) => {
                for write in writes {
                    let single = self.remove_singly(write, &ids[&write.id]).await;
                    outcomes.extend(single.map(|outcome| (write.id, outcome)));
                }
            }
            Err(failure) => return Err(failure.of_list()),
        }
        let gone = |write: &&MemberWrite| !outcomes.contains_key(&write.id);
        let opted_out: Vec<&MemberWrite> =
            writes.iter().filter(gone).filter(|write| write.verb == Verb::Unsubscribe).collect();
        let revoked = opted_out
            .iter()
            .map(|write| self.connection.revoke(named(&[write], "opt-out"), &write.address));
        for (write, revoked) in opted_out.iter().zip(join_all(revoked).await) {
            if revoked.is_err() {
                outcomes.insert(write.id, Outcome::Doubtful);
            }
        }
        let mut outcome = |write: &MemberWrite| {
            let member = ids[&write.id].first().cloned().map(MemberKey);
            outcomes.remove(&write.id).unwrap_or_else(|| done(member, MemberStatus::Absent))
        };
        Ok(writes.iter().map(|write| (write.id, outcome(write))).collect())
    }

    async fn remove(&self, writes: &[MemberWrite], ids: &[&str]) -> Result<(), Failure> {
        if ids.is_empty() {
            // Nobody to remove: only an audience that is there says that they are off it.
            return self.connection.read::<serde_json::Value>(&self.whole()).await.map(drop);
        }
        let writes: Vec<&MemberWrite> = writes.iter().collect();
        let path = ["audiences", &self.audience, "contacts", "remove"];
        let call = Call::post(&path, named(&writes, "remove"), json!({ "contact_ids": ids }));
        self.connection.write(&call).await.map(drop)
    }

    fn whole(&self) -> Call {
        Call::get(&["audiences", &self.audience])
    }

    /// Takes one member off; an outcome only where it is not simply off. Whoever's contact is gone
    /// may have another one by now.
    async fn remove_singly(&self, write: &MemberWrite, ids: &[String]) -> Option<Outcome> {
        let mut ids = ids.to_vec();
        let found = self.connection.look_up(&[write.address.expose()]).await;
        let Ok(found) = found else { return Some(Outcome::Doubtful) };
        ids.extend(found.into_iter().map(|contact| contact.id));
        for id in ids {
            let call = Call::delete(&["audiences", &self.audience, "contacts", &id]);
            match self.connection.write(&call).await {
                Ok(_) | Err(Failure::NotFound) => {}
                Err(Failure::Refused { refusal, .. }) => return Some(Outcome::Refused(refusal)),
                Err(Failure::Error(_)) => return Some(Outcome::Doubtful),
            }
        }
        None
    }

    /// Deletes contacts, and the consents we stated of them; suppressions stay. An erasure is what
    /// a read confirms that must not find it.
    async fn erase(&self, writes: &[MemberWrite]) -> Result<Outcomes, ProviderError> {
        let numbers: Vec<&str> = writes.iter().map(|write| write.address.expose()).collect();
        let found = self.connection.look_up(&numbers).await.map_err(Failure::of_account)?;
        let erased = writes.iter().map(async |write| {
            let key = write.member.iter().map(|MemberKey(id)| id.clone());
            let number = Some(write.address.expose());
            let found = found.iter().filter(|contact| contact.phone_number.as_deref() == number);
            let ids: BTreeSet<String> =
                key.chain(found.map(|contact| contact.id.clone())).collect();
            self.erase_one(write, &ids).await
        });
        let mut outcomes = Outcomes::new();
        for (write, outcome) in writes.iter().zip(join_all(erased).await) {
            outcomes.push((
                write.id,
                match outcome {
                    Ok(()) => done(None, MemberStatus::Forgotten),
                    Err(Failure::Refused { refusal, .. }) => Outcome::Refused(refusal),
                    Err(_) => Outcome::Doubtful,
                },
            ));
        }
        let Ok(still) = self.connection.look_up(&numbers).await else {
            return Ok(writes.iter().map(|write| (write.id, Outcome::Doubtful)).collect());
        };
        for (write, (_, outcome)) in writes.iter().zip(&mut outcomes) {
            let number = Some(write.address.expose());
            let there = still.iter().any(|contact| contact.phone_number.as_deref() == number);
            if there && matches!(outcome, Outcome::Done { .. }) {
                *outcome = Outcome::Doubtful;
            }
        }
        Ok(outcomes)
    }

    async fn erase_one(&self, write: &MemberWrite, ids: &BTreeSet<String>) -> Result<(), Failure> {
        for id in ids {
            match self.connection.write(&Call::delete(&["contacts", id])).await {
                Ok(_) | Err(Failure::NotFound) => {}
                Err(failure) => return Err(failure),
            }
            if self.connection.contact(id).await?.is_some() {
                let what = "a contact that was deleted and is there";
                return Err(Failure::Error(ProviderError::Unreadable { what }));
            }
        }
        self.connection.forget_consents(&write.address).await
    }

    /// Finds the contact of each write: by the id it names, else by its number.
    async fn ids(&self, writes: &[MemberWrite]) -> Result<BTreeMap<Uuid, Vec<String>>, Failure> {
        let unknown = writes.iter().filter(|write| write.member.is_none());
        let numbers: Vec<&str> = unknown.map(|write| write.address.expose()).collect();
        let found = self.connection.look_up(&numbers).await?;
        let of = |write: &MemberWrite| {
            if let Some(MemberKey(id)) = &write.member {
                return vec![id.clone()];
            }
            let number = Some(write.address.expose());
            let own = found.iter().filter(|contact| contact.phone_number.as_deref() == number);
            own.map(|contact| contact.id.clone()).collect()
        };
        Ok(writes.iter().map(|write| (write.id, of(write))).collect())
    }
}

/// What became of one contact of a batch.
fn upserted(row: Upsert) -> Outcome {
    match (row.status.as_str(), row.error) {
        ("created" | "updated", _) => done(row.contact_id.map(MemberKey), MemberStatus::Subscribed),
        ("failed", Some(error)) => Outcome::Refused(error.refusal(422)),
        ("failed", None) => {
            Outcome::Refused(Refusal::Other { status: 422, title: "failed".to_owned() })
        }
        _ => Outcome::Doubtful,
    }
}

/// Names a change of Bird's after the writes it is for, so that the same one is known again.
fn named(writes: &[&MemberWrite], what: &str) -> Uuid {
    let mut digest = Sha256::new_with_prefix(what);
    for write in writes {
        digest.update(write.id.as_bytes());
    }
    let mut name = [0; 16];
    name.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_custom_bytes(name).into_uuid()
}

const fn done(member: Option<MemberKey>, status: MemberStatus) -> Outcome {
    Outcome::Done { member, status }
}
