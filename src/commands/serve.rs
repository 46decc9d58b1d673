//! `serve`: webhooks and health, and the loop in one long-running process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures::future::{Either, select};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

#[cfg(feature = "otlp")]
use super::push;
use super::{Common, Deployment, Exit, resyncs};
use crate::clock::timeout;
use crate::config::{Config, Environment};
use crate::http::admin::{Admin, Errand};
#[cfg(feature = "otlp")]
use crate::http::metrics::Figures;
use crate::http::{self, Receiver};
use crate::reconcile::{Reconciler, Roster, Scope, Stop};
use crate::scheduler::Schedule;
#[cfg(feature = "otlp")]
use crate::telemetry::otlp::Collector;

/// Where to serve.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The address and port to listen on, if not as the configuration says.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The address and port of the admin page and API, if not as the configuration says; without either it
    /// is not served. Never reachable from the Internet.
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
    /// The address and port to show figures on for Prometheus, at /metrics, if not as the
    /// configuration says.
    #[arg(long, env = "LISTWARDEN_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
}

/// What was begun is finished within this, or left to the next start: it is in the store.
const GRACE: Duration = Duration::from_secs(10);
/// How long the last figures may take to be stored.
const LAST: Duration = Duration::from_secs(3);
/// How often it is looked whether deliveries can still be written.
const LOOK: Duration = Duration::from_millis(500);
/// How often what was counted is left in the store.
const COUNTED: Duration = Duration::from_secs(5);
/// How old the list of accounts and lists may get: a list that was pinned meanwhile shows then.
const ROSTER: Duration = Duration::from_mins(1);

/// Serves until it is asked to stop.
pub async fn run(common: &Common, options: Options) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let settings = &deployment.config.serve;
    let listener = bind(options.listen.unwrap_or(settings.listen), "listen").await?;
    eprintln!("Serving on http://{}", listener.local_addr()?);
    let admin = match options.admin_listen.or(settings.admin_listen) {
        Some(address) => Some(bind(address, "admin_listen").await?),
        None => None,
    };
    if let Some(admin) = &admin {
        let at = admin.local_addr()?;
        eprintln!("The admin API is on http://{at}/api/v1");
        eprintln!("The admin page is on http://{at}/");
    }
    let metrics = match options.metrics_listen.or(settings.metrics_listen) {
        Some(address) => Some(bind(address, "metrics_listen").await?),
        None => None,
    };
    if let Some(metrics) = &metrics {
        eprintln!("Figures on http://{}/metrics", metrics.local_addr()?);
    }
    serve(deployment, listener, admin, metrics, super::deployment::asked_to_stop()).await?;
    Ok(Exit::InStep)
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        let flag = key.replace('_', "-");
        format!("cannot listen on {address}: choose another port in [serve] {key} or with --{flag}")
    })
}

/// Serves on `listener`, admins on `admin`, and figures on `metrics`, until `stop` resolves; then accepts nothing more,
/// and finishes and commits what it took.
pub async fn serve(
    deployment: Deployment,
    listener: TcpListener,
    admin: Option<TcpListener>,
    metrics: Option<TcpListener>,
    stop: impl Future<Output = std::io::Result<()>> + Send + 'static,
) -> anyhow::Result<()> {
    let deployment = Arc::new(deployment);
    let (announce, roster) = watch::channel(deployment.roster().await);
    let woken = Arc::new(Notify::new());
    let receiver = Arc::new(Receiver::start(
        deployment.store.clone(),
        deployment.reconciler().clock.clone(),
        deployment.public_url(),
        roster.clone(),
        woken.clone(),
    ));
    let asked = deployment.reconciler().stop.clone();
    let mut tasks = JoinSet::new();
    let (configured, current) = watch::channel(deployment.clone());
    let (configure, config) = watch::channel(deployment.config.clone());
    tasks.spawn(refresh(configured, announce, configure));
    tasks.spawn(attend(deployment.clone(), roster.clone(), woken));
    let due = Arc::new(Notify::new());
    if let Some(schedule) = schedule(&deployment)? {
        let clock = deployment.reconciler().clock.clone();
        tasks.spawn(schedule.run(clock, due.clone(), asked.clone()));
    }
    let configured_now = current.clone();
    let figures = Arc::new(deployment.figures(move || watched(&configured_now.borrow())));
    if let Some(listener) = metrics {
        let routes = http::metrics::router(figures.clone(), receiver.clone());
        tasks.spawn(show(deployment.clone(), listener, routes));
    }
    #[cfg(feature = "otlp")]
    let export = Export::of_process(&deployment, figures, &receiver);
    #[cfg(feature = "otlp")]
    if let Some(export) = export.clone() {
        tasks.spawn(export.go_on());
    }
    tasks.spawn(leave_figures(deployment.clone()));
    let resync = Arc::new(Notify::new());
    tasks.spawn(resyncs::work(current.clone(), roster.clone(), resync.clone()));
    if let Some(listener) = admin {
        let (errands, wanted) = mpsc::channel(1);
        let reconciler = deployment.reconciler().clone();
        let transport = deployment.transport().clone();
        let admin = Admin::new(reconciler, roster.clone(), config, errands, resync, transport);
        tasks.spawn(run_errands(current.clone(), wanted));
        tasks.spawn(serve_admins(listener, admin, asked.clone()));
    }
    tasks.spawn(reconcile(current, roster, due));

    let (over, stopping) = tokio::sync::oneshot::channel();
    let until = async move { drop(stopping.await) };
    let served = axum::serve(listener, http::router(receiver.clone()));
    let served = served.with_graceful_shutdown(until).into_future();
    let mut died = None;
    // A client that neither goes on nor hangs up must not keep us.
    let patience = async {
        let ended = select(Box::pin(stop), Box::pin(death(&mut tasks, &receiver, &deployment)));
        if let Either::Right((error, _)) = ended.await {
            tracing::error!(%error, "serve ends; whoever started it starts it again");
            died = Some(error);
        }
        tracing::info!("asked to stop: what was taken is finished first");
        asked.ask();
        over.send(()).ok();
        deployment.clock().sleep(GRACE).await;
    };
    match select(Box::pin(served), Box::pin(patience)).await {
        Either::Left((served, _)) => served?,
        Either::Right(((), _)) => {
            tracing::warn!("some connections were still open when the time was over");
        }
    }
    let finished = async { while tasks.join_next().await.is_some() {} };
    if timeout(deployment.clock(), GRACE, finished).await.is_err() {
        tracing::warn!("stopped in the midst of a run; the next one goes on from there");
    }
    let last = async {
        deployment.leave_figures().await;
        #[cfg(feature = "otlp")]
        if let Some(export) = &export {
            export.once().await.ok();
        }
    };
    timeout(deployment.clock(), LAST, last).await.ok();
    died.map_or(Ok(()), Err)
}

