//! Opened provider accounts: one client each in the whole process, so that whoever asks shares the
//! connections that the provider allows the account.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::providers::{BadSettings, ListAccount, Opening, Provider};

/// The accounts in use, by a hash of all that they were opened with.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    opened: Mutex<BTreeMap<[u8; 32], Weak<dyn ListAccount>>>,
}

impl Accounts {
    /// Returns the account as it is in use already, or opens it. With another key or other settings
    /// it is another one.
    pub(super) fn open(
        &self,
        provider: &Provider,
        opening: Opening,
    ) -> Result<Arc<dyn ListAccount>, BadSettings> {
        let like = digest(provider, &opening);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = opened.get(&like).and_then(Weak::upgrade) {
            return Ok(account);
        }
        let account = (provider.connect)(opening)?;
        opened.retain(|_, account| account.strong_count() > 0);
        opened.insert(like, Arc::downgrade(&account));
        Ok(account)
    }
}

fn digest(provider: &Provider, opening: &Opening) -> [u8; 32] {
    let settings = serde_json::Value::Object(opening.settings.clone()).to_string();
    let mut digest = Sha256::new();
    for part in [provider.name, &settings, opening.key.expose_secret()] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
