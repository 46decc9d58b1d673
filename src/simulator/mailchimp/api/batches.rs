//! `/batches`, and the archive with their results.

use std::io;

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::query::window;
use super::{Answer, Context};
use crate::simulator::mailchimp::audience::email;
use crate::simulator::mailchimp::audience::refusal::FieldError;
use crate::simulator::mailchimp::door::problem::Problem;
use crate::simulator::mailchimp::door::reply::Reply;
use crate::simulator::mailchimp::world::batch::{Batch, Operation, Outcome, Phase};

/// The most batches that may be pending.
const PENDING_LIMIT: usize = 500;

/// How long the URL of the results works, in seconds.
const URL_LIFE: i64 = 600;

/// How long batches and their results are kept, in days.
const KEPT_DAYS: i64 = 7;

/// How many outcomes one file of the archive holds.
const FILE_LIMIT: usize = 1_000;

#[derive(Debug, Deserialize)]
struct Body {
    operations: Vec<Operation>,
}

/// `POST /batches`
pub fn create(cx: &mut Context) -> Answer {
    let now = cx.now;
    let pending =
        cx.account.batches.iter().filter(|b| b.phase(now) != Phase::Finished && !b.stopped);
    if pending.count() >= PENDING_LIMIT {
        let detail = "You have more than 500 pending batches. \
                      Please wait for some to complete before adding any more batches.";
        return Err(Problem::new(429, "Too Many Requests", detail));
    }
    let body: Body = serde_json::from_value(cx.call.json()?)
        .map_err(|error| Problem::schema(vec![FieldError::new("operations", error.to_string())]))?;
    let batch = Batch {
        id: hex::encode(&email::hash(&format!("batch-{}", cx.seed))[..5]),
        submitted_at: now,
        takes: Duration::milliseconds(i64::try_from(cx.settings.batch_ms).unwrap_or_default()),
        ip: cx.call.ip,
        total: body.operations.len(),
        operations: body.operations,
        outcomes: Vec::new(),
        stopped: false,
    };
    let shown = json(cx, &batch);
    cx.account.batches.push(batch);
    cx.show(shown)
}

/// `GET /batches`
pub fn index(cx: &mut Context) -> Answer {
    let kept = cx.now - Duration::days(KEPT_DAYS);
    let found: Vec<&Batch> = cx.account.batches.iter().filter(|b| b.submitted_at >= kept).collect();
    let total = found.len();
    // Without `count` the real service pages by itself and returns everything.
    let (count, offset) = match cx.call.param("count") {
        Some(_) => window(cx.call)?,
        None => (total, window(cx.call)?.1),
    };
    let page: Vec<Value> =
        found.into_iter().skip(offset).take(count).map(|b| json(cx, b)).collect();
    cx.show(json!({"batches": page, "total_items": total, "_links": []}))
}

/// `GET /batches/{batch_id}`
pub fn read(cx: &mut Context, id: &str) -> Answer {
    let batch = cx.account.batches.iter().find(|b| b.id == id).ok_or_else(Problem::not_found)?;
    let shown = json(cx, batch);
    cx.show(shown)
}

/// `DELETE /batches/{batch_id}`: what has not started will not.
pub fn stop(cx: &mut Context, id: &str) -> Answer {
    let batch = cx.account.batches.iter_mut().find(|b| b.id == id);
    batch.ok_or_else(Problem::not_found)?.stopped = true;
    Ok(Reply::no_content())
}

/// Serves the archive at a URL that was given out; nothing but the URL opens it.
#[must_use]
pub fn download(batch: Option<&Batch>, expires: i64, signature: &str, now: DateTime<Utc>) -> Reply {
    let refusal = |status, code: &str| Reply {
        status,
        headers: Vec::new(),
        body: format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>")
            .into(),
        content_type: "application/xml; charset=UTF-8",
    };
    let Some(batch) = batch.filter(|b| now - b.submitted_at <= Duration::days(KEPT_DAYS)) else {
        return refusal(404, "NoSuchKey");
    };
    if sign(&batch.id, expires) != signature {
        return refusal(403, "SignatureDoesNotMatch");
    }
    if now.timestamp() > expires {
        return refusal(400, "ExpiredToken");
    }
    match archive(&batch.outcomes) {
        Ok(body) => {
            Reply { status: 200, headers: Vec::new(), body, content_type: "application/x-gzip" }
        }
        Err(_) => refusal(500, "InternalError"),
    }
}

fn json(cx: &Context, batch: &Batch) -> Value {
    let expires = cx.now.timestamp() + URL_LIFE;
    let url = format!(
        "{}/_batches/{}-response.tar.gz?Expires={expires}&Signature={}",
        cx.call.base_url,
        batch.id,
        sign(&batch.id, expires)
    );
    batch.json(cx.now, &url)
}

fn sign(id: &str, expires: i64) -> String {
    hex::encode(email::hash(&format!("{id}-{expires}-results")))
}

/// Packs outcomes as Mailchimp does: a `./` directory first, then arrays in `./<hex>.json`.
fn archive(outcomes: &[Outcome]) -> io::Result<Vec<u8>> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    let mut directory = tar::Header::new_gnu();
    directory.set_entry_type(tar::EntryType::Directory);
    directory.set_size(0);
    directory.set_mode(0o755);
    put(&mut archive, directory, b"./", &[])?;
    for (number, chunk) in outcomes.chunks(FILE_LIMIT).enumerate() {
        let data = serde_json::to_vec(chunk)?;
        let name = format!("./{}.json", hex::encode(&email::hash(&format!("file-{number}"))[..5]));
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        put(&mut archive, header, name.as_bytes(), &data)?;
    }
    archive.into_inner()?.finish()
}

/// Appends an entry under its literal name; the builder's own way would strip the `./`.
fn put(
    archive: &mut tar::Builder<impl io::Write>,
    mut header: tar::Header,
    name: &[u8],
    data: &[u8],
) -> io::Result<()> {
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_cksum();
    archive.append(&header, data)
}
