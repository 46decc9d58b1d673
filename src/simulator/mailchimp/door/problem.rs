//! Problems, in Mailchimp's exact words.

use serde::Serialize;

use super::reply::Reply;
use crate::simulator::mailchimp::audience::refusal::{FieldError, Refusal};

/// Where recent problems say their kind is documented; three kinds leave it out.
const KIND: &str = "https://mailchimp.com/developer/marketing/docs/errors/";

const SCHEMA_DETAIL: &str = "The resource submitted could not be validated. For field-specific details, see the 'errors' array.";

/// A problem as RFC 7807 writes it.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// Where the kind is documented.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// The kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong.
    pub detail: Box<str>,
    /// The id of the request.
    pub instance: Box<str>,
    /// Which fields went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The `Allow` header.
    #[serde(skip)]
    pub allow: Option<&'static str>,
    /// The `Retry-After` header.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// States a problem.
    pub fn new(status: u16, title: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind: Some(KIND),
            title,
            status,
            detail: detail.into(),
            instance: "".into(),
            errors: Vec::new(),
            allow: None,
            retry_after: None,
        }
    }

    /// Answers a request with this problem.
    #[must_use]
    pub fn reply(self, request_id: &str) -> Reply {
        Self { instance: request_id.into(), ..self }.into()
    }

    fn untyped(self) -> Self {
        Self { kind: None, ..self }
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "Resource Not Found", "The requested resource could not be found.")
    }

    /// 405 for a resource that knows other methods.
    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let detail = "The requested method and resource are not compatible. \
                      See the Allow header for this resource's available methods.";
        Self { allow: Some(allow), ..Self::new(405, "Method Not Allowed", detail) }
    }

    /// 400 for a body that is not JSON.
    #[must_use]
    pub fn json_parse() -> Self {
        Self::new(400, "JSON Parse Exception", "We encountered an unspecified JSON parsing error.")
    }

    /// 400 for fields that the schema does not allow.
    #[must_use]
    pub fn schema(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(400, "Invalid Resource", SCHEMA_DETAIL) }
    }

    /// 400 in general.
    pub fn bad_request(detail: impl Into<Box<str>>) -> Self {
        Self::new(400, "Bad Request", detail)
    }

    /// 429, with or without `Retry-After`.
    #[must_use]
    pub fn too_many(retry_after: Option<u32>) -> Self {
        let detail = "You have exceeded the limit of 10 simultaneous connections.";
        Self { retry_after, ..Self::new(429, "Too Many Requests", detail) }
    }

    /// 500.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "A deep, internal error has occurred during the processing of your request. \
                      Please contact support.";
        Self { kind: Some("about:blank"), ..Self::new(500, "Internal Server Error", detail) }
    }

    /// 401 for a key that opens nothing.
    #[must_use]
    pub fn key_invalid() -> Self {
        let detail =
            "Your API key may be invalid, or you've attempted to access the wrong datacenter.";
        Self::new(401, "API Key Invalid", detail)
    }

    /// 401 for a key that was switched off.
    #[must_use]
    pub fn key_disabled() -> Self {
        Self::new(401, "API Key Invalid", "API key has been disabled")
    }

    /// 401 for a request without a key.
    #[must_use]
    pub fn key_missing() -> Self {
        Self::new(401, "API Key Missing", "Your request did not include an API key.")
    }

    /// 403 for an account that was closed.
    #[must_use]
    pub fn user_disabled() -> Self {
        Self::new(403, "User Disabled", "This account has been deactivated.")
    }

    /// 422 for an override on anything but POST.
    #[must_use]
    pub fn method_override() -> Self {
        let detail = "You can only use the X-HTTP-Method-Override header with the POST method.";
        Self::new(422, "InvalidMethodOverride", detail)
    }

    /// 414 for a path that goes on and on.
    #[must_use]
    pub fn too_deep() -> Self {
        let detail = "The sub-resource requested is nested too deeply.";
        Self::new(414, "Resource Nesting Too Deep", detail)
    }

    /// The problem that an `X-Trigger-Error` header asks for.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "APIKeyMissing" => Self::key_missing(),
            "APIKeyInvalid" => Self::key_invalid(),
            "Forbidden" => {
                Self::new(403, "Forbidden", "API Access has been disabled for this account.")
            }
            "UserDisabled" => Self::user_disabled(),
            "AuthorizationFailure" => Self::new(
                403,
                "Authorization Failure",
                "User does not have access to the requested operation",
            ),
            "ResourceNotFound" => Self::not_found(),
            "MethodNotAllowed" => Self::method_not_allowed("GET"),
            "ResourceNestingTooDeep" => Self::too_deep(),
            "InvalidMethodOverride" => Self::method_override(),
            "TooManyRequests" => Self::too_many(None),
            "InternalServerError" => Self::internal(),
            "InvalidResource" => Self::schema(Vec::new()),
            "InvalidAction" => Self::new(
                400,
                "Invalid Action",
                "The action requested was not valid for this resource.",
            ),
            "JSONParseError" => Self::json_parse(),
            _ => Self::bad_request("The request could not be processed."),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let invalid = |detail: String| Self::new(400, "Invalid Resource", detail);
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::MemberExists(email) => {
                let detail = format!(
                    "{email} is already a list member. Use PUT to insert or update list members."
                );
                Self::new(400, "Member Exists", detail).untyped()
            }
            Refusal::Compliance(email) => {
                let detail = format!(
                    "{email} is in a compliance state due to unsubscribe, bounce, or compliance review \
                     and cannot be subscribed."
                );
                Self::new(400, "Member In Compliance State", detail).untyped()
            }
            Refusal::Forgotten(email) => {
                let detail = format!(
                    "{email} was permanently deleted and cannot be re-imported. \
                     The contact must re-subscribe to get back on the list."
                );
                Self::new(400, "Forgotten Email Not Subscribed", detail).untyped()
            }
            Refusal::Fake(email) => invalid(format!(
                "{email} looks fake or invalid, please enter a real email address."
            )),
            Refusal::InvalidEmail => invalid("Please provide a valid email address.".to_owned()),
            Refusal::TooManySignups(email) => invalid(format!(
                "{email} has signed up to a lot of lists very recently; \
                 we're not allowing more signups for now"
            )),
            Refusal::MergeFields(errors) => {
                Self { errors, ..invalid("Your merge fields were invalid.".to_owned()) }
            }
            Refusal::Schema(errors) => Self::schema(errors),
            Refusal::AddressOfStatus(status) => invalid(format!(
                "This member's status is \"{}.\" You can only update email addresses for members \
                 with a status of \"subscribed.\"",
                status.name()
            )),
            Refusal::AddressOfDeleted(email) => invalid(format!(
                "\"{email}\" is already in this list with a status of \"Deleted\"."
            )),
            Refusal::CannotArchive => Self {
                allow: Some("GET, PUT"),
                ..Self::new(
                    405,
                    "Method Not Allowed",
                    "This list member cannot be removed. \
                     Can not archive a contact that is bounced, pending or archived",
                )
            },
            Refusal::BadRequest(detail) => Self::bad_request(detail),
            Refusal::InvalidResource(detail) => invalid(detail),
        }
    }
}
