//! Gathers a dossier: everything that is held of one patient, and of nobody else. Who shares an
//! address shows as *another person*, and only where what they said binds this one.

use chrono::{DateTime, Utc};

use super::dossier::{
    Change, Dossier, Invited, KnownAddress, KnownOptOut, Line, LineProof, Message, OnList, Order,
    Review, ToldOfPatient, Whose,
};
use super::shared::Shared;
use crate::config::ClinicConfig;
use crate::domain::{
    ClinicId, ContactId, Draft, Event, EventKind, LinkId, ListId, NoteKind, Patient, PatientId,
    Reason,
};
use crate::providers;
use crate::store::{HeldAddress, LedgerLine, LinkChange, LinkRow, ListRow, Store, StoreError};

/// One clinic's files, as they are asked for a dossier.
struct Files<'a> {
    store: &'a Store,
    clinic: &'a ClinicConfig,
    id: ClinicId,
    lists: Vec<ListRow>,
}

impl Dossier {
    /// Gathers everything that is held of the patient whom the clinic calls `patient`, by its own id
    /// or ours; none where it has no such patient.
    pub async fn gather(
        store: &Store,
        clinic: &ClinicConfig,
        patient: &str,
        made_at: DateTime<Utc>,
    ) -> Result<Option<Self>, StoreError> {
        let id = store.clinic_ensure(&clinic.slug).await?;
        let Some(patient) = store.patient_find(id, patient).await? else { return Ok(None) };
        let files = Files { store, clinic, id, lists: store.lists(id).await? };
        files.dossier(patient, made_at).await.map(Some)
    }
}

