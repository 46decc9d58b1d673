//! The last act: real time, a serving process, and opt-outs on their way through it.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::life::Life;
use super::stage::{SENDER, Stage};
use super::{command, say};
use crate::clock::{Clock, SystemClock};
use crate::commands::deployment::asked_to_stop;
use crate::commands::{serve, webhook};
use crate::domain::{Clinics, PatientRecord, PatientStatus, Role};
use crate::reconcile::Scope;
use crate::simulator::{mailchimp, twilio};
use crate::store::NewToken;

/// How long an opt-out is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// For how long the day's readings count.
const READ_TODAY: TimeDelta = TimeDelta::hours(23);
/// How often the clinic's record is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);
/// What each request to the provider takes while a list is swept.
const LATENCY_MS: u64 = 300;

/// Shows how fast an opt-out travels, and leaves everything up where `serve` says so.
pub(super) async fn show(stage: &Stage, life: &Life<'_>, serve: bool) -> anyhow::Result<()> {
    // What is tried in another terminal lives at the machine's time; what was read this morning is to
    // count as read today.
    let morning = stage.clock.now();
    stage.clock.set(SystemClock.now().clamp(morning, morning + READ_TODAY));
    stage.clock.run();
    say("From here on time is real. A process serves; the providers are told where to send.");
    command("serve");
    let (end, ended) = oneshot::channel();
    let admins = TcpListener::bind("127.0.0.1:0").await?;
    let page = format!("http://{}/", admins.local_addr()?);
    let serving = tokio::spawn(serving(stage, admins, ended).await?);
    let mailchimp = stage.simulator.deliver_over_http(mailchimp::HttpSender::new()?);
    let twilio = stage.texting.deliver_over_http(twilio::HttpSender::new()?);
    command("webhook register");
    for line in webhook::register(&stage.deployment, None).await? {
        println!("{line}");
    }
    let travelled = travel(stage, life).await;
    if serve && travelled.is_ok() {
        invite(stage, life, &page).await?;
        asked_to_stop().await?;
    }
    drop((mailchimp, twilio));
    end.send(()).ok();
    serving.await??;
    travelled
}

/// Returns the serving process, which ends when `ended` resolves.
async fn serving(
    stage: &Stage,
    admins: TcpListener,
    ended: oneshot::Receiver<()>,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send + 'static> {
    let port = stage.port.lock().unwrap_or_else(PoisonError::into_inner).take();
    let port = port.context("somebody serves already")?;
    let deployment = stage.another_process().await?;
    let until = async { ended.await.map_err(std::io::Error::other) };
    Ok(serve::serve(deployment, port, Some(admins), None, until))
}

async fn travel(stage: &Stage, life: &Life<'_>) -> anyhow::Result<()> {
    let mut listed = life.listed_singles().into_iter();
    let mut next = || listed.next().context("the made-up clinic is too small for the demo");

    say("Somebody clicks on unsubscribe.");
    let who = next()?;
    let took = told(stage, &who, || Ok(life.contact(&who)?.unsubscribe()?)).await?;
    println!("Through the webhook to every list and the clinic's own record: {took} ms.");

    say("Somebody replies STOP.");
    let who = texted(stage).context("nobody is on the list of texts")?;
    let number = who.mobile.clone().context("they have a number")?;
    let stop = || Ok(stage.texting.person(number.expose()).texts(SENDER, "STOP").map(drop)?);
    let took = told(stage, &who, stop).await?;
    println!("Off the list, and in the clinic's own record: {took} ms.");

    say("And while another run sweeps another list of the same account, at 300 ms a request?");
    command("reconcile --full --list open-days");
    let sweeping = stage.another_process().await?;
    stage.simulator.configure(|settings| settings.latency_ms = LATENCY_MS);
    stage.simulator.reset_counters();
    let scope = Scope { list: Some("open-days".to_owned()), full: true };
    let sweep = tokio::spawn(async move { one_run(&sweeping, &scope).await });
    while stage.simulator.counters().total < 2 && !sweep.is_finished() {
        SystemClock.sleep(LOOK).await;
    }
    let who = next()?;
    let took = told(stage, &who, || Ok(life.contact(&who)?.unsubscribe()?)).await?;
    let under_way = if sweep.is_finished() { "had just ended" } else { "was still under way" };
    println!(
        "Through the webhook to every list and the clinic's own record: {took} ms; the sweep {under_way}."
    );
    stage.simulator.configure(|settings| settings.latency_ms = 0);
    sweep.await?
}

