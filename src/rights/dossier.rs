//! What a dossier says: everything that is held of one patient (GDPR Art. 15 and 20).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::{Actor, Channel, Class, EventKind, MemberStatus, OptOutKind, Patient, Verb};
use crate::store::{OpState, ReviewKind, Told};

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
    /// Since when processing is restricted by what was taken down here; the clinic's own flag is in
    /// its record.
    pub restricted_since: Option<DateTime<Utc>>,
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
    /// The order to erase them, where one stands.
    pub erasure: Option<Order>,
}

/// An order to erase the patient.
#[derive(Serialize)]
pub struct Order {
    /// When it was given.
    pub asked_at: DateTime<Utc>,
    /// Who took it down.
    pub asked_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
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
    /// When it signed up on a form of the provider.
    pub signed_up_at: Option<DateTime<Utc>>,
    /// When it opted in, by the provider.
    pub opted_in_at: Option<DateTime<Utc>>,
    /// Where it stands by the clinic's records.
    pub class: Option<Class>,
    /// Why, in a sentence; none where another person has or had the address: it may be about them.
    pub because: Option<&'static str>,
    /// The line of the law; none where there is no reason.
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
    /// Why, in a sentence; none where another person has or had the address: it may be about them.
    pub because: Option<&'static str>,
    /// The line of the law; none where there is no reason.
    pub law: Option<String>,
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
    pub kind: &'static str,
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
    /// What came of it; none while it is open, or where another person has or had the address.
    pub closed_because: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn tz<S: serde::Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}
