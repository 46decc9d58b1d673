//! Patients' rights: a copy of everything, erasure, restriction, objection, preferences; and who was
//! exposed (docs/rights.md). A patient is named by our id, so that no URL and no log has the clinic's.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::gate::Permit;
use super::people::clean;
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body, about, because, by, done};
use crate::domain::{Act, Because, Channel, PatientId};
use crate::rights::{
    self, Desk, Exposure, Idle, Receipt, RightsError, TakenDown, Window, Wish, Written, confirmed,
};

/// How long an answer waits for what follows at the providers, which goes on all the same.
const PATIENCE: Duration = Duration::from_secs(10);
/// In how many seconds to ask for an assessment again where one is under way.
const ASSESSED_AGAIN: u64 = 60;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/patients/{patient}/export",
            Act::Export,
            "Puts everything that is held of a patient into a zip file.",
            export,
        )
        .answers_file("application/zip"),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/erase",
            Act::Own,
            "Erases a patient: at the providers first, each verified, then here. Asked again, it goes on.",
            erase,
        )
        .takes::<Erase>()
        .answers::<Receipt>()
        .may_go_on(),
        Route::get(
            "/clinics/{clinic}/patients/{patient}/erasure",
            Act::Audit,
            "Says how far a patient's erasure is.",
            erasure,
        )
        .answers::<Receipt>()
        .may_go_on(),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/erase/refuse",
            Act::Own,
            "Refuses an erasure because of a duty to keep: the patient objects and is restricted instead.",
            refuse,
        )
        .takes::<RefuseErasure>()
        .answers::<Written>(),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/restrict",
            Act::Own,
            "Restricts the processing of a patient's data: off every list, kept here.",
            restrict,
        )
        .takes::<Word>()
        .answers::<Written>(),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/unrestrict",
            Act::Own,
            "Lifts a restriction that was taken down here.",
            unrestrict,
        )
        .takes::<Word>()
        .answers::<Written>(),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/object",
            Act::Own,
            "Takes down that a patient objects to marketing, on every channel.",
            object,
        )
        .takes::<Word>()
        .answers::<Written>(),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/prefer",
            Act::Own,
            "Takes down what a patient prefers: it lists nobody, and with `not` keeps them off.",
            prefer,
        )
        .takes::<Prefer>()
        .answers::<Written>(),
        Route::get(
            "/clinics/{clinic}/exposure",
            Act::Audit,
            "Tells who was on a list without a basis, from when to when.",
            exposure,
        )
        .answers::<Vec<Exposure>>()
        .asks(&["from", "to", "list", "people"]),
    ]
}

/// Erases.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    /// Why: how it was asked for, and where that can be looked up; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
    /// The clinic's short name: there is no way back.
    pub(super) confirm: String,
}

/// Refuses to erase.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefuseErasure {
    /// The duty to keep; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
}

/// What a patient said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    /// How it was said, and where that can be looked up; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) evidence: String,
    /// When; now, if left out.
    #[serde(default)]
    pub(super) at: Option<DateTime<Utc>>,
}

/// What a patient prefers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefer {
    pub(super) channel: Channel,
    /// Only about this purpose, as the lists name theirs.
    #[serde(default)]
    pub(super) purpose: Option<String>,
    /// They would rather not.
    #[serde(default)]
    pub(super) not: bool,
    /// How it was said, and where that can be looked up; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) evidence: String,
    /// When; now, if left out.
    #[serde(default)]
    pub(super) at: Option<DateTime<Utc>>,
}

/// Which exposure is asked about.
#[derive(Deserialize)]
pub(super) struct Exposed {
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    pub(super) list: Option<String>,
    #[serde(default)]
    pub(super) people: bool,
}

impl From<RightsError> for Problem {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::NotConfirmed { .. } | RightsError::Future | RightsError::NamesPatient => {
                Self::wrong(error.to_string())
            }
            RightsError::UnderWay { .. } => Self::conflict(error.to_string()),
            RightsError::Loop(error) => error.into(),
            RightsError::Store(error) => error.into(),
        }
    }
}

impl Admin {
    pub(super) fn desk<'a>(&self, permit: &'a Permit) -> Result<Desk<'a>, Problem> {
        let reconciler = self.reconciler.attending(self.roster.borrow().clone());
        Ok(Desk { reconciler, clinic: permit.clinic()?.1, patience: Some(PATIENCE) })
    }
}

/// Reads the patient's id of the path.
fn patient(permit: &Permit) -> Result<String, Problem> {
    Ok(permit.id::<PatientId>("patient")?.to_string())
}

fn nobody() -> Problem {
    Problem::missing("patient")
}

