//! `token`: who may ask of the API, as what, and for which clinics.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use super::acting::{By, Deed};
use super::console::{print_json, say, table};
use super::{Common, Deployment, Exit};
use crate::config::duration;
use crate::domain::{ClinicId, Clinics, Role};
use crate::store::{AuditOutcome, NewToken, SIGNED_IN, TokenRow};

/// Tokens for the API.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Makes a token and shows it, once. With --clinic for that clinic only, with --for (repeatable) for
    /// several.
    Create(Create),
    /// Shows the tokens, without their secrets.
    List,
    /// Takes a token back, for good.
    Revoke(Revoke),
}

/// What to make.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// What its bearer may do: viewer, operator, auditor or owner.
    #[arg(long)]
    role: Role,
    /// What it is for, in a few words; the audit log names it so.
    #[arg(long)]
    name: String,
    /// For this clinic only; may be given several times. Without it for all, those added later too.
    #[arg(long = "for", value_name = "CLINIC")]
    clinics: Vec<String>,
    /// For how long it holds, such as 90d; without it until it is revoked.
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    #[command(flatten)]
    by: By,
}

/// What to take back.
#[derive(Debug, Clone, Args)]
pub struct Revoke {
    /// Its id, as `token list` shows it.
    #[arg(value_parser = id)]
    id: Uuid,
    #[command(flatten)]
    by: By,
}

fn id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(|_| "no id of a token: `token list` shows them")
}

/// Runs the subcommand.
pub async fn run(common: &Common, token: Token) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    match token {
        Token::Create(create) => self::create(&deployment, common, create).await,
        Token::List => list(&deployment, common.json).await,
        Token::Revoke(revoke) => {
            let tokens = deployment.store.tokens().await?;
            let of = tokens.iter().find(|token| token.id == revoke.id);
            let deed = Deed {
                clinics: of.map(|token| some(&token.clinics)).unwrap_or_default(),
                subject: Some(revoke.id.to_string()),
                ..Deed::new("token revoke", &revoke.by.by)
            };
            let revoking = async {
                deployment.store.token_revoke(revoke.id).await?;
                let again = of.is_some_and(|token| token.revoked_at.is_some());
                let said = if again { "It was revoked before." } else { "Revoked." };
                say(common.json, &json!({ "revoked": revoke.id }), said)?;
                Ok(Exit::InStep)
            };
            deployment.on_record(deed, revoking).await
        }
    }
}

async fn create(deployment: &Deployment, common: &Common, create: Create) -> anyhow::Result<Exit> {
    let name = create.name.trim();
    if !(1..=60).contains(&name.chars().count()) || name.contains('@') {
        bail!("--name takes up to 60 characters and no address: what the token is for");
    }
    if name.starts_with(SIGNED_IN) {
        bail!("--name cannot begin with `{SIGNED_IN}`: so are people named who signed in");
    }
    let asked = common.clinic.iter().chain(&create.clinics);
    let mut clinics = BTreeSet::new();
    for slug in asked {
        let clinic = deployment.expect_clinic(slug)?;
        clinics.insert(deployment.store.clinic_ensure(&clinic.slug).await?);
    }
    let lasts = create.expires.as_deref().map(|text| {
        duration::parse(text).context("--expires takes a number and s, m, h, d or w, such as 90d")
    });
    let lasts = lasts.transpose()?;
    if lasts.is_some_and(|lasts| lasts <= chrono::TimeDelta::zero()) {
        bail!("--expires takes more than nothing: such a token would hold for no moment");
    }
    let now = deployment.clock().now();
    let new = NewToken {
        name: name.to_owned(),
        role: create.role,
        clinics: if clinics.is_empty() { Clinics::All } else { Clinics::Some(clinics) },
        expires_at: lasts.map(|lasts| now + lasts),
        by: create.by.by,
    };
    let deed = Deed {
        clinics: some(&new.clinics),
        subject: Some(new.role.to_string()),
        ..Deed::new("token create", &new.by)
    };
    let request = deployment.reconciler().clock.id();
    deployment.put_on_record(&deed, request, AuditOutcome::Begun).await?;
    let (id, text) = deployment.store.token_create(&new).await?;
    let deed = Deed { subject: Some(format!("{id} as {}", new.role)), ..deed };
    deployment.put_on_record(&deed, request, AuditOutcome::Done).await?;
    let text = text.expose_secret();
    say(
        common.json,
        &json!({ "id": id, "token": text, "role": new.role, "expires_at": new.expires_at }),
        format_args!("{text}\nKeep it now: it cannot be shown again. Its id is {id}."),
    )?;
    Ok(Exit::InStep)
}

/// Returns the clinics whose logs have what is done with a token; none for one that is for all.
fn some(clinics: &Clinics) -> BTreeSet<ClinicId> {
    match clinics {
        Clinics::All => BTreeSet::new(),
        Clinics::Some(some) => some.clone(),
    }
}

async fn list(deployment: &Deployment, json: bool) -> anyhow::Result<Exit> {
    let clinics = deployment.store.clinics().await?;
    let slugs = |token: &TokenRow| match &token.clinics {
        Clinics::All => None,
        Clinics::Some(ids) => {
            let named = clinics.iter().filter(|clinic| ids.contains(&clinic.id));
            Some(named.map(|clinic| clinic.slug.clone()).collect::<Vec<_>>())
        }
    };
    let now = deployment.clock().now();
    let tokens = deployment.store.tokens().await?;
    if json {
        let rows = tokens.iter().map(|token| {
            json!({
                "id": token.id, "name": token.name, "role": token.role, "clinics": slugs(token),
                "state": state(token, now), "created_by": token.created_by,
                "created_at": token.created_at, "expires_at": token.expires_at,
                "revoked_at": token.revoked_at, "used_at": token.used_at,
            })
        });
        print_json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::InStep);
    }
    let mut shown = table(["id", "name", "role", "clinics", "state", "expires", "last used"]);
    for token in &tokens {
        shown.add_row([
            token.id.to_string(),
            token.name.clone(),
            token.role.to_string(),
            slugs(token).map_or_else(|| "all".to_owned(), |slugs| slugs.join(", ")),
            state(token, now).to_owned(),
            token
                .expires_at
                .map_or_else(|| "never".to_owned(), |at| at.format("%F %R UTC").to_string()),
            token
                .used_at
                .map_or_else(|| "never".to_owned(), |at| at.format("%F %H h UTC").to_string()),
        ]);
    }
    println!("{shown}");
    Ok(Exit::InStep)
}

fn state(token: &TokenRow, now: DateTime<Utc>) -> &'static str {
    match token {
        TokenRow { revoked_at: Some(_), .. } => "revoked",
        TokenRow { expires_at: Some(at), .. } if *at <= now => "expired",
        _ => "holds",
    }
}
