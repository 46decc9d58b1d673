//! Who may never be contacted: put down by hand, and lifted only by newer evidence (L11).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::gate::Permit;
use super::paging::{Page, Turn};
use super::people::clean;
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body, about, because, by, done};
use crate::domain::{Act, Address, Channel, ClinicId, EventKind};
use crate::reconcile::{Evidence, NotLifted};
use crate::store::{SuppressionRow, mark};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/suppressions",
            Act::Read,
            "Lists the suppressions; whose each is, only its address tells.",
            suppressions,
        )
        .pages::<Suppression>(),
        Route::post(
            "/clinics/{clinic}/suppressions",
            Act::Own,
            "Has nobody contacted at an address any more, known or not.",
            suppress,
        )
        .takes::<Suppress>()
        .answers::<Suppressed>(),
        Route::post(
            "/clinics/{clinic}/suppressions/lift",
            Act::Own,
            "Accepts a newer consent against every opt-out of an address.",
            lift,
        )
        .takes::<Lift>()
        .answers::<Recorded>(),
    ]
}

/// A suppression.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suppression {
    /// The beginning of the keyed hash of the address.
    pub(super) mark: String,
    pub(super) kind: crate::domain::OptOutKind,
    pub(super) at: DateTime<Utc>,
}

/// Has nobody contacted there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppress {
    pub(super) address: String,
    pub(super) kind: Kind,
    /// Why; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
}

/// What kind of opt-out.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// On this channel.
    Withdrawn,
    /// To direct marketing, on every channel.
    Objected,
}

/// Accepts a newer consent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lift {
    pub(super) address: String,
    /// The patient who asked anew, by the clinic's id.
    pub(super) patient: String,
    /// How consent was given: in person, by telephone, on paper.
    pub(super) method: String,
    /// The wording that was read or shown, or its version.
    pub(super) wording: String,
    /// When; later than the opt-out, and not in the future.
    pub(super) at: DateTime<Utc>,
    /// Why it is accepted; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
}

/// It is on record, and the lists follow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suppressed {
    pub(super) recorded: bool,
    /// Whether something could not be done at once: the next run does it.
    pub(super) left: bool,
}

/// It is on record; the next run acts on it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recorded {
    pub(super) recorded: bool,
}

pub(super) async fn suppressions(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<Suppression>>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let after = turn.after(String::new())?;
    let mut parts = after.split(' ');
    let mut part = || parts.next().unwrap_or_default();
    let after = (part(), part(), part());
    let rows = admin.store.suppressions_page(clinic, after, turn.rows()).await?;
    let key = |row: &SuppressionRow| format!("{} {} {}", row.mark(), row.kind, row.clock);
    let shown = |row: SuppressionRow| Suppression { mark: row.mark(), kind: row.kind, at: row.at };
    Ok(Json(turn.page(rows, key, shown)))
}

pub(super) async fn suppress(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(suppress): Body<Suppress>,
) -> Result<Response, Problem> {
    let reason = because(&suppress.reason)?;
    let (clinic, config) = permit.clinic()?;
    let address = address(&suppress.address, config.country.as_deref())?;
    let kind = match suppress.kind {
        Kind::Withdrawn => EventKind::Withdrawn,
        Kind::Objected => EventKind::Objected,
    };
    let left = admin.desk(&permit)?.suppress(&address, kind, &reason).await?;
    let said = format!("{}, {kind}", whose(&admin, clinic, &address).await?);
    Ok(about(said, done(Some(reason), Json(Suppressed { recorded: true, left }))))
}

pub(super) async fn lift(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(lift): Body<Lift>,
) -> Result<Response, Problem> {
    let reason = because(&lift.reason)?;
    let (clinic, config) = permit.clinic()?;
    let address = address(&lift.address, config.country.as_deref())?;
    let evidence = Evidence {
        patient: clean(&lift.patient)?.to_owned(),
        method: clean(&lift.method)?.to_owned(),
        wording: clean(&lift.wording)?.to_owned(),
        at: lift.at,
        taken_by: by(&permit),
    };
    match admin.reconciler.lift(clinic, &address, &evidence, &reason).await {
        Ok(()) => {
            let whose = whose(&admin, clinic, &address).await?;
            Ok(about(whose, done(Some(reason), Json(Recorded { recorded: true }))))
        }
        Err(NotLifted::Failed(error)) => Err(error.into()),
        Err(NotLifted::Unknown) => Err(Problem::missing("person")),
        Err(names @ NotLifted::NamesPatient) => Err(Problem::wrong(names.to_string())),
        Err(stays) => Err(Problem::conflict(stays.to_string())),
    }
}

/// Names an address for the audit log: the contact by its id, a stranger by the beginning of the hash.
async fn whose(admin: &Admin, clinic: ClinicId, address: &Address) -> Result<String, Problem> {
    if let Some(contact) = admin.store.contact_find(clinic, address).await? {
        return Ok(contact.id.to_string());
    }
    let hashes = admin.store.address_hashes(clinic, address);
    Ok(hashes.first().map(|known| mark(&known.hash)).unwrap_or_default())
}

/// Reads an address of either channel; what is wrong with it is said without repeating it.
fn address(text: &str, country: Option<&str>) -> Result<Address, Problem> {
    let channel = if text.contains('@') { Channel::Email } else { Channel::Sms };
    Address::parse(channel, text, country).map_err(|error| Problem::wrong(error.to_string()))
}
