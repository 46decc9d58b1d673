//! Which resource a path names.

use crate::simulator::mailchimp::door::problem::Problem;

/// A resource, with the names its path carries.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    Root,
    Ping,
    Lists,
    List(&'a str),
    Members(&'a str),
    Member(&'a str, &'a str),
    MemberTags(&'a str, &'a str),
    DeletePermanent(&'a str, &'a str),
    MergeFields(&'a str),
    Webhooks(&'a str),
    Webhook(&'a str, &'a str),
    SearchMembers,
    Batches,
    Batch(&'a str),
}

impl<'a> Resource<'a> {
    /// Reads a path, given in segments without `3.0`.
    pub fn of(path: &[&'a str]) -> Result<Self, Problem> {
        Ok(match *path {
            [] => Self::Root,
            ["ping"] => Self::Ping,
            ["lists"] => Self::Lists,
            ["lists", list] => Self::List(list),
            ["lists", list, "members"] => Self::Members(list),
            ["lists", list, "members", name] => Self::Member(list, name),
            ["lists", list, "members", name, "tags"] => Self::MemberTags(list, name),
            ["lists", list, "members", id, "actions", "delete-permanent"] => {
                Self::DeletePermanent(list, id)
            }
            ["lists", list, "merge-fields"] => Self::MergeFields(list),
            ["lists", list, "webhooks"] => Self::Webhooks(list),
            ["lists", list, "webhooks", id] => Self::Webhook(list, id),
            ["search-members"] => Self::SearchMembers,
            ["batches"] => Self::Batches,
            ["batches", id] => Self::Batch(id),
            _ if path.len() > 8 => return Err(Problem::too_deep()),
            _ => return Err(Problem::not_found()),
        })
    }

    /// Returns the path with its names left open.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Ping => "/ping",
            Self::Lists => "/lists",
            Self::List(_) => "/lists/{list_id}",
            Self::Members(_) => "/lists/{list_id}/members",
            Self::Member(..) => "/lists/{list_id}/members/{subscriber_hash}",
            Self::MemberTags(..) => "/lists/{list_id}/members/{subscriber_hash}/tags",
            Self::DeletePermanent(..) => {
                "/lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent"
            }
            Self::MergeFields(_) => "/lists/{list_id}/merge-fields",
            Self::Webhooks(_) => "/lists/{list_id}/webhooks",
            Self::Webhook(..) => "/lists/{list_id}/webhooks/{webhook_id}",
            Self::SearchMembers => "/search-members",
            Self::Batches => "/batches",
            Self::Batch(_) => "/batches/{batch_id}",
        }
    }

    /// Returns the methods it knows, as the `Allow` header lists them.
    #[must_use]
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Root | Self::Ping | Self::SearchMembers => "GET",
            Self::DeletePermanent(..) => "POST",
            Self::List(_) => "GET, PATCH, POST",
            Self::Member(..) => "GET, PUT, PATCH, DELETE",
            Self::Webhook(..) => "GET, PATCH, DELETE",
            Self::Batch(_) => "GET, DELETE",
            Self::Lists
            | Self::Members(_)
            | Self::MemberTags(..)
            | Self::MergeFields(_)
            | Self::Webhooks(_)
            | Self::Batches => "GET, POST",
        }
    }
}
