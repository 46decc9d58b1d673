//! The records that clinics keep with us, opened once a process: a run takes a clinic in hand more
//! than once, and brings its tables up to date only the first time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use crate::patients::{Reference, SqlOptions};

/// What is open, by the clinic's short name.
#[derive(Debug, Default)]
pub(super) struct References(Mutex<BTreeMap<String, Open>>);

#[derive(Debug)]
struct Open {
    url: SecretString,
    options: SqlOptions,
    records: Arc<Reference>,
}

impl References {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a clinic's records if they are open at `url`, with these options.
    pub(super) fn find(
        &self,
        slug: &str,
        url: &SecretString,
        options: &SqlOptions,
    ) -> Option<Arc<Reference>> {
        let known = self.lock();
        let open = known.get(slug)?;
        let same = open.url.expose_secret() == url.expose_secret() && open.options == *options;
        same.then(|| open.records.clone())
    }

    /// Keeps a clinic's records open, in place of those before.
    pub(super) fn keep(
        &self,
        slug: &str,
        url: SecretString,
        options: SqlOptions,
        records: &Arc<Reference>,
    ) {
        let records = records.clone();
        self.lock().insert(slug.to_owned(), Open { url, options, records });
    }
}