impl Files<'_> {
    async fn dossier(
        &self,
        patient: Patient,
        made_at: DateTime<Utc>,
    ) -> Result<Dossier, StoreError> {
        let held = self.store.addresses_of_patient(self.id, patient.id).await?;
        let own: Vec<ContactId> =
            held.iter().filter(|held| is_own(held)).map(|held| held.contact).collect();
        let links = self.links(&own).await?;
        let ids: Vec<LinkId> = links.iter().map(|link| link.link.id).collect();
        let changes = self.store.changes_made(self.id, &ids).await?;
        let lines = self.store.ledger_about(self.id, patient.id, &own).await?;
        let order = self.store.erasure_of(self.id, patient.id).await?;
        let shared = Shared::of(&patient, &held, &lines, &links);
        let told = self.told_clinic(patient.id).await?;
        let ledger: Vec<Line> = lines
            .into_iter()
            .filter_map(|line| self.line(line, patient.id, &held, &shared))
            .collect();
        let messages = self.store.told_of_contacts(self.id, &own).await?;
        let reviews = self.store.reviews_of_contacts(self.id, &own).await?;
        Ok(Dossier {
            clinic: self.clinic.title.clone(),
            time_zone: self.clinic.time_zone,
            made_at,
            addresses: held.iter().map(known).collect(),
            lists: links.iter().map(|link| self.on_list(link, &shared)).collect(),
            opt_outs: self.opt_outs(patient.id, &own).await?,
            restricted_since: restricted_since(&ledger),
            ledger,
            changes: changes
                .iter()
                .filter(|change| shared.is_theirs(shared.contact(change.link), change.planned_at))
                .map(|change| self.change(change, &shared))
                .collect(),
            told_clinic: told,
            messages: messages
                .into_iter()
                .filter(|told| shared.is_theirs(Some(told.contact), told.at))
                .map(|told| Message { what: told.word, at: told.at })
                .collect(),
            reviews: reviews
                .into_iter()
                .filter(|review| shared.is_theirs(Some(review.contact), review.at))
                .map(|review| Review {
                    kind: review.kind,
                    at: review.at,
                    closed_because: review
                        .closed_because
                        .filter(|_| !shared.is_shared(Some(review.contact))),
                })
                .collect(),
            erasure: order.and_then(|order| {
                let (asked_by, reason) = (order.asked_by, order.reason);
                Some(Order { asked_at: order.asked_at?, asked_by, reason })
            }),
            patient,
        })
    }

    /// Returns what the clinic's own record was told, or is to be, in its order.
    async fn told_clinic(&self, patient: PatientId) -> Result<Vec<ToldOfPatient>, StoreError> {
        let events = self.store.told_of_patient(self.id, patient).await?;
        let events = events.into_iter().map(|told| ToldOfPatient {
            kind: told.kind.word(),
            channel: told.channel,
            at: told.at,
            told_at: told.done_at,
        });
        let invited = self.store.invited_of_patient(self.id, patient).await?;
        let invited = invited.into_iter().map(|told| ToldOfPatient {
            kind: NoteKind::Invited.word(),
            channel: Some(told.channel),
            at: told.at,
            told_at: told.done_at,
        });
        let mut told: Vec<_> = events.chain(invited).collect();
        told.sort_by_key(|told| told.at);
        Ok(told)
    }

    async fn links(&self, contacts: &[ContactId]) -> Result<Vec<LinkRow>, StoreError> {
        let mut links = Vec::new();
        for contact in contacts {
            links.extend(self.store.links_of_contact(self.id, *contact).await?);
        }
        Ok(links)
    }

    fn row(&self, list: ListId) -> Option<&ListRow> {
        self.lists.iter().find(|row| row.id == list)
    }

    fn slug(&self, list: ListId) -> String {
        self.row(list).map_or_else(|| "a list that is gone".to_owned(), |row| row.slug.clone())
    }

    /// Who keeps a list, by the configuration of today.
    fn provider(&self, list: ListId) -> Option<String> {
        let config = self.clinic.list(&self.row(list)?.slug)?;
        let account = self.clinic.accounts.get(&config.account)?;
        providers::provider(&account.provider).map(|provider| provider.name.to_owned())
    }

    fn on_list(&self, row: &LinkRow, shared: &Shared) -> OnList {
        let observed = row.link.observed.as_ref();
        let list = self.row(row.list_id);
        let contact = shared.contact(row.link.id);
        let theirs = |at: DateTime<Utc>| shared.is_theirs(contact, at);
        let because = row.planned.map(|(_, reason)| reason).filter(|_| !shared.is_shared(contact));
        let invitation = row.link.invitation.as_ref();
        OnList {
            list: self.slug(row.list_id),
            provider: self.provider(row.list_id),
            region: list.and_then(|list| list.region.clone()),
            channel: row.channel,
            there: observed.map(|observed| observed.status),
            seen_at: observed.map(|observed| observed.seen_at),
            signed_up_at: observed.and_then(|seen| seen.signed_up_at).filter(|at| theirs(*at)),
            opted_in_at: observed.and_then(|seen| seen.opted_in_at).filter(|at| theirs(*at)),
            class: row.planned.map(|(class, _)| class),
            because: because.map(Reason::sentence),
            law: because.map(|reason| reason.law().to_string()),
            invitation: invitation.filter(|sent| theirs(sent.sent_at)).map(|invitation| Invited {
                sent_at: invitation.sent_at,
                confirmed: invitation.confirmed,
                voided: invitation.voided,
                wording: invitation.wording.clone(),
            }),
        }
    }

    async fn opt_outs(
        &self,
        patient: PatientId,
        contacts: &[ContactId],
    ) -> Result<Vec<KnownOptOut>, StoreError> {
        let mut found: Vec<KnownOptOut> = Vec::new();
        for contact in contacts {
            let Some(facts) = self.store.contact(self.id, *contact).await? else { continue };
            let Some(contact) = &facts.contact else { continue };
            let own = facts.holders.iter().filter(|holder| holder.patient.id == patient);
            let standings = own.map(|holder| &holder.standing).chain([&contact.standing]);
            for opt_out in standings.flat_map(|standing| &standing.opt_outs) {
                let (channel, kind, at) = (contact.channel, opt_out.kind, opt_out.at);
                if !found.iter().any(|o| (o.channel, o.kind, o.at) == (channel, kind, at)) {
                    found.push(KnownOptOut { channel, kind, at });
                }
            }
        }
        found.sort_by_key(|opt_out| (opt_out.at, opt_out.channel, opt_out.kind));
        Ok(found)
    }

    /// Tells one line; none where it is another person's and does not bind this one, or is of an
    /// address before this one had it.
    fn line(
        &self,
        line: LedgerLine,
        me: PatientId,
        held: &[HeldAddress],
        shared: &Shared,
    ) -> Option<Line> {
        let of_others = |contact| {
            let known = held.iter().find(|held| held.contact == contact);
            known.is_none_or(|held| held.of_others)
        };
        let event = line.said.as_ref().map(|said| &said.event);
        let whose = whose(line.patient, line.contact, me, of_others);
        let binds_me = event.is_some_and(|event| event.binds.contains(&me));
        let before =
            whose == Whose::SharedAddress && !shared.is_theirs(line.contact, line.recorded_at);
        if (whose == Whose::AnotherPerson || before) && !binds_me {
            return None;
        }
        let mine = matches!(whose, Whose::Yours | Whose::YourAddress);
        let names_others = event.is_none_or(|event| event.binds.iter().any(|id| *id != me));
        let told = event.filter(|_| mine).map(|event| &event.draft);
        let basics = event.map(|event| &event.draft);
        let text = |read: fn(&Draft) -> Option<String>| told.and_then(read);
        Some(Line {
            number: line.seq,
            kind: line.kind,
            whose,
            channel: basics.and_then(|draft| draft.channel),
            list: basics.and_then(|draft| draft.list).map(|list| self.slug(list)),
            at: event.and_then(happened),
            recorded_at: line.recorded_at,
            by: told.map(|draft| draft.actor),
            method: text(|draft| draft.method.clone()),
            source: text(|draft| Some(draft.source.clone())),
            wording: text(|draft| draft.wording.clone()),
            evidence: text(|draft| draft.evidence.clone()),
            purpose: text(|draft| draft.purpose.clone()),
            reason: text(|draft| draft.reason.clone()),
            commitment: line.commitment,
            code: line.mac,
            key: line.key_id,
            proof: line
                .said
                .filter(|_| mine && !names_others)
                .map(|said| LineProof { salt: said.salt, text: said.text }),
        })
    }

    fn change(&self, change: &LinkChange, shared: &Shared) -> Change {
        let told = !shared.is_shared(shared.contact(change.link));
        Change {
            list: self.slug(change.list),
            provider: self.provider(change.list),
            what: change.verb,
            because: told.then(|| change.reason.sentence()),
            law: told.then(|| change.reason.law().to_string()),
            state: change.state,
            planned_at: change.planned_at,
            sent_at: change.submitted_at,
            settled_at: change.settled_at,
            disclosed: self.disclosed(change),
        }
    }

    /// What a change tells the provider. Its fields are forgotten once it is through; which ones
    /// they were, the configuration says.
    fn disclosed(&self, change: &LinkChange) -> Vec<String> {
        if change.submitted_at.is_none() {
            return Vec::new();
        }
        let mut told = vec!["the address".to_owned()];
        let config = self.row(change.list).and_then(|row| self.clinic.list(&row.slug));
        if let Some(config) = config.filter(|_| !change.verb.removes()) {
            let fields = config.policy.fields.iter();
            told.extend(fields.map(|mapping| mapping.from.word().replace('_', " ")));
            told.extend(
                config.policy.tags.values().map(|tag| format!("tag `{tag}`, if it applies")),
            );
        }
        told
    }
}

