//! List providers: one port, one folder each, the transport they send through, and the
//! signatures their deliveries carry.
//!
//! A provider is a folder here, a folder in `simulator/` and one line in the registry below.
//! Nothing outside its folder, configuration and documentation says its name.

pub mod mailchimp;
pub mod port;
pub mod registry;
pub mod signatures;
pub mod transport;

pub use port::{
    Account, Audience, Capabilities, Job, JobState, ListReader, ListWriter, Lot, LotResult, Member,
    MemberPage, MemberWrite, Outcome, PageCursor, ProviderError, Refusal, RequiredField, Scope,
};
pub use registry::{BadSettings, ListAccount, Opening, PROVIDERS, Provider, provider};
pub use transport::{Transport, TransportError};