/// Resolves when a part of the process has ended, which none does before it is asked to.
async fn death(
    tasks: &mut JoinSet<()>,
    receiver: &Receiver,
    deployment: &Deployment,
) -> anyhow::Error {
    loop {
        let looked = deployment.clock().sleep(LOOK);
        match select(Box::pin(tasks.join_next()), looked).await {
            Either::Left((ended, _)) => return cause(ended),
            Either::Right(_) if receiver.is_alive() => {}
            Either::Right(_) => return anyhow::anyhow!("the task that writes deliveries has died"),
        }
    }
}

/// Says how a background task ended; never what it panicked with.
fn cause(ended: Option<Result<(), tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Err(error)) if error.is_panic() => anyhow::anyhow!("a background task panicked"),
        _ => anyhow::anyhow!("a background task ended before it was asked to"),
    }
}

fn schedule(deployment: &Deployment) -> anyhow::Result<Option<Schedule>> {
    let serve = &deployment.config.serve;
    let jitter = serve.jitter.to_std()?;
    let cron = serve.schedule.clone();
    Ok(cron.map(|cron| Schedule::new(cron, serve.time_zone, jitter)))
}

/// Reads configuration, accounts and lists anew from time to time. A configuration that cannot be
/// read is told, and the one before it stays.
async fn refresh(
    configured: watch::Sender<Arc<Deployment>>,
    announce: watch::Sender<Arc<Roster>>,
    configure: watch::Sender<Arc<Config>>,
) {
    let mut deployment = configured.borrow().clone();
    while !pause(&deployment, ROSTER).await {
        match deployment.reread(&Environment::of_process()) {
            Ok(reread) => deployment = Arc::new(reread),
            Err(error) => {
                tracing::error!(%error, "the configuration is wrong now; serve goes on with the one before");
            }
        }
        configured.send(deployment.clone()).ok();
        configure.send(deployment.config.clone()).ok();
        let before = announce.borrow().clone();
        drop(announce.send(deployment.roster_after(&before).await));
        deployment.notify().await;
        if let Err(error) = deployment.forget_old().await {
            tracing::warn!(%error, "old deliveries could not be emptied");
        }
    }
}

fn watched(deployment: &Deployment) -> http::metrics::Watched {
    Deployment::watched(deployment.clinics())
}

/// Shows figures until it is asked to stop.
async fn show(deployment: Arc<Deployment>, listener: TcpListener, routes: axum::Router) {
    let asked = {
        let deployment = deployment.clone();
        async move { while !pause(&deployment, ROSTER).await {} }
    };
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(asked).await {
        tracing::error!(%error, "figures cannot be shown any more");
    }
}

/// Figures on their way to a collector, from time to time.
#[cfg(feature = "otlp")]
#[derive(Clone)]
struct Export {
    deployment: Arc<Deployment>,
    collector: Arc<Collector>,
    figures: Arc<Figures>,
    receiver: Arc<Receiver>,
}

