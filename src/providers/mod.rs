//! List providers: one port, one folder each, the transport they send through, and the
//! signatures their deliveries carry.
//!
//! A provider is a folder here, a folder in `simulator/` and one line in the registry below.
//! Nothing outside its folder, configuration and documentation says its name.

pub mod bird;
pub mod form;
mod http;
pub mod mailchimp;
pub mod notice;
pub mod port;
pub mod registry;
pub mod signatures;
pub mod sinch;
pub mod text;
pub mod transport;
pub mod twilio;
pub mod webhook;

pub(crate) use http::{base_url, is_json};
pub use notice::{Keyword, Notice, NoticePage, NoticeReader, Word};
pub use port::{
    Account, Audience, Capabilities, Job, JobState, ListReader, ListWriter, Lot, LotResult, Member,
    MemberPage, MemberWrite, Outcome, PageCursor, ProviderError, Refusal, RequiredField, Scope,
};
pub use registry::{BadSettings, ListAccount, Opening, PROVIDERS, Provider, provider};
pub use text::{TextSender, TextSent};
pub use transport::{Transport, TransportError};
pub use webhook::{Hook, Malformed, WebhookAdmin, WebhookScheme};
