//! The credential as Mailchimp takes it.

use http::header::HeaderValue;
use secrecy::SecretString;

use super::super::settings::{Auth, SettingsError};
use crate::providers::http::{basic, bearer};

/// Makes the `Authorization` header; with Basic any user does.
pub fn credential(auth: Auth, key: &SecretString) -> Result<HeaderValue, SettingsError> {
    let header = match auth {
        Auth::Bearer => bearer(key),
        Auth::Basic => basic("listwarden", key),
    };
    header.ok_or(SettingsError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_as_asked_for_or_not_at_all() {
        let header = |auth, key: &str| credential(auth, &SecretString::from(key));
        assert_eq!(header(Auth::Bearer, " k-us6\n").unwrap(), "Bearer k-us6");
        assert_eq!(header(Auth::Basic, "k-us6").unwrap(), "Basic bGlzdHdhcmRlbjprLXVzNg==");
        assert_eq!(header(Auth::Basic, "a b"), Err(SettingsError::Key));
        assert_eq!(header(Auth::Bearer, ""), Err(SettingsError::Key));
    }
}
