//! `demo`: the whole job, on a made-up clinic, a simulated Mailchimp and a simulated Twilio, over real
//! HTTP and a real database. Days pass at the turn of a hand; everything else is the real program.

mod life;
mod live;
mod stage;

use clap::Args;

use super::deployment::asked_to_stop;
use super::plan::Options as PlanOptions;
use super::{Common, Exit, approve, explain, plan, reconcile, report};
use crate::reconcile::Scope;
use life::Life;
use stage::Stage;

/// How to show it.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Patients of the made-up clinic.
    #[arg(long, default_value_t = 3_000)]
    pub patients: usize,
    /// What everything made up is drawn from: the same seed shows the same demo.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Keep configuration, database and clinic, and say where.
    #[arg(long)]
    pub keep: bool,
    /// Leave everything up at the end, and say what to try with curl. Ctrl-C stops it.
    #[arg(long)]
    pub serve: bool,
}

/// Shows it. Ends with exit 0 only if nobody is left who must go.
pub async fn run(_common: &Common, options: Options) -> anyhow::Result<Exit> {
    let days = life::DAYS.iter().map(|day| day.after_days).sum();
    let stage = Stage::set(&options, days).await?;
    let shown = tokio::select! {
        shown = show(&stage, options.serve) => shown,
        // While it serves, that is how the last act begins.
        asked = asked_to_stop(), if !options.serve => asked.map(|()| Exit::Error).map_err(Into::into),
    };
    stage.strike(options.keep).await?;
    shown
}

async fn show(stage: &Stage, serve: bool) -> anyhow::Result<Exit> {
    let deployment = &stage.deployment;
    say("The clinic installs Listwarden. What would it do to the list?");
    command("plan --limit 6");
    let glance = PlanOptions { list: None, show_addresses: false, limit: 6 };
    plan::plan(deployment, &glance, false).await?;

    say("The first run records every opt-out and changes nothing at a provider: its plans wait.");
    command("reconcile");
    expect(reconcile::reconcile(deployment, &Scope::default(), false).await?, Exit::Waiting)?;

    say("An admin looks at the plans and approves them; the next run carries them out.");
    let until = deployment.clock().now() + deployment.config.run.approval_lasts;
    for plan in stage.waiting_plans().await? {
        command(&format!("approve {plan}"));
        approve::approve_plan(deployment, plan, until, "the practice manager", false).await?;
    }
    command("reconcile");
    expect(reconcile::reconcile(deployment, &Scope::default(), false).await?, Exit::InStep)?;

    let mut life = Life::new(stage);
    for day in life::DAYS {
        stage.pass_days(day.after_days);
        say(&format!("{} days later: {}", day.after_days, day.what));
        (day.happen)(&mut life).await?;
        command("reconcile --full");
        let scope = Scope { list: None, full: true };
        expect(reconcile::reconcile(deployment, &scope, false).await?, Exit::InStep)?;
    }

    live::show(stage, &life, serve).await?;

    say("Where does everybody stand?");
    command("report");
    let exit = report::report(deployment, None, false).await?;
    say("And why? Three people, asked after one by one.");
    for (who, address) in life.cast() {
        println!("\n# {who}");
        command(&format!("explain {address}"));
        explain::explain(deployment, &address, false).await?;
    }
    if exit != Exit::Waiting {
        return Ok(exit);
    }
    say(
        "What keeps a list from being clean is left to the clinic: strangers, whom it is to decide about.",
    );
    Ok(Exit::InStep)
}

fn expect(found: Exit, wanted: Exit) -> anyhow::Result<()> {
    anyhow::ensure!(found == wanted, "the demo went astray: {found:?} where {wanted:?} was due");
    Ok(())
}

fn say(sentence: &str) {
    println!("\n── {sentence}");
}

fn command(line: &str) {
    println!("\n$ listwarden {line}");
}
