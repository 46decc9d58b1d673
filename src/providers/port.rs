//! What the loop asks of a list provider, and what may come of it.
//!
//! The port knows no provider. It reads in pages, writes in lots, and says of each single member
//! what became of it. A dry run holds only a [`ListReader`] and so cannot write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::operation::Payload;
use crate::domain::{Address, Channel, Entry, MemberKey, MemberStatus, Personal, Verb};

/// Reads one list of one provider account.
#[async_trait]
pub trait ListReader: fmt::Debug + Send + Sync {
    /// Says what this provider can do.
    fn capabilities(&self) -> &Capabilities;

    /// Reads which account the credential belongs to.
    async fn account(&self) -> Result<Account, ProviderError>;

    /// Reads the settings of the list.
    async fn audience(&self) -> Result<Audience, ProviderError>;

    /// Reads one page; `None` as cursor asks for the first.
    async fn page(
        &self,
        scope: &Scope,
        cursor: Option<&PageCursor>,
    ) -> Result<MemberPage, ProviderError>;

    /// Reads single members by the provider's stable id, in the order asked; `None` where the
    /// provider says that there is no such member.
    async fn members(&self, keys: &[MemberKey]) -> Result<Vec<Option<Member>>, ProviderError>;

    /// Reads a single member by address; `None` where the provider says that there is none.
    async fn member_by_address(&self, address: &Address) -> Result<Option<Member>, ProviderError>;
}

/// Changes one list of one provider account.
#[async_trait]
pub trait ListWriter: ListReader {
    /// Sorts writes into lots, each of which is one request (or one job) at the provider.
    fn lots(&self, writes: Vec<MemberWrite>) -> Vec<Lot>;

    /// Sends one lot. An error means that the whole lot has no outcome (see
    /// [`ProviderError::is_doubtful`] for whether it may have taken effect).
    async fn send(&self, lot: &Lot) -> Result<LotResult, ProviderError>;

    /// Asks how a job goes, and reads its outcomes once it is done.
    async fn job(&self, job: &Job) -> Result<JobState, ProviderError>;
}

/// What a provider can do; the planner and the loop ask this, never which provider it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The channel of its lists.
    pub channel: Channel,
    /// Requests that may be under way at once for the account.
    pub in_flight: usize,
    /// How far back a delta must reach, because the provider's clock is coarse or lags.
    pub delta_overlap: Duration,
    /// Whether an archived member can be told from an absent one.
    pub archives: bool,
    /// Whether a member can be erased for good.
    pub erases: bool,
    /// The statuses the provider itself keeps. Of the others the last acknowledged change counts:
    /// a list of numbers knows who is on it, not who was asked or said no.
    pub shows: &'static [MemberStatus],
}

/// The account a credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider's id of the account, pinned at first sight (L20).
    pub id: String,
    /// Where the provider keeps the data, as it says (GDPR Art. 44).
    pub region: Option<String>,
}

/// The settings of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// The provider's id of the list, pinned at first sight (L20).
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Whether sign-ups on the provider's forms must be confirmed.
    pub double_opt_in: bool,
    /// Its merge fields: name -> whether it must be filled.
    pub fields: Vec<RequiredField>,
}

/// One merge field of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredField {
    /// Its name, such as `FNAME`.
    pub field: String,
    /// Whether the provider refuses members without it.
    pub required: bool,
}

/// Which members to page through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The archived ones, or all the others.
    pub archived: bool,
    /// Only those changed since; none means all.
    pub changed_since: Option<DateTime<Utc>>,
    /// Merge fields to read (L25).
    pub fields: BTreeSet<String>,
    /// Whether tags are read.
    pub tags: bool,
}

/// Where a further page starts; only its provider can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCursor(pub String);

/// One page of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPage {
    /// The members on it.
    pub members: Vec<Member>,
    /// How many members match in all, as the provider said with this page.
    pub total: u64,
    /// Further pages that are known of now; they may be read at the same time.
    pub next: Vec<PageCursor>,
}

/// One member as the provider gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The provider's stable id.
    pub key: MemberKey,
    /// Its address; none where it is not one that we accept at the door.
    pub address: Option<Address>,
    /// Its status.
    pub status: MemberStatus,
    /// When it was last changed.
    pub last_changed: Option<DateTime<Utc>>,
    /// When it signed up on a form of the provider.
    pub signed_up_at: Option<DateTime<Utc>>,
    /// When it opted in, by the provider.
    pub opted_in_at: Option<DateTime<Utc>>,
    /// How it came there.
    pub entry: Entry,
    /// Whether the provider gives a spam report as the reason for the opt-out.
    pub complained: bool,
    /// The merge fields asked for.
    pub fields: BTreeMap<String, Personal>,
    /// Its tags, where asked for.
    pub tags: BTreeSet<String>,
}

