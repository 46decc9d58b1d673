//! `plan`: what a run would do, and nothing of it done.

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::console::{print_json, table};
use super::{Common, Deployment, Exit};
use crate::reconcile::{Preview, PreviewRow};

/// What to show.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Only this list, by its short name.
    #[arg(long)]
    pub list: Option<String>,
    /// Show addresses in full.
    #[arg(long)]
    pub show_addresses: bool,
    /// Show at most this many single changes a list.
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Plans and prints.
pub async fn run(common: &Common, options: Options) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    deployment.expect_list(options.list.as_deref())?;
    plan(&deployment, &options, common.json).await
}

/// Plans every list of every clinic, or the one asked for, and prints.
pub async fn plan(deployment: &Deployment, options: &Options, json: bool) -> anyhow::Result<Exit> {
    let mut all = Vec::new();
    let mut exit = Exit::InStep;
    for clinic in deployment.clinics() {
        let mut practice = deployment.practice_to_read(clinic).await?;
        let mut lists = std::mem::take(&mut practice.lists);
        for list in &mut lists {
            if options.list.as_ref().is_some_and(|slug| *slug != list.row.slug) {
                continue;
            }
            let mut rows = Vec::new();
            let limit = options.limit;
            let mut each = |row: PreviewRow| {
                if rows.len() < limit {
                    rows.push(row);
                }
            };
            let preview = deployment.reconciler().preview(&practice, list, &mut each).await;
            let preview = preview
                .with_context(|| format!("clinic `{}`, list `{}`", clinic.slug, list.row.slug))?;
            deployment.console.finish();
            let Some(preview) = preview else {
                eprintln!("list `{}`: another worker has it; try again", list.row.slug);
                exit = exit.max(Exit::Busy);
                continue;
            };
            if preview.waits || preview.short.is_some() {
                exit = exit.max(Exit::Waiting);
            }
            if json {
                all.push(as_json(&clinic.slug, &preview, &rows, options.show_addresses));
            } else {
                print(&clinic.slug, &preview, &rows, options.show_addresses);
            }
        }
    }
    if json {
        print_json(&all)?;
    }
    Ok(exit)
}

fn shown(row: &PreviewRow, in_full: bool) -> String {
    match &row.address {
        Some(address) if in_full => address.expose().to_owned(),
        Some(address) => address.to_string(),
        None => "unknown member".to_owned(),
    }
}

fn as_json(
    clinic: &str,
    preview: &Preview,
    rows: &[PreviewRow],
    in_full: bool,
) -> serde_json::Value {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "link": row.link,
                "address": shown(row, in_full),
                "verb": row.verb,
                "reason": row.reason,
                "law": row.reason.law().to_string(),
                "sentence": row.reason.sentence(),
            })
        })
        .collect();
    json!({ "clinic": clinic, "plan": preview, "rows": rows })
}

/// Prints one list's plan: sums first, then single changes.
pub fn print(clinic: &str, preview: &Preview, rows: &[PreviewRow], in_full: bool) {
    println!("Plan for clinic `{clinic}`, list `{}`:", preview.list);
    if let Some((missing, total)) = preview.short {
        println!(
            "  the provider showed {missing} of {total} known members less than before: nothing would be done"
        );
        return;
    }
    let mut sums = table(["change", "members", "why"]);
    for (verb, reasons) in &preview.changes {
        for (reason, count) in reasons {
            sums.add_row([
                verb.to_string(),
                count.to_string(),
                format!("{} ({})", reason.sentence(), reason.law()),
            ]);
        }
    }
    if preview.changes.is_empty() {
        println!("  nothing to change");
    } else {
        println!("{sums}");
    }
    println!("  {} events would enter the ledger", preview.events);
    if preview.waits {
        println!("  these changes would wait for an admin");
    }
    if rows.is_empty() {
        return;
    }
    let mut single = table(["change", "address", "why"]);
    for row in rows {
        single.add_row([
            row.verb.to_string(),
            shown(row, in_full),
            format!("{} ({})", row.reason.sentence(), row.reason.law()),
        ]);
    }
    println!("{single}");
}
