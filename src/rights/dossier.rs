//! Everything that is held of one patient (GDPR Art. 15 and 20), and of nobody else: who shares an
//! address shows as *another person*, and only where what they said binds this one.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::config::ClinicConfig;
use crate::domain::{
    Actor, Channel, Class, ClinicId, ContactId, Event, EventKind, LinkId, ListId, MemberStatus,
    OptOutKind, Patient, PatientId, Verb,
};
use crate::providers;
use crate::store::{
    HeldAddress, LedgerLine, LinkChange, LinkRow, ListRow, OpState, ReviewKind, Store, StoreError,
    Told,
};

/// Everything that is held of one patient.
#[derive(Serialize)]
pub struct Dossier {
    /// The clinic, as people call it.
    pub clinic: String,
    /// The time zone of its pages.
    #[serde(serialize_with = "tz")]
    pub time_zone: Tz,
    /// When it was put together.
    pub made_at: DateTime<Utc>,
    /// The clinic's record as last read.
    pub patient: Patient,
    /// Every address the patient has or had.
    pub addresses: Vec<KnownAddress>,
    /// Where those addresses stand on each list.
    pub lists: Vec<OnList>,
    /// Who must not write to them any more.
    pub opt_outs: Vec<KnownOptOut>,
    /// Every line of the ledger.
    pub ledger: Vec<Line>,
    /// Every change made at a provider, or planned, and what was disclosed by it.
    pub changes: Vec<Change>,
    /// What was written back to the clinic's own record.
    pub told_clinic: Vec<ToldOfPatient>,
    /// What text providers told of messages to the number, while it is remembered.
    pub messages: Vec<Message>,
    /// What an admin was shown.
    pub reviews: Vec<Review>,
}

/// An address that the patient has or had.
#[derive(Serialize)]
pub struct KnownAddress {
    /// Its channel.
    pub channel: Channel,
    /// The address itself; none once it was erased, or where another person has it now.
    pub address: Option<String>,
    /// Whether the patient has it now.
    pub held_now: bool,
    /// Whether another person has it too.
    pub shared_with_another_person: bool,
    /// When it was erased here.
    pub erased_at: Option<DateTime<Utc>>,
}

/// Where an address stands on one list.
#[derive(Serialize)]
pub struct OnList {
    /// The list.
    pub list: String,
    /// Who keeps it.
    pub provider: Option<String>,
    /// Where the provider keeps its data, as it says.
    pub region: Option<String>,
    /// The channel.
    pub channel: Channel,
    /// What the provider showed last.
    pub there: Option<MemberStatus>,
    /// When.
    pub seen_at: Option<DateTime<Utc>>,
    /// Where it stands by the clinic's records.
    pub class: Option<Class>,
    /// Why, in a sentence.
    pub because: Option<&'static str>,
    /// The line of the law.
    pub law: Option<String>,
    /// The invitation to confirm, if one was sent.
    pub invitation: Option<Invited>,
}

/// An invitation to confirm.
#[derive(Serialize)]
pub struct Invited {
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
    /// Whether it was confirmed.
    pub confirmed: bool,
    /// Whether it was taken back before.
    pub voided: bool,
    /// What was asked, where we asked ourselves.
    pub wording: Option<String>,
}

/// A wish to be left alone that still counts.
#[derive(Serialize)]
pub struct KnownOptOut {
    /// The channel.
    pub channel: Channel,
    /// What kind.
    pub kind: OptOutKind,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The patient.
    Yours,
    /// The address, which nobody else has or had.
    YourAddress,
    /// Somebody at an address that others have or had too.
    SharedAddress,
    /// Another person, at an address that they share.
    AnotherPerson,
}

/// One line of the ledger.
#[derive(Serialize)]
pub struct Line {
    /// Its number in the clinic's chain.
    pub number: i64,
    /// What happened.
    pub kind: EventKind,
    /// Whose word it is.
    pub whose: Whose,
    /// The channel; none means every channel.
    pub channel: Option<Channel>,
    /// The list it was seen on.
    pub list: Option<String>,
    /// When it happened, as far as known.
    pub at: Option<DateTime<Utc>>,
    /// When it was written down.
    pub recorded_at: DateTime<Utc>,
    /// Who acted.
    pub by: Option<Actor>,
    /// How.
    pub method: Option<String>,
    /// Where it was learned.
    pub source: Option<String>,
    /// The wording shown.
    pub wording: Option<String>,
    /// What proves it.
    pub evidence: Option<String>,
    /// The purpose it is limited to.
    pub purpose: Option<String>,
    /// The reason given.
    pub reason: Option<String>,
    /// What the line commits to: the SHA-256 of salt and text.
    pub commitment: String,
    /// Its code in the chain, which `listwarden ledger verify` checks.
    pub code: String,
    /// The key of the code.
    pub key: String,
    /// Salt and text that the commitment is of; none where the text tells of somebody else.
    pub proof: Option<LineProof>,
}