/// One change to one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberWrite {
    /// Names the operation in lots, jobs and outcomes.
    pub id: Uuid,
    /// What is done.
    pub verb: Verb,
    /// The member's status before, as last seen.
    pub from: MemberStatus,
    /// The provider's stable id, where known.
    pub member: Option<MemberKey>,
    /// The address.
    pub address: Address,
    /// Fields and tags to send; none with removals (L25).
    pub payload: Option<Payload>,
    /// What an invitation says, where the provider does not ask itself.
    pub text: Option<Personal>,
}

/// Writes that go to the provider in one request or one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The route it takes; only its provider can read it.
    pub route: &'static str,
    /// The writes.
    pub writes: Vec<MemberWrite>,
}

/// What came of sending a lot.
#[derive(Debug)]
pub enum LotResult {
    /// Every write has its outcome.
    Done(Vec<(Uuid, Outcome)>),
    /// The provider took the lot as a job; ask for it later.
    Accepted(Job),
}

/// A job at the provider, by the id it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job(pub String);

/// How a job goes.
#[derive(Debug)]
pub enum JobState {
    /// Not done yet.
    Running,
    /// Done. A write that is missing here has no known outcome and is in doubt.
    Done(Vec<(Uuid, Outcome)>),
    /// The provider no longer knows it: every write of it is in doubt.
    Lost,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and what is known of the member now.
    Done {
        /// The provider's stable id, where it was given back.
        member: Option<MemberKey>,
        /// The status the provider now reports; `Forgotten` once erasure was verified.
        status: MemberStatus,
    },
    /// There is no such member.
    Absent,
    /// Refused; sending it again unchanged is no use.
    Refused(Refusal),
    /// It may have happened, or not: read the member again.
    Doubtful,
}

/// Why a provider refused one member, and so what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An opt-out, bounce or complaint that the provider holds.
    #[error(
        "the provider holds an opt-out, bounce or complaint of this member, which only the person can lift there"
    )]
    OptedOut,
    /// Erased for good there; only the provider's own form brings it back.
    #[error(
        "the provider erased this address for good; the person must sign up on the provider's own form"
    )]
    Forgotten,
    /// Looks fake or invalid to the provider.
    #[error("the provider does not accept this address; correct it in the clinic's record")]
    InvalidAddress,
    /// Too many sign-ups of this address lately.
    #[error(
        "the address signed up to many lists lately; the provider wants it tried again in some days"
    )]
    TooManySignUps,
    /// A field the list requires, or one it cannot read.
    #[error(
        "the list does not accept the field {field}: map it, fill it, or make it optional at the provider"
    )]
    Field {
        /// The field's name.
        field: String,
    },
    /// The member is in a state that this change cannot start from: read it again.
    #[error("the member was in another state than expected")]
    WrongState,
    /// Anything else.
    #[error("the provider refused it ({title}, HTTP {status})")]
    Other {
        /// HTTP status, 0 where the provider gave none.
        status: u16,
        /// The provider's title for the problem; never its detail, which may hold an address.
        title: String,
    },
}

/// Why a request to a provider came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Too many requests, after all retries.
    #[error("the provider is throttling requests; the next run goes on")]
    Throttled {
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Not reachable or failing, after all retries.
    #[error("the provider is not available; the next run goes on")]
    Unavailable(#[source] Option<crate::providers::TransportError>),
    /// A write that may have taken effect.
    #[error("the provider did not answer a change; it is read again before anything else is done")]
    Doubtful(#[source] Option<crate::providers::TransportError>),
    /// The credential is refused.
    #[error(
        "the provider refuses the API key: put a valid one in place and check it with `listwarden doctor`"
    )]
    Unauthorized,
    /// The account is closed, suspended, or may not use the API.
    #[error(
        "the provider account is deactivated or may not use the API ({title}): sign in there and mend it"
    )]
    AccountDisabled {
        /// The provider's title for the problem.
        title: String,
    },
    /// There is no such list in this account.
    #[error(
        "there is no such list in this provider account: correct the audience, or end the list with `listwarden list retire`"
    )]
    ListGone,
    /// The provider does not accept the request itself: a fault of ours or of the configuration.
    #[error("the provider does not accept the request ({title}, HTTP {status})")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The provider's title for the problem.
        title: String,
    },
    /// The answer is not what the provider documents.
    #[error("the provider's answer could not be read: {what}")]
    Unreadable {
        /// What is wrong with it, without any of its text.
        what: &'static str,
    },
}

impl ProviderError {
    /// Tells whether trying again later may help without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable(_) | Self::Doubtful(_))
    }

    /// Tells whether the request may have taken effect.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        matches!(self, Self::Doubtful(_) | Self::Unreadable { .. })
    }
}
