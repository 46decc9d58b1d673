//! Errors in Twilio's own envelope.

use serde_json::json;

use crate::simulator::door::Reply;

/// Answers with an error.
#[must_use]
pub fn error(status: u16, code: u32, message: &str) -> Reply {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    let error = json!({"code": code, "message": message, "more_info": more_info, "status": status});
    Reply::json(status, &error)
}

/// 404.
#[must_use]
pub fn not_found() -> Reply {
    error(404, 20_404, "The requested resource was not found")
}

/// 401.
#[must_use]
pub fn unauthenticated() -> Reply {
    error(401, 20_003, "Authenticate")
}

/// 429.
#[must_use]
pub fn too_many(retry_after: Option<u32>) -> Reply {
    error(429, 20_429, "Too Many Requests").after(retry_after)
}
