//! Secrets: a file each, or a variable of the environment. Configuration only names them.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::Environment;
use super::parts::is_slug;
use super::section::Section;

/// Where secrets are. `Debug` shows the places, never a secret.
#[derive(Clone)]
pub struct Secrets {
    dir: PathBuf,
    environment: Environment,
}

/// Why a secret could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` {what}: write it to {} (readable by its owner alone), or set {variable}", file.display())]
pub struct SecretError {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub what: String,
    /// The file it may be in.
    pub file: PathBuf,
    /// The variable it may be in.
    pub variable: String,
}

/// The file and the variable of one secret.
struct Places {
    name: String,
    file: PathBuf,
    variable: String,
}

impl Secrets {
    /// Looks for secrets in `dir` and in `environment`, which goes first.
    #[must_use]
    pub const fn new(dir: PathBuf, environment: Environment) -> Self {
        Self { dir, environment }
    }

    /// Reads a clinic's secret: `LISTWARDEN_SECRET_{CLINIC}_{NAME}` or `{dir}/{clinic}/{name}`.
    ///
    /// # Errors
    /// [`SecretError`], which says both places.
    pub fn of_clinic(&self, clinic: &str, name: &str) -> Result<SecretString, SecretError> {
        self.read(&self.clinic_places(clinic, name))
    }

    /// Reads a secret of the whole deployment: `LISTWARDEN_{NAME}` or `{dir}/{name}`.
    ///
    /// # Errors
    /// [`SecretError`], which says both places.
    pub fn of_deployment(&self, name: &str) -> Result<SecretString, SecretError> {
        self.read(&self.deployment_places(name))
    }

    /// Warns where a clinic's secret lies in a file that others on the machine may read.
    #[must_use]
    pub fn clinic_warning(&self, clinic: &str, name: &str) -> Option<String> {
        self.warning(&self.clinic_places(clinic, name))
    }

    /// Warns where a secret of the deployment lies in a file that others may read.
    #[must_use]
    pub fn deployment_warning(&self, name: &str) -> Option<String> {
        self.warning(&self.deployment_places(name))
    }

    fn clinic_places(&self, clinic: &str, name: &str) -> Places {
        let variable = format!("LISTWARDEN_SECRET_{}_{}", shout(clinic), shout(name));
        Places { name: name.to_owned(), file: self.dir.join(clinic).join(name), variable }
    }

    fn deployment_places(&self, name: &str) -> Places {
        let variable = format!("LISTWARDEN_{}", shout(name));
        Places { name: name.to_owned(), file: self.dir.join(name), variable }
    }

    fn read(&self, places: &Places) -> Result<SecretString, SecretError> {
        if let Some(secret) = self.environment.get(&places.variable) {
            return Ok(SecretString::from(secret.trim()));
        }
        let fail = |what: String| {
            let Places { name, file, variable } = places;
            let (name, file, variable) = (name.clone(), file.clone(), variable.clone());
            Err(SecretError { name, what, file, variable })
        };
        if !is_slug(&places.name) {
            return fail("has a name that is not usable".to_owned());
        }
        match std::fs::read_to_string(&places.file) {
            Ok(text) if text.trim().is_empty() => fail("is empty".to_owned()),
            Ok(text) => Ok(SecretString::from(text.trim_end_matches(['\r', '\n']))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fail("is not there".to_owned())
            }
            Err(error) => fail(format!("cannot be read ({})", error.kind())),
        }
    }

    fn warning(&self, places: &Places) -> Option<String> {
        if self.environment.get(&places.variable).is_some() {
            return None;
        }
        open_to_others(&places.file).then(|| {
            format!(
                "{0} may be read by others on this machine: chmod 600 {0}",
                places.file.display()
            )
        })
    }
}

#[cfg(unix)]
fn open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|about| about.permissions().mode() & 0o037 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_file: &Path) -> bool {
    false
}

/// Makes a name fit for a variable.
fn shout(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(fit).collect()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Section<'_> {
    /// Reads the name of a secret, and refuses a secret where its name belongs.
    pub(super) fn secret_name(&self, key: &str) -> Option<String> {
        self.sound_name(key, self.text(key)?)
    }

    /// Reads the names of secrets.
    pub(super) fn secret_names(&self, key: &str) -> Vec<String> {
        self.texts(key).into_iter().filter_map(|name| self.sound_name(key, name)).collect()
    }

    fn sound_name(&self, key: &str, name: String) -> Option<String> {
        const CURE: &str = "Store the secret itself in a file {secrets_dir}/{clinic}/NAME or in LISTWARDEN_SECRET_{CLINIC}_{NAME}, and write only NAME here";
        if looks_like_a_secret(&name) {
            self.problem(
                key,
                "looks like a secret itself; revoke it if anybody may have seen this file",
                CURE,
            );
            return None;
        }
        if !is_slug(&name) {
            self.problem(
                key,
                "is not usable as the name of a secret",
                "Use up to 40 small letters, digits, - and _",
            );
            return None;
        }
        Some(name)
    }
}

/// Long runs of letters mixed with digits are what keys are made of, and names are not.
fn looks_like_a_secret(text: &str) -> bool {
    let mixed = |run: &str| {
        run.len() >= 16
            && run.bytes().any(|b| b.is_ascii_digit())
            && run.bytes().any(|b| b.is_ascii_alphabetic())
    };
    text.contains("://")
        || text.len() > 60
        || text.split(|c: char| !c.is_ascii_alphanumeric()).any(mixed)
}
