//! What the page is dressed in: served from the binary, under names that change with what is in them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

use super::super::problem::Problem;

/// One file.
pub(super) struct Asset {
    name: String,
    kind: &'static str,
    text: &'static str,
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("css", "text/css; charset=utf-8", include_str!("page.css")));
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("js", "text/javascript; charset=utf-8", include_str!("page.js")));
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("svg", "image/svg+xml", include_str!("page.svg")));

impl Asset {
    fn of(ending: &str, kind: &'static str, text: &'static str) -> Self {
        let hash = hex::encode(&Sha256::digest(text)[..8]);
        Self { name: format!("{hash}.{ending}"), kind, text }
    }

    pub(super) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let mut all = [&*STYLE, &*SCRIPT, &*ICON].into_iter();
    let found = all.find(|asset| asset.name == name).ok_or_else(|| Problem::missing("file"))?;
    let lasting = HeaderValue::from_static("public, max-age=31536000, immutable");
    let kind = HeaderValue::from_static(found.kind);
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, lasting)], found.text).into_response())
}