#[cfg(feature = "otlp")]
impl Export {
    fn of_process(
        deployment: &Arc<Deployment>,
        figures: Arc<Figures>,
        receiver: &Arc<Receiver>,
    ) -> Option<Self> {
        let host = rustix::system::uname();
        let collector = Collector::of_process(&host.nodename().to_string_lossy())?;
        let (deployment, receiver) = (deployment.clone(), receiver.clone());
        Some(Self { deployment, collector: Arc::new(collector), figures, receiver })
    }

    /// Sends them until the process is asked to stop, and warns once of each time that it fails.
    async fn go_on(self) {
        let mut well = true;
        while !pause(&self.deployment, self.collector.every).await {
            let sent = self.once().await;
            let (was_well, problem) = (well, sent.err());
            well = problem.is_none();
            problem.filter(|_| was_well).into_iter().for_each(push::warn);
        }
    }

    async fn once(&self) -> Result<(), String> {
        let own = http::metrics::of_process(&self.receiver);
        push::export_to(&self.collector, self.deployment.clock(), &self.figures, &own).await
    }
}

/// Leaves in the store what was counted, from time to time; what comes last is left when all has ended.
async fn leave_figures(deployment: Arc<Deployment>) {
    while !pause(&deployment, COUNTED).await {
        deployment.leave_figures().await;
    }
}

/// Serves admins until it is asked to stop.
async fn serve_admins(listener: TcpListener, admin: Admin, stop: Stop) {
    let clock = admin.clock().clone();
    let router = http::admin::router(admin);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let until = async move {
        while !stop.is_asked() {
            clock.sleep(LOOK).await;
        }
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(until).await {
        tracing::error!(%error, "the admin API is not served any more");
    }
}

/// Does what only this process can, having the providers' keys.
async fn run_errands(
    current: watch::Receiver<Arc<Deployment>>,
    mut wanted: mpsc::Receiver<Errand>,
) {
    let stop = current.borrow().reconciler().stop.clone();
    while !stop.is_asked() {
        let deployment = current.borrow().clone();
        let looked = deployment.clock().sleep(LOOK);
        let next = std::pin::pin!(wanted.recv());
        let Either::Left((Some(errand), _)) = select(next, looked).await else { continue };
        let of_clinic = deployment.of_clinic(&errand.clinic);
        let done = super::webhook::rotate(&of_clinic, errand.list.as_deref()).await;
        let done = done.map_err(|error| {
            let error = format!("{error:#}");
            tracing::error!(clinic = errand.clinic, error, "webhooks could not be replaced");
        });
        errand.answer.send(done).ok();
    }
}

/// Attends to what is told.
async fn attend(
    deployment: Arc<Deployment>,
    roster: watch::Receiver<Arc<Roster>>,
    woken: Arc<Notify>,
) {
    deployment.reconciler().attend_until_stopped(roster, woken).await;
}

/// Reconciles every clinic each time the schedule says so; one after the other, so that no list has
/// two turns at once.
async fn reconcile(
    current: watch::Receiver<Arc<Deployment>>,
    roster: watch::Receiver<Arc<Roster>>,
    due: Arc<Notify>,
) {
    let stop = current.borrow().reconciler().stop.clone();
    while !stop.is_asked() {
        let deployment = current.borrow().clone();
        let woken = std::pin::pin!(due.notified());
        let slept = std::pin::pin!(deployment.clock().sleep(Duration::from_secs(1)));
        if matches!(select(woken, slept).await, Either::Right(_)) {
            continue;
        }
        let reconciler = deployment.reconciler().attending(roster.borrow().clone());
        for clinic in deployment.clinics() {
            if stop.is_asked() {
                return;
            }
            match super::reconcile::one(&deployment, &reconciler, clinic, &Scope::default()).await {
                Ok(outcome) => tell(&reconciler, &outcome),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(
                        clinic = clinic.slug,
                        error,
                        "the clinic could not be reconciled"
                    );
                }
            }
        }
    }
}

fn tell(reconciler: &Reconciler, outcome: &crate::reconcile::ClinicOutcome) {
    for list in &outcome.lists {
        let state = list.state.word();
        reconciler.progress.note(&format!("{}/{}: {state}", outcome.clinic, list.list));
        if let Some(problem) = &list.problem {
            tracing::warn!(clinic = outcome.clinic, list = list.list, problem, "a list failed");
        }
    }
}

/// Waits in small steps; tells whether it was asked to stop meanwhile.
async fn pause(deployment: &Deployment, whole: Duration) -> bool {
    let step = Duration::from_millis(500);
    let mut waited = Duration::ZERO;
    while waited < whole {
        if deployment.reconciler().stop.is_asked() {
            return true;
        }
        deployment.clock().sleep(step).await;
        waited += step;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_told_and_never_what_it_panicked_with() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { panic!("ann@post.test") });
        assert_eq!(cause(tasks.join_next().await).to_string(), "a background task panicked");
        tasks.spawn(async {});
        let ended = "a background task ended before it was asked to";
        assert_eq!(cause(tasks.join_next().await).to_string(), ended);
    }
}
