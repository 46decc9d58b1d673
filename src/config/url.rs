//! Where a database is: written in the file, or kept as a secret when it holds a password.

use std::path::Path;

use secrecy::SecretString;

use super::section::Section;
use super::{SecretError, Secrets};

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// As the file says; it holds no password.
    Plain(String),
    /// In the secret of this name.
    Secret(String),
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(url) => write!(f, "{url}"),
            Self::Secret(name) => write!(f, "secret {name}"),
        }
    }
}

impl DatabaseUrl {
    /// Returns the name of the secret it lies in, if it does.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Secret(name) => Some(name),
        }
    }

    /// Returns the URL itself; `clinic` is none for the deployment's own store.
    ///
    /// # Errors
    /// [`SecretError`] where it is a secret that is not there.
    pub fn resolve(
        &self,
        secrets: &Secrets,
        clinic: Option<&str>,
    ) -> Result<SecretString, SecretError> {
        match (self, clinic) {
            (Self::Plain(url), _) => Ok(SecretString::from(url.clone())),
            (Self::Secret(name), Some(clinic)) => secrets.of_clinic(clinic, name),
            (Self::Secret(name), None) => secrets.of_deployment(name),
        }
    }

    /// Reads `url` or `url_secret`.
    pub(super) fn read(section: &Section<'_>, base: &Path, default: Option<&str>) -> Option<Self> {
        const BOTH: &str = "Keep `url`, or `url_secret` where it needs a password";
        let (url, secret) = (section.item("url").is_some(), section.item("url_secret").is_some());
        match (url, secret, default) {
            (true, true, _) => {
                section.problem("url_secret", "stands beside `url`", BOTH);
                None
            }
            (true, false, _) => checked(section, base, &section.text("url")?),
            (false, true, _) => section.secret_name("url_secret").map(Self::Secret),
            (false, false, Some(default)) => Some(Self::Plain(beside(base, default))),
            (false, false, None) => {
                section.missing("url", "Write url = \"sqlite://FILE\" or, where it needs a password, url_secret = the name of a secret that holds postgres://USER:PASSWORD@HOST/DATABASE");
                None
            }
        }
    }
}

fn checked(section: &Section<'_>, base: &Path, text: &str) -> Option<DatabaseUrl> {
    if text.starts_with("sqlite:") {
        return Some(DatabaseUrl::Plain(beside(base, text)));
    }
    let parsed = url::Url::parse(text).ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    let Some(parsed) = parsed else {
        section.problem(
            "url",
            "is no database that can be used",
            "Write sqlite://FILE or postgres://USER@HOST/DATABASE",
        );
        return None;
    };
    if parsed.password().is_some() || parsed.query_pairs().any(|(key, _)| key == "password") {
        section.problem(
            "url",
            "holds a password, which does not belong in this file",
            "Store the whole URL as a secret and write url_secret = its name",
        );
        return None;
    }
    Some(DatabaseUrl::Plain(text.to_owned()))
}

/// A relative file is beside the deployment file, from wherever the program is started.
fn beside(base: &Path, text: &str) -> String {
    let file = text.strip_prefix("sqlite:").unwrap_or(text);
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.starts_with('/') || file.starts_with(":memory:") || file.is_empty() {
        return text.to_owned();
    }
    format!("sqlite://{}", base.join(file).display())
}