/// What lets anybody check a line's commitment.
#[derive(Serialize)]
pub struct LineProof {
    /// Put before the text.
    pub salt: String,
    /// The line as it was written.
    pub text: String,
}

/// One change at a provider.
#[derive(Serialize)]
pub struct Change {
    /// The list.
    pub list: String,
    /// Who keeps it.
    pub provider: Option<String>,
    /// What was done.
    pub what: Verb,
    /// Why, in a sentence.
    pub because: &'static str,
    /// The line of the law.
    pub law: String,
    /// How far it got.
    pub state: OpState,
    /// When it was decided.
    pub planned_at: DateTime<Utc>,
    /// When it was sent to the provider; none where it never was.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the outcome was known.
    pub settled_at: Option<DateTime<Utc>>,
    /// What of the patient it disclosed.
    pub disclosed: Vec<String>,
}

/// What was written back to the clinic's own record.
#[derive(Serialize)]
pub struct ToldOfPatient {
    /// What happened.
    pub kind: EventKind,
    /// The channel; none means every channel.
    pub channel: Option<Channel>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When the clinic was told.
    pub told_at: Option<DateTime<Utc>>,
}

/// What a provider told of a message to the number.
#[derive(Serialize)]
pub struct Message {
    /// What kind of thing.
    pub what: Told,
    /// When.
    pub at: DateTime<Utc>,
}

/// What an admin was shown.
#[derive(Serialize)]
pub struct Review {
    /// What it is.
    pub kind: ReviewKind,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What came of it.
    pub closed_because: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn tz<S: serde::Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

/// One clinic's files, as they are asked for a dossier.
pub(super) struct Files<'a> {
    pub(super) store: &'a Store,
    pub(super) clinic: &'a ClinicConfig,
    pub(super) id: ClinicId,
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
        let told = self.store.told_of_patient(self.id, patient.id).await?;
        let messages = self.store.told_of_contacts(self.id, &own).await?;
        let reviews = self.store.reviews_of_contacts(self.id, &own).await?;
        Ok(Dossier {
            clinic: self.clinic.title.clone(),
            time_zone: self.clinic.time_zone,
            made_at,
            addresses: held.iter().map(known).collect(),
            lists: links.iter().map(|link| self.on_list(link)).collect(),
            opt_outs: self.opt_outs(patient.id, &own).await?,
            ledger: lines.into_iter().filter_map(|l| self.line(l, patient.id, &held)).collect(),
            changes: changes.iter().map(|change| self.change(change)).collect(),
            told_clinic: told
                .into_iter()
                .map(|told| ToldOfPatient {
                    kind: told.kind,
                    channel: told.channel,
                    at: told.at,
                    told_at: told.done_at,
                })
                .collect(),
            messages: messages
                .into_iter()
                .map(|told| Message { what: told.word, at: told.at })
                .collect(),
            reviews: reviews
                .into_iter()
                .map(|review| Review {
                    kind: review.kind,
                    at: review.at,
                    closed_because: review.closed_because,
                })
                .collect(),
            patient,
        })
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

    fn on_list(&self, row: &LinkRow) -> OnList {
        let observed = row.link.observed.as_ref();
        let list = self.row(row.list_id);
        let planned = row.planned;
        OnList {
            list: self.slug(row.list_id),
            provider: self.provider(row.list_id),
            region: list.and_then(|list| list.region.clone()),
            channel: row.channel,
            there: observed.map(|observed| observed.status),
            seen_at: observed.map(|observed| observed.seen_at),
            class: planned.map(|(class, _)| class),
            because: planned.map(|(_, reason)| reason.sentence()),
            law: planned.map(|(_, reason)| reason.law().to_string()),
            invitation: row.link.invitation.as_ref().map(|invitation| Invited {
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

    /// Tells one line; none where it is another person's and does not bind this one.
    fn line(&self, line: LedgerLine, me: PatientId, held: &[HeldAddress]) -> Option<Line> {
        let of_others = |contact| {
            let known = held.iter().find(|held| held.contact == contact);
            known.is_none_or(|held| held.of_others)
        };
        let event = line.said.as_ref().map(|said| &said.event);
        let whose = whose(line.patient, line.contact, me, of_others);
        let binds_me = event.is_some_and(|event| event.binds.contains(&me));
        if whose == Whose::AnotherPerson && !binds_me {
            return None;
        }
        let mine = matches!(whose, Whose::Yours | Whose::YourAddress);
        let names_others = event.is_none_or(|event| event.binds.iter().any(|id| *id != me));
        let told = event.filter(|_| mine).map(|event| &event.draft);
        let basics = event.map(|event| &event.draft);
        let text = |read: fn(&crate::domain::Draft) -> Option<String>| told.and_then(read);
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

    fn change(&self, change: &LinkChange) -> Change {
        Change {
            list: self.slug(change.list),
            provider: self.provider(change.list),
            what: change.verb,
            because: change.reason.sentence(),
            law: change.reason.law().to_string(),
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
