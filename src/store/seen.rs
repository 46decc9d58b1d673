//! Seen: patients and members read again exactly as they were, known by one digest each.

use std::collections::HashMap;

use serde::Serialize;

use super::Store;
use super::columns::{Arg, args, json};
use super::error::{Result, StoreError};
use super::lists::ListRow;
use super::sql::{Sql, statements};
use crate::domain::ClinicId;
use crate::keys::Digests;

#[derive(Serialize)]
struct Seen {
    seen: i64,
}

statements! {
    PATIENTS_SAME (given: seen bigint) = {
        "SELECT string_agg(CAST(p.seen AS TEXT) || ' ' || CAST(p.ordinal AS TEXT), ',')
         FROM given g CROSS JOIN patients p WHERE p.clinic_id = $2 AND p.seen = g.seen"
    }
    MEMBERS_SAME (given: seen bigint) = {
        "SELECT string_agg(CAST(k.seen AS TEXT) || ' ' || CAST(k.ordinal AS TEXT), ',')
         FROM given g CROSS JOIN links k
         WHERE k.clinic_id = $2 AND k.list_id = $3 AND k.seen = g.seen"
    }
}

impl Store {
    /// Returns what digests what is read in one context; none of it can be told from its digest.
    #[must_use]
    pub fn digests(&self, context: &[&[u8]]) -> Digests {
        self.keys.digests(context)
    }

    /// Returns the ordinals of the clinic's patients whose rows were read last with these digests.
    pub async fn patients_same(
        &self,
        clinic: ClinicId,
        digests: &[i64],
    ) -> Result<HashMap<i64, i64>> {
        self.same(PATIENTS_SAME, digests, |rows| args![rows, clinic]).await
    }

    /// Returns the ordinals of the list's links whose members were observed last with these digests.
    pub async fn members_same(&self, list: &ListRow, digests: &[i64]) -> Result<HashMap<i64, i64>> {
        self.same(MEMBERS_SAME, digests, |rows| args![rows, list.clinic, list.id]).await
    }

    async fn same(
        &self,
        statement: &'static Sql,
        digests: &[i64],
        args: impl Fn(String) -> Vec<Arg>,
    ) -> Result<HashMap<i64, i64>> {
        let mut same = HashMap::with_capacity(digests.len());
        for digests in digests.chunks(self.db.chunk()) {
            let rows = json(&digests.iter().map(|seen| Seen { seen: *seen }).collect::<Vec<_>>())?;
            let found: Option<(Option<String>,)> = self.db.row(statement, args(rows)).await?;
            let pairs = found.and_then(|(pairs,)| pairs).unwrap_or_default();
            for pair in pairs.split_terminator(',') {
                same.extend([pair_of(pair).ok_or(StoreError::Corrupt { what: "ordinal" })?]);
            }
        }
        Ok(same)
    }
}

fn pair_of(text: &str) -> Option<(i64, i64)> {
    let (seen, ordinal) = text.split_once(' ')?;
    Some((seen.parse().ok()?, ordinal.parse().ok()?))
}
