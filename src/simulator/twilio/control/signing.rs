//! Which secrets an account signs its deliveries with.

use super::ControlError;
use crate::simulator::twilio::Simulator;

impl Simulator {
    /// Signs deliveries with a new `SharedKey` from now on, and returns its secret.
    pub fn sign_with_shared_key(&self, account: &str) -> Result<String, ControlError> {
        self.with(|world| {
            let (id, secret) = (format!("webhooks_sharedkey_{}", world.secret()), world.secret());
            let owner = world.account(account).ok_or(ControlError::NoSuchAccount)?;
            owner.shared_key = Some((id, secret.clone()));
            Ok(secret)
        })
    }

    /// Makes a new auth token the primary one; the old one still opens the account. Deliveries are
    /// signed with the primary one.
    pub fn rotate_auth_token(&self, account: &str, auth_token: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let owner = world.account(account).ok_or(ControlError::NoSuchAccount)?;
            owner.auth_tokens.insert(0, auth_token.to_owned());
            owner.auth_tokens.truncate(2);
            Ok(())
        })
    }
}
