//! A permit: what the gate found out about whoever asks, and the clinic of the path.
//!
//! A handler that needs to know who asks, or for which clinic, takes one; only the gate gives it out.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use uuid::Uuid;

use super::Admin;
use super::problem::Problem;
use crate::config::{ClinicConfig, Config};
use crate::domain::ClinicId;
use crate::reconcile::KnownList;
use crate::store::TokenRow;

/// Somebody may do what the route does, for the clinic of its path.
#[derive(Debug, Clone)]
pub(super) struct Permit {
    /// Who.
    pub(super) token: TokenRow,
    config: Arc<Config>,
    clinic: Option<(ClinicId, String)>,
    names: BTreeMap<String, String>,
}

impl Permit {
    pub(super) const fn new(
        token: TokenRow,
        config: Arc<Config>,
        clinic: Option<(ClinicId, String)>,
        names: BTreeMap<String, String>,
    ) -> Self {
        Self { token, config, clinic, names }
    }

    /// Returns the clinic of the path.
    pub(super) fn clinic(&self) -> Result<(ClinicId, &ClinicConfig), Problem> {
        let found =
            self.clinic.as_ref().and_then(|(id, slug)| Some((*id, self.config.clinic(slug)?)));
        found.ok_or_else(|| Problem::missing("clinic"))
    }

    /// Returns the configuration that the request was let in by.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Reads an id of the path; one that is none is nobody's.
    pub(super) fn id<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        let text = self.names.get(name).and_then(|text| text.parse().ok());
        text.ok_or_else(|| Problem::missing(name_of(name)))
    }

    /// Returns the lists of the clinic of the path.
    pub(super) async fn lists(&self, admin: &Admin) -> Result<(ClinicId, Vec<KnownList>), Problem> {
        let (_, clinic) = self.clinic()?;
        Ok(KnownList::of_clinic(&admin.store, &self.config, clinic).await?)
    }

    /// Returns the list of the clinic called `slug`.
    pub(super) async fn list_called(
        &self,
        admin: &Admin,
        slug: &str,
    ) -> Result<KnownList, Problem> {
        let (_, lists) = self.lists(admin).await?;
        let mut lists = lists.into_iter();
        lists.find(|list| list.row.slug == slug).ok_or_else(|| Problem::missing("list"))
    }

    /// Returns the list of the path.
    pub(super) async fn list(&self, admin: &Admin) -> Result<KnownList, Problem> {
        let slug: String = self.id("list")?;
        self.list_called(admin, &slug).await
    }

    /// Names what the path is about, as far as it is an id or a configured list: whatever else
    /// somebody writes there stays out of the log.
    pub(super) fn subject(&self) -> Option<String> {
        named(&self.names, self.clinic().ok().map(|(_, clinic)| clinic))
    }
}

/// Names what a path is about, as [`Permit::subject`] does.
pub(super) fn named(
    names: &BTreeMap<String, String>,
    clinic: Option<&ClinicConfig>,
) -> Option<String> {
    let lists = clinic.map(|clinic| clinic.lists.as_slice()).unwrap_or_default();
    let mut named = names.iter().filter(|(name, _)| *name != "clinic");
    named.find_map(|(_, text)| {
        let id = Uuid::try_parse(text).map(|id| id.to_string()).ok();
        id.or_else(|| lists.iter().find(|list| list.slug == *text).map(|l| l.slug.clone()))
    })
}

fn name_of(name: &str) -> &'static str {
    match name {
        "run" => "run",
        "list" => "list",
        "contact" => "contact",
        "patient" => "patient: a path names one by our id, which explain tells",
        "link" => "parked change",
        "resync" => "resync",
        "review" => "review",
        _ => "thing",
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Permit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::nobody)
    }
}