pub(super) async fn export(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Response, Problem> {
    let patient = patient(&permit)?;
    let dossier = admin.desk(&permit)?.dossier(&patient).await?.ok_or_else(nobody)?;
    let zip = dossier.zip().map_err(|error| Problem::failed(&error, false))?;
    let named = format!("attachment; filename=\"patient-{}.zip\"", dossier.patient.id);
    let mut answer = zip.into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.extend(HeaderValue::from_str(&named).ok().map(|named| (CONTENT_DISPOSITION, named)));
    Ok(answer)
}

pub(super) async fn erase(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(asked): Body<Erase>,
) -> Result<Response, Problem> {
    let reason = because(&asked.reason)?;
    confirmed(permit.clinic()?.1, &asked.confirm)?;
    let erased = admin.desk(&permit)?.erase(&patient(&permit)?, &by(&permit), &reason).await?;
    let erased = erased.ok_or_else(nobody)?;
    let again = erased.note.map(|_| Idle::AskedBefore);
    let mut answer = done(Some(reason), far(erased));
    answer.extensions_mut().insert(Followed(again));
    Ok(answer)
}

pub(super) async fn erasure(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Response, Problem> {
    receipt(&admin, &permit).await.map(far)
}

/// Returns the receipt of an erasure that was asked for, or that the clinic's own records made.
pub(super) async fn receipt(admin: &Admin, permit: &Permit) -> Result<Receipt, Problem> {
    let (_, clinic) = permit.clinic()?;
    let found = rights::receipt(&admin.store, clinic, &patient(permit)?).await?;
    let asked = found.filter(|far| far.asked_at.is_some() || far.record_erased_at.is_some());
    asked.ok_or_else(|| Problem::missing("erasure"))
}

/// What is not done yet goes on after the answer.
fn far(receipt: Receipt) -> Response {
    let status = if receipt.done { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Json(receipt)).into_response()
}

pub(super) async fn refuse(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(refusal): Body<RefuseErasure>,
) -> Result<Response, Problem> {
    let reason = because(&refusal.reason)?;
    let (desk, patient) = (admin.desk(&permit)?, patient(&permit)?);
    let written = desk.refuse_erasure(&patient, &by(&permit), &reason).await?;
    Ok(written_down(reason, written.ok_or_else(nobody)?))
}

/// Answers with what was written down; the page says why it changes nothing.
fn written_down(because: Because, written: Written) -> Response {
    let idle = written.idle;
    let mut answer = done(Some(because), Json(written));
    answer.extensions_mut().insert(Followed(idle));
    answer
}

/// Why what was done changes nothing, if so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed(pub(super) Option<Idle>);

pub(super) async fn restrict(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(word): Body<Word>,
) -> Result<Response, Problem> {
    take_down(&admin, &permit, &Wish::Restrict, &word).await
}

pub(super) async fn unrestrict(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(word): Body<Word>,
) -> Result<Response, Problem> {
    take_down(&admin, &permit, &Wish::Unrestrict, &word).await
}

pub(super) async fn object(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(word): Body<Word>,
) -> Result<Response, Problem> {
    take_down(&admin, &permit, &Wish::Object, &word).await
}

pub(super) async fn prefer(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(preferred): Body<Prefer>,
) -> Result<Response, Problem> {
    let Prefer { channel, purpose, not, evidence, at } = preferred;
    let purpose = purpose.as_deref().map(clean).transpose()?.map(ToOwned::to_owned);
    let (way, of) = (if not { "rather not" } else { "gladly" }, purpose.clone());
    let said = format!("{}, {way} {channel} {}", patient(&permit)?, of.unwrap_or_default());
    let wish =
        if not { Wish::NotBy { channel, purpose } } else { Wish::Gladly { channel, purpose } };
    let taken = take_down(&admin, &permit, &wish, &Word { evidence, at }).await?;
    Ok(about(said.trim_end(), taken))
}

pub(super) async fn take_down(
    admin: &Admin,
    permit: &Permit,
    wish: &Wish,
    word: &Word,
) -> Result<Response, Problem> {
    let evidence: Because = because(&word.evidence)?;
    let taken = TakenDown { by: &by(permit), evidence: &evidence, at: word.at };
    let written = admin.desk(permit)?.take_down(&patient(permit)?, wish, &taken).await?;
    Ok(written_down(evidence, written.ok_or_else(nobody)?))
}

pub(super) async fn exposure(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    asked: Result<Query<Exposed>, QueryRejection>,
) -> Result<Json<Vec<Exposure>>, Problem> {
    let Query(asked) = asked?;
    let lists = match &asked.list {
        Some(slug) => vec![permit.list_called(&admin, slug).await?],
        None => permit.lists(&admin).await?.1,
    };
    let window = Window { from: asked.from, to: asked.to };
    // It reads every link with its whole past, beside the webhooks.
    let _turn = admin.assessing.try_acquire().map_err(|_| Problem::too_many(ASSESSED_AGAIN))?;
    let now = admin.clock.now();
    let exposed =
        rights::exposure::exposure(&admin.store, &lists, window, asked.people, now).await?;
    Ok(Json(exposed))
}
