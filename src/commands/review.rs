//! `review`: what a rule decided and an admin should look at.

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::acting::{By, Deed};
use super::console::{print_json, say, table};
use super::{Common, Deployment, Exit};
use crate::domain::Because;
use crate::store::ReviewKind;

/// What an admin should look at.
#[derive(Debug, Subcommand)]
pub enum Review {
    /// Shows what nobody has looked at yet.
    List,
    /// Records that somebody looked, and what came of it.
    Close(Close),
}

/// What was looked at.
#[derive(Debug, Clone, Args)]
pub struct Close {
    /// Its id, as `review list` shows it.
    id: Uuid,
    /// What came of it.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// Runs the subcommand.
pub async fn run(common: &Common, review: Review) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    match review {
        Review::List => list(&deployment, common.json).await,
        Review::Close(close) => self::close(&deployment, close, common.json).await,
    }
}

async fn list(deployment: &Deployment, json: bool) -> anyhow::Result<Exit> {
    let mut shown = table(["id", "clinic", "list", "what", "evidence", "when"]);
    let mut all = Vec::new();
    for clinic in deployment.clinics() {
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        for review in deployment.store.reviews_open(id).await? {
            let local = review.at.with_timezone(&clinic.time_zone);
            shown.add_row([
                review.id.to_string(),
                clinic.slug.clone(),
                review.list.clone().unwrap_or_default(),
                sentence(review.kind).to_owned(),
                review.evidence.clone(),
                local.format("%F %R %Z").to_string(),
            ]);
            all.push(json!({ "clinic": clinic.slug, "review": review }));
        }
    }
    if json {
        print_json(&all)?;
    } else if all.is_empty() {
        println!("Nothing waits to be looked at.");
    } else {
        println!("{shown}");
        println!(
            "Look the message up at the provider, then: listwarden review close ID --reason …"
        );
    }
    Ok(Exit::InStep)
}

async fn close(deployment: &Deployment, close: Close, json: bool) -> anyhow::Result<Exit> {
    let reason = Because::parse(&close.reason);
    let mut of = None;
    for clinic in deployment.clinics() {
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        let open = deployment.store.reviews_open(id).await?;
        of = of.or(open.iter().any(|review| review.id == close.id).then_some(id));
    }
    let deed = Deed {
        clinics: of.into_iter().collect(),
        subject: Some(close.id.to_string()),
        reason: reason.clone().ok(),
        ..Deed::new("review close", &close.by.by)
    };
    let closing = async {
        let reason = reason.context("--reason")?;
        let of =
            of.context("nothing of that id waits: `listwarden review list` shows what does")?;
        deployment.store.review_close(of, close.id, reason.text()).await?;
        say(json, &json!({ "closed": close.id }), "Closed.")?;
        Ok(Exit::InStep)
    };
    deployment.on_record(deed, closing).await
}

const fn sentence(kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::OwnWords => {
            "opted out in own words; it counts. If it was no opt-out, the person must consent anew"
        }
        ReviewKind::LateYes => {
            "said YES too late or after being dropped; it listed nobody. To ask again, take a new consent"
        }
    }
}
