//! Tags: what whoever asks has already is not sent again.

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// Tags an answer, and leaves it out where whoever asks has it.
pub(super) async fn tagged(answer: Response, known: Option<&HeaderValue>) -> Response {
    let kind = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    // A view stays in no browser's store: others may sit down at the same desk.
    if answer.status() != StatusCode::OK || kind.is_some_and(|kind| kind.starts_with(b"text/html"))
    {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..16]));
    let same = known.and_then(|known| known.to_str().ok()).is_some_and(|known| names(known, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, tag);
        parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// Tells whether `If-None-Match` names a tag; what was compressed on the way has a weak one.
fn names(known: &str, tag: &str) -> bool {
    let mut all = known.split(',').map(str::trim);
    all.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_itself_among_others_and_as_a_weak_one() {
        for known in ["\"a\"", "*", "\"b\", \"a\"", "W/\"a\""] {
            assert!(names(known, "\"a\""), "{known}");
        }
        assert!(!names("\"b\"", "\"a\"") && !names("a", "\"a\""));
    }
}
