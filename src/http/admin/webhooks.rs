//! Webhook endpoints: whether providers tell us, and new secrets for them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;
use uuid::Uuid;

use super::gate::Permit;
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body, Errand, Replaced};
use crate::domain::Act;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/webhooks",
            Act::Read,
            "Lists where providers send what they have to tell, and when they last did.",
            webhooks,
        )
        .answers::<Vec<EndpointView>>(),
        Route::post(
            "/clinics/{clinic}/webhooks/rotate",
            Act::Operate,
            "Replaces webhooks and their secrets; the old ones are still taken for two hours.",
            rotate,
        )
        .takes::<Rotate>()
        .answers::<Rotated>(),
    ]
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointView {
    pub(super) endpoint: Uuid,
    pub(super) account: String,
    /// The list that it is for; none where it is for the whole account.
    pub(super) list: Option<String>,
    /// Whose acts it is told of.
    pub(super) origin: crate::domain::Origin,
    /// Whether what is sent there must be signed.
    pub(super) signed: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_delivery: Option<DateTime<Utc>>,
}

/// Replaces webhooks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotate {
    /// Only those of this list.
    #[serde(default)]
    pub(super) list: Option<String>,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rotated {
    /// What was done, and what is to be entered at a provider by hand.
    pub(super) rotated: Vec<String>,
    /// The lists and accounts where not everything was done; the log says why.
    pub(super) failed: Vec<String>,
}

pub(super) async fn webhooks(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Vec<EndpointView>>, Problem> {
    let (id, clinic) = permit.clinic()?;
    let mut views = Vec::new();
    for endpoint in admin.store.endpoints(id).await? {
        let audience = endpoint.audience.as_ref();
        let list = clinic.lists.iter().find(|list| Some(&list.audience) == audience);
        views.push(EndpointView {
            endpoint: endpoint.id,
            account: endpoint.account.clone(),
            list: list.map(|list| list.slug.clone()),
            origin: endpoint.origin,
            signed: endpoint.signed,
            created_at: endpoint.created_at,
            last_delivery: admin.store.delivery_last(&endpoint).await?,
        });
    }
    Ok(Json(views))
}

async fn rotate(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(asked): Body<Rotate>,
) -> Result<Json<Rotated>, Problem> {
    replaced(&admin, &permit, asked).await.map(Json)
}

/// Has the webhooks replaced.
pub(super) async fn replaced(
    admin: &Admin,
    permit: &Permit,
    rotate: Rotate,
) -> Result<Rotated, Problem> {
    let (_, clinic) = permit.clinic()?;
    if let Some(slug) = &rotate.list {
        permit.list_called(admin, slug).await?;
    }
    let busy =
        || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "another one is under way: try again");
    let (answer, told) = oneshot::channel();
    let errand = Errand { clinic: clinic.slug.clone(), list: rotate.list, answer };
    admin.errands.try_send(errand).map_err(|_| busy())?;
    match told.await {
        Ok(Ok(Replaced { said, failed })) => Ok(Rotated { rotated: said, failed }),
        Ok(Err(())) => Err(Problem::new(
            StatusCode::BAD_GATEWAY,
            "nothing was replaced; the log says why. What was there before still holds",
        )),
        Err(_) => Err(busy()),
    }
}
