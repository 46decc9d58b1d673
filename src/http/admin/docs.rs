//! The API's description as a page to browse and to try it from: Swagger UI, out of the binary.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use utoipa_swagger_ui::{Config, serve};

use super::problem::Problem;

/// Nothing from elsewhere. Its script styles what it draws, and its icons are written into its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // By itself it would send the description to a validator elsewhere.
    Arc::new(Config::from("/api/openapi.json").validator_url("none").use_base_layout())
});

/// Returns what serves the page; like the description, it tells nothing that the source code does not.
pub(super) fn router() -> Router {
    Router::new()
        .route("/api/docs", get(async || Redirect::permanent("/api/docs/")))
        .route("/api/docs/", get(async || file("index.html")))
        .route("/api/docs/{name}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Result<Response, Problem> {
    let found = serve(name, CONFIG.clone()).ok().flatten();
    let found = found.ok_or_else(|| Problem::missing("file"))?;
    let kind = HeaderValue::from_str(&found.content_type).ok();
    let mut answer = found.bytes.into_owned().into_response();
    let headers = answer.headers_mut();
    headers.extend(kind.map(|kind| (CONTENT_TYPE, kind)));
    if found.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(answer)
}
