//! Text about a person, kept out of every output.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name or other text about a person. `Debug` and `Display` never show it.
///
/// ```
/// use listwarden::domain::Personal;
/// let name = Personal::new("Ann");
/// assert_eq!(format!("{name} {name:?}"), "*** ***");
/// assert_eq!(name.expose(), "Ann");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal(String);

impl Personal {
    /// Wraps `text`, without leading and trailing white space.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Returns the text itself, for a provider or a person entitled to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
