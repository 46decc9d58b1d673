//! Endpoints: where a provider sends what it has to tell.

use super::text::words;

words! {
    /// Whose acts an endpoint is told of, where the provider keeps them apart (L18).
    Origin {
        /// The contacts' own.
        Contact = "contact",
        /// The staff's, in the provider's web application.
        Staff = "staff",
        /// The provider does not keep them apart.
        Any = "any",
    }
}