/// Tells whether what happens at an address is this patient's to see: it is theirs now, or was
/// nobody else's.
fn is_own(held: &HeldAddress) -> bool {
    held.holds_now || !held.of_others
}

fn known(held: &HeldAddress) -> KnownAddress {
    let told = held.address.as_ref().filter(|_| is_own(held));
    KnownAddress {
        channel: held.channel,
        address: told.map(|address| address.expose().to_owned()),
        held_now: held.holds_now,
        shared_with_another_person: held.shared,
        erased_at: held.erased_at,
    }
}

fn whose(
    patient: Option<PatientId>,
    contact: Option<ContactId>,
    me: PatientId,
    of_others: impl Fn(ContactId) -> bool,
) -> Whose {
    match (patient, contact) {
        (Some(patient), _) if patient == me => Whose::Yours,
        (Some(_), _) => Whose::AnotherPerson,
        (None, Some(contact)) if of_others(contact) => Whose::SharedAddress,
        (None, _) => Whose::YourAddress,
    }
}

fn happened(event: &Event) -> Option<DateTime<Utc>> {
    event.draft.occurred_at
}

/// Tells since when processing is restricted, by the newest that the patient had taken down.
fn restricted_since(ledger: &[Line]) -> Option<DateTime<Utc>> {
    let own = ledger.iter().filter(|line| line.whose == Whose::Yours);
    let about = own.filter(|l| matches!(l.kind, EventKind::Restricted | EventKind::Unrestricted));
    let at = |line: &Line| line.at.unwrap_or(line.recorded_at);
    let newest = about.max_by_key(|line| (at(line), line.number))?;
    (newest.kind == EventKind::Restricted).then(|| at(newest))
}
