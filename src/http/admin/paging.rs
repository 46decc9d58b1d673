//! Pages: as many as asked for, and an opaque cursor to go on from. Each is found by key.

use axum::extract::{FromRequestParts, Query};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;

/// Rows in a page, if not said otherwise.
const USUAL: u32 = 50;
/// Rows in a page at most.
pub(super) const MOST: u32 = 500;

/// One page.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// What to ask for the next one with; none after the last.
    pub(super) next: Option<String>,
}

/// What page was asked for.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// The key after which it begins.
    pub(super) after: Option<String>,
    limit: u32,
}

#[derive(Debug, Deserialize)]
struct Asked {
    cursor: Option<String>,
    limit: Option<u32>,
}

impl Turn {
    /// Asks for the first rows.
    pub(super) const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// Asks for as many rows.
    pub(super) fn of(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    /// Returns how many rows to read: one more than are shown, which tells whether there is a next.
    pub(super) const fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// Reads the key after which the page begins, or takes the one before all.
    pub(super) fn after<K: std::str::FromStr>(&self, first: K) -> Result<K, Problem> {
        match &self.after {
            None => Ok(first),
            Some(key) => key.parse().map_err(|_| not_ours()),
        }
    }

    /// Makes a page of rows, the last of which is only there to tell that there is more.
    pub(super) fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> String,
        shown: impl Fn(R) -> T,
    ) -> Page<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| URL_SAFE_NO_PAD.encode(key(row)));
        Page { items: rows.into_iter().map(shown).collect(), next }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Turn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::<Asked>::from_request_parts(parts, state).await?;
        let limit = asked.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::wrong(format!("limit is a number from 1 to {MOST}")));
        }
        let opened = asked.cursor.map(|cursor| {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| not_ours())?;
            // No engine takes a text with a zero in it.
            let text = String::from_utf8(bytes).map_err(|_| not_ours())?;
            if text.contains('\0') { Err(not_ours()) } else { Ok(text) }
        });
        Ok(Self { after: opened.transpose()?, limit })
    }
}

pub(super) fn not_ours() -> Problem {
    Problem::wrong("cursor is not one that was given out: begin without one")
}