async fn one_run(deployment: &crate::commands::Deployment, scope: &Scope) -> anyhow::Result<()> {
    crate::commands::reconcile::reconcile(deployment, scope, false).await.map(drop)
}

/// Has somebody opt out, and returns the milliseconds until the clinic's own record says so.
#[expect(clippy::disallowed_methods, reason = "what is shown is the time it really took")]
async fn told(
    stage: &Stage,
    who: &PatientRecord,
    opt_out: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<u128> {
    let lines = async || -> anyhow::Result<usize> {
        let feedback = stage.clinic.feedback().await?;
        let of_them = feedback.iter().filter(|line| line.patient_id == who.source_id);
        Ok(of_them.filter(|line| line.kind == "withdrawn").count())
    };
    let before = lines().await?;
    let begun = Instant::now();
    opt_out()?;
    while lines().await? == before {
        ensure!(begun.elapsed() < PATIENCE, "the clinic was not told within {PATIENCE:?}");
        SystemClock.sleep(LOOK).await;
    }
    Ok(begun.elapsed().as_millis())
}

/// Finds somebody who said YES by text.
fn texted(stage: &Stage) -> Option<PatientRecord> {
    let asked = stage.texting.outbox();
    let said_yes = asked.iter().enumerate().filter(|(number, _)| number % 5 > 2);
    let numbers: Vec<&str> = said_yes.map(|(_, text)| text.to.as_str()).collect();
    let mut patients = stage.town.patients.iter();
    let active = |patient: &PatientRecord| patient.status == PatientStatus::Active;
    let found = patients.find(|patient| {
        let number = patient.mobile.as_ref().map(crate::domain::Address::expose);
        active(patient) && number.is_some_and(|number| numbers.contains(&number))
    });
    found.cloned()
}

/// Says what to try, and gives a token for the admin page.
async fn invite(stage: &Stage, life: &Life<'_>, page: &str) -> anyhow::Result<()> {
    let admin = NewToken {
        name: "the demo".to_owned(),
        role: Role::Owner,
        clinics: Clinics::All,
        expires_at: None,
        by: "the demo".to_owned(),
    };
    let (_, token) = stage.deployment.store.token_create(&admin).await?;
    let token = token.expose_secret();
    let (mailchimp, twilio) = (stage.server.url(), stage.texting_server.url());
    let listed = life.listed_singles();
    let address = listed.first().and_then(|who| who.email.as_ref());
    let somebody = address.map_or("ann@post.test", crate::domain::Address::expose);
    let texted = stage.texting.outbox().last().map(|text| text.to.clone()).unwrap_or_default();
    say("Everything is up. Try, in another terminal:");
    println!(
        "
# See it as an admin does, in a browser at {page}, with this token:
{token}
# Somebody leaves at Mailchimp:
curl -s {mailchimp}/_control/lists/{audience}/contact -H 'content-type: application/json' \\
  -d '{{\"email\": \"{somebody}\", \"act\": \"unsubscribe\"}}'
# Somebody texts:
curl -s {twilio}/_control/people/{texted} -H 'content-type: application/json' \\
  -d '{{\"act\": \"texts\", \"to\": \"{SENDER}\", \"body\": \"STOP\"}}'
# What came of it:
listwarden --config {config} explain {somebody}
listwarden --config {config} webhook list
curl -s {public}/readyz

Ctrl-C stops it.",
        audience = stage.audience,
        config = stage.configuration().display(),
        public = stage.deployment.public_url(),
    );
    Ok(())
}
