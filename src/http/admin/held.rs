//! Who is on a list and should not be, why, and what takes them off.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::gate::Permit;
use super::paging::{Page, Turn};
use super::problem::Problem;
use super::route::Route;
use crate::domain::policy::UnknownMembers;
use crate::domain::{Act, Class, ContactId, LinkId, MemberStatus, Policy, Reason};
use crate::store::{HeldLink, ShownLink};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/lists/{list}/held",
            Act::Read,
            "Lists who is on a list and should not be, why, and what takes them off; masked.",
            held,
        )
        .pages::<HeldView>(),
    ]
}

/// Somebody who is on a list and should not be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeldView {
    /// The link, by which logs and journal name them.
    pub(super) link: LinkId,
    /// The contact, if the clinic knows or knew them.
    pub(super) contact: Option<ContactId>,
    /// The address, masked.
    pub(super) who: String,
    /// Dropped, or without a basis.
    pub(super) class: Class,
    /// The state at the provider.
    pub(super) there: Option<MemberStatus>,
    /// Since when, as the provider says.
    pub(super) joined_at: Option<DateTime<Utc>>,
    /// Why they should not be there.
    pub(super) reason: Option<String>,
    /// The line of the law.
    pub(super) law: Option<String>,
    /// What takes them off, or makes it right.
    pub(super) cure: &'static str,
}

impl HeldView {
    fn of(held: &HeldLink, policy: &Policy) -> Self {
        Self {
            link: held.link,
            contact: held.shown.contact,
            who: masked(&held.shown),
            class: held.class,
            there: held.status,
            joined_at: held.shown.joined_at,
            reason: held.reason.map(|reason| reason.sentence().to_owned()),
            law: held.reason.map(|reason| reason.law().to_string()),
            cure: cure(held.reason, policy),
        }
    }
}

/// Names whom a link is about, masked.
fn masked(shown: &ShownLink) -> String {
    match (&shown.address, shown.contact) {
        (Some(address), _) => address.to_string(),
        (None, Some(_)) => "an erased address".to_owned(),
        (None, None) => "a member whom the clinic never knew".to_owned(),
    }
}

const fn cure(reason: Option<Reason>, policy: &Policy) -> &'static str {
    match (reason, policy.unknown) {
        (Some(Reason::UnknownMember), UnknownMembers::Report) => {
            "No run takes them off while the list says `unknown = \"report\"`: `\"archive\"` does, after an approval; `\"keep\"` leaves them there and calls it clean; or the clinic takes them as patients, with their consent."
        }
        _ => "The next run takes them off; Resync does it now.",
    }
}

/// Where a page goes on.
struct After(Class, i64);

impl FromStr for After {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (class, ordinal) = text.split_once(' ').ok_or(())?;
        let class = class.parse().map_err(|_| ())?;
        Ok(Self(class, ordinal.parse().map_err(|_| ())?))
    }
}

pub(super) async fn held(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<HeldView>>, Problem> {
    let list = permit.list(&admin).await?;
    let After(class, ordinal) = turn.after(After(Class::HeldButDropped, 0))?;
    let rows = admin.store.links_held(&list.row, (class, ordinal), turn.rows()).await?;
    let key = |row: &HeldLink| format!("{} {}", row.class, row.ordinal);
    Ok(Json(turn.page(rows, key, |row| HeldView::of(&row, &list.policy))))
}
