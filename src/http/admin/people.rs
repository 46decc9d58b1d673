//! People: why somebody is on a list, and who may be contacted. Addresses are sent in bodies, never
//! in a URL, and are shown masked but where somebody reveals one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::gate::Permit;
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body};
use crate::domain::{
    Act, Actor, Address, Channel, ContactId, Event, EventId, EventKind, ListId, PatientId, Reason,
    TimeSource,
};
use crate::reconcile::{Erasing, Explanation, KeptOff, ListWord, MayNot, Who};

/// Addresses checked at once at most.
const MOST: usize = 10_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/clinics/{clinic}/explain",
            Act::Read,
            "Says why somebody is, or is not, on each list.",
            explain,
        ).takes::<Whom>().answers::<Explained>(),
        Route::post(
            "/clinics/{clinic}/check",
            Act::Read,
            "Says of up to 10,000 addresses whether each may be contacted on a list now, or why not.",
            check,
        ).takes::<Check>().answers::<Checked>(),
        Route::get(
            "/clinics/{clinic}/contacts/{contact}",
            Act::Reveal,
            "Shows an address in full.",
            reveal,
        ).answers::<Revealed>(),
        Route::get(
            "/clinics/{clinic}/contacts/{contact}/ledger",
            Act::Audit,
            "Lists what is on record of a contact and of whoever holds it, the oldest first.",
            ledger,
        ).answers::<Vec<LedgerLine>>(),
    ]
}

/// Somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    /// An e-mail address, a number with +, or the clinic's id of a patient.
    #[schema(min_length = 1, max_length = 500)]
    pub(super) who: String,
}

/// Why somebody is, or is not, on each list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explained {
    pub(super) contacts: Vec<ContactId>,
    /// The patients, by our ids: what is asked about their rights names them so.
    pub(super) patients: Vec<PatientId>,
    /// Those of them who were erased, or are to be; of an address, of those who have it now.
    pub(super) erased: Vec<Erasing>,
    pub(super) lists: Vec<ListWord>,
    /// Opt-outs that are known by the keyed hash of the address alone, whether anybody is known by it
    /// or not.
    pub(super) kept_off: Vec<KeptOff>,
}

/// Addresses to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    pub(super) list: String,
    #[schema(max_items = 10_000)]
    pub(super) addresses: Vec<String>,
}

/// An answer for each address, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checked {
    pub(super) may: u64,
    pub(super) answers: Vec<Answer>,
}

/// An answer for one address, which it does not repeat.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answer {
    pub(super) may: bool,
    /// Why not.
    pub(super) reason: Option<String>,
    /// The line of the law.
    pub(super) law: Option<String>,
    /// Since when, where it is an opt-out of an address that nobody is known by.
    pub(super) since: Option<DateTime<Utc>>,
}

impl Answer {
    /// That somebody was erased, and when, is told to whoever may see receipts.
    fn of(said: Result<(), MayNot>, sees_receipts: bool) -> Self {
        let Err(mut may_not) = said else {
            return Self { may: true, reason: None, law: None, since: None };
        };
        if may_not.reason == Reason::Erased && !sees_receipts {
            may_not = Reason::UnknownSuppressed.into();
        }
        let (reason, law) = (may_not.reason.sentence(), may_not.reason.law());
        Self {
            may: false,
            reason: Some(reason.to_owned()),
            law: Some(law.to_string()),
            since: may_not.since,
        }
    }

    fn no_address() -> Self {
        let reason = Some("this is no address".to_owned());
        Self { may: false, reason, law: None, since: None }
    }
}

/// An address in full.
#[derive(Serialize, ToSchema)]
pub(super) struct Revealed {
    pub(super) channel: Channel,
    /// The address; none once it was erased.
    pub(super) address: Option<String>,
}

/// One line of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerLine {
    pub(super) event: EventId,
    pub(super) kind: EventKind,
    /// None means every channel.
    pub(super) channel: Option<Channel>,
    pub(super) patient: Option<PatientId>,
    pub(super) list: Option<ListId>,
    pub(super) actor: Actor,
    pub(super) method: Option<String>,
    /// Where it was learned.
    pub(super) source: String,
    /// The wording shown.
    pub(super) wording: Option<String>,
    /// What proves it.
    pub(super) evidence: Option<String>,
    /// The purpose it is limited to.
    pub(super) purpose: Option<String>,
    pub(super) reason: Option<String>,
    /// Whether actor, method, wording and time are on record.
    pub(super) explicit: bool,
    /// Whether an admin accepted it against an objection.
    pub(super) accepted: bool,
    /// Whether a preference refuses its purpose.
    pub(super) refuses: bool,
    /// When it happened, as far as known, and whose clock that is by.
    pub(super) occurred_at: Option<DateTime<Utc>>,
    pub(super) clock: TimeSource,
    pub(super) recorded_at: DateTime<Utc>,
}

impl From<Event> for LedgerLine {
    fn from(event: Event) -> Self {
        let draft = event.draft;
        Self {
            event: event.id,
            kind: draft.kind,
            channel: draft.channel,
            patient: draft.patient,
            list: draft.list,
            actor: draft.actor,
            method: draft.method,
            source: draft.source,
            wording: draft.wording,
            evidence: draft.evidence,
            purpose: draft.purpose,
            reason: draft.reason,
            explicit: draft.explicit,
            accepted: draft.accepted,
            refuses: draft.refuses,
            occurred_at: draft.occurred_at,
            clock: draft.clock,
            recorded_at: event.recorded_at,
        }
    }
}

pub(super) async fn explain(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(asked): Body<Whom>,
) -> Result<Json<Explained>, Problem> {
    let who = clean(&asked.who)?;
    let (_, clinic) = permit.clinic()?;
    let who = Who::read(who, clinic.country.as_deref());
    let known = explanation(&admin, &permit, &who).await?;
    let known = known.ok_or_else(|| Problem::missing("person"))?;
    let Explanation { contacts, patients, erased, lists, kept_off } = known;
    Ok(Json(Explained { contacts, patients, erased, lists, kept_off }))
}

/// Explains somebody; that somebody was erased, and when, is told to whoever may see receipts.
pub(super) async fn explanation(
    admin: &Admin,
    permit: &Permit,
    who: &Who,
) -> Result<Option<Explanation>, Problem> {
    let (clinic, lists) = permit.lists(admin).await?;
    let known = admin.reconciler.explain(clinic, &lists, who).await?;
    let sees_receipts = permit.token.role.may(Act::Audit);
    Ok(if sees_receipts { known } else { known.map(Explanation::without_erasures) })
}

pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(check): Body<Check>,
) -> Result<Json<Checked>, Problem> {
    if check.addresses.len() > MOST {
        return Err(Problem::wrong(format!("{MOST} addresses at most are checked at once")));
    }
    let list = permit.list_called(&admin, &check.list).await?;
    if !admin.reconciler.is_fresh(&list).await? {
        return Err(Problem::conflict(
            "patients or list were not read whole lately enough to answer by: resync with full first",
        ));
    }
    let (_, clinic) = permit.clinic()?;
    let channel = list.policy.channel;
    let parse = |given: &String| Address::parse(channel, given, clinic.country.as_deref());
    let parsed: Vec<_> = check.addresses.iter().map(parse).collect();
    let sound: Vec<Address> = parsed.iter().filter_map(|address| address.clone().ok()).collect();
    let mut answered = admin.reconciler.scrub(&list, &sound).await?.into_iter();
    let sees_receipts = permit.token.role.may(Act::Audit);
    let answers: Vec<Answer> = parsed
        .into_iter()
        .map(|parsed| match parsed.map(|_| answered.next()) {
            Ok(Some(said)) => Answer::of(said, sees_receipts),
            Ok(None) | Err(_) => Answer::no_address(),
        })
        .collect();
    let may = answers.iter().filter(|answer| answer.may).count() as u64;
    Ok(Json(Checked { may, answers }))
}

pub(super) async fn reveal(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Revealed>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let facts = admin.store.contact(clinic, permit.id("contact")?).await?;
    let contact = facts.and_then(|facts| facts.contact);
    let contact = contact.ok_or_else(|| Problem::missing("contact"))?;
    let address = contact.address.map(|address| address.expose().to_owned());
    Ok(Json(Revealed { channel: contact.channel, address }))
}

pub(super) async fn ledger(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Vec<LedgerLine>>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let contact: ContactId = permit.id("contact")?;
    let facts = admin.store.contact(clinic, contact).await?;
    let facts = facts.ok_or_else(|| Problem::missing("contact"))?;
    let events = admin.reconciler.on_record(clinic, &facts).await?;
    Ok(Json(events.into_iter().map(LedgerLine::from).collect()))
}

/// No engine takes a text with a zero in it, and nobody means an empty one.
pub(super) fn clean(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    match text.chars().count() {
        1..=500 if !text.contains('\0') => Ok(text),
        _ => Err(Problem::wrong("a text is empty, longer than 500 characters, or not for people")),
    }
}
