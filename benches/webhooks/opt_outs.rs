//! How long an opt-out travels: from a delivery being sent until the member is unsubscribed on
//! every list and the clinic's own record has it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use listwarden::clock::{Clock, SystemClock};
use listwarden::simulator::mailchimp::Status;
use listwarden::store::Endpoint;

use crate::world::{Delivery, Serving, World, address, list};
use crate::{Engine, Options, instant, percentile};

pub const HEAD: &str = "\
| engine | opt-outs | answered p50 | p99 | everywhere p50 | p99 |
| --- | --- | ---: | ---: | ---: | ---: |";

/// Members of the lists that are opted out of, and of the one that is swept meanwhile.
const MEMBERS: usize = 2_000;
/// How long an opt-out may take before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// One opt-out's times, from when it was sent.
#[derive(Debug, Clone, Copy)]
struct Way {
    answered: Duration,
    everywhere: Duration,
}

pub async fn follow(options: &Options, engine: Engine) -> anyhow::Result<()> {
    let each = options.opt_outs;
    ensure!(3 * each <= MEMBERS, "at most {} opt-outs", MEMBERS / 3);
    let world = World::new(engine, MEMBERS, 3).await?;
    let serving = world.serve(&options.binary).await?;
    let endpoint = world.register().await?;
    let told = Follower { world: &world, endpoint: &endpoint, client: client()? };
    show(engine, "one after the other", &told.one_by_one(0..each).await?);
    show(engine, "all at once", &told.at_once(each..2 * each).await?);
    serving.stop()?;
    let serving = sweeping(&world, options).await?;
    let ways = told.one_by_one(2 * each..3 * each).await?;
    show(engine, "one after the other, while another list is swept", &ways);
    drop(serving);
    world.end().await
}

/// Serves with one more list, which its schedule fills at once: a sweep of every page of it.
async fn sweeping(world: &World, options: &Options) -> anyhow::Result<Serving> {
    let audience = world.simulator.open_audience(world.account, "Swept")?;
    world.seed(&audience, 0..options.members * 4)?;
    let path = world.folder.path().join("clinics/riverside.toml");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, text + &list(3, &audience))?;
    let path = world.folder.path().join("listwarden.toml");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, text + "schedule = \"* * * * * *\"\njitter = \"0s\"\n")?;
    world.simulator.reset_counters();
    let serving = world.serve(&options.binary).await?;
    for _ in 0..2_000 {
        let pages = world.simulator.counters().by_route;
        if pages.get("GET /lists/{list_id}/members").is_some_and(|pages| *pages > 1) {
            return Ok(serving);
        }
        SystemClock.sleep(Duration::from_millis(10)).await;
    }
    bail!("the sweep did not begin");
}

struct Follower<'a> {
    world: &'a World,
    endpoint: &'a Endpoint,
    client: reqwest::Client,
}

impl Follower<'_> {
    async fn one_by_one(&self, members: std::ops::Range<usize>) -> anyhow::Result<Vec<Way>> {
        let mut ways = Vec::new();
        for n in members {
            let (began, answered) = self.sent(n).await?;
            let everywhere = self.arrived(&[n], began).await?[0];
            ways.push(Way { answered, everywhere });
        }
        Ok(ways)
    }

    async fn at_once(&self, members: std::ops::Range<usize>) -> anyhow::Result<Vec<Way>> {
        let began = instant();
        let members: Vec<usize> = members.collect();
        let sent = futures::future::try_join_all(members.iter().map(|n| self.sent(*n)));
        let (sent, everywhere) = futures::future::join(sent, self.arrived(&members, began)).await;
        let ways = sent?.into_iter().zip(everywhere?);
        Ok(ways.map(|((_, answered), everywhere)| Way { answered, everywhere }).collect())
    }

    /// Has the member unsubscribe at the provider, and tells it as the provider would.
    async fn sent(&self, n: usize) -> anyhow::Result<(Instant, Duration)> {
        self.world.simulator.contact(&self.world.lists[0], &address(n)).unsubscribe()?;
        let delivery = Delivery::new(self.endpoint, n, 0)?;
        let began = instant();
        let answer = self
            .client
            .post(format!("http://127.0.0.1:{}{}", self.world.port, delivery.path))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("X-Mailchimp-Signature", delivery.signature)
            .body(delivery.body)
            .send()
            .await?;
        ensure!(answer.status() == 200, "a delivery was refused: {}", answer.status());
        Ok((began, began.elapsed()))
    }

    /// Waits until all are off every list and in the clinic's record; tells when each was.
    async fn arrived(&self, members: &[usize], began: Instant) -> anyhow::Result<Vec<Duration>> {
        let mut off: Vec<Option<Duration>> = vec![None; members.len()];
        let mut recorded = off.clone();
        while began.elapsed() < PATIENCE {
            for (n, off) in members.iter().zip(&mut off) {
                *off = off.or_else(|| self.is_off(*n).then(|| began.elapsed()));
            }
            let told = self.world.clinic.feedback().await?;
            let now = began.elapsed();
            for told in told.iter().filter(|told| told.kind == "withdrawn") {
                let place = members.iter().position(|n| n.to_string() == told.patient_id);
                if let Some(recorded) = place.and_then(|place| recorded.get_mut(place)) {
                    recorded.get_or_insert(now);
                }
            }
            let whole: Option<Vec<Duration>> =
                off.iter().zip(&recorded).map(|(off, told)| Some((*off)?.max((*told)?))).collect();
            if let Some(whole) = whole {
                return Ok(whole);
            }
            SystemClock.sleep(Duration::from_millis(2)).await;
        }
        bail!("an opt-out did not arrive within {PATIENCE:?}");
    }

    fn is_off(&self, n: usize) -> bool {
        self.world.lists.iter().all(|list| {
            let member = self.world.simulator.member(list, &address(n));
            member.is_some_and(|member| member.status == Status::Unsubscribed)
        })
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    rustls::crypto::ring::default_provider().install_default().ok();
    Ok(reqwest::Client::builder().timeout(PATIENCE).build()?)
}

fn show(engine: Engine, what: &str, ways: &[Way]) {
    let millis = |part: fn(&Way) -> Duration, share| {
        let mut values: Vec<_> = ways.iter().map(part).collect();
        percentile(&mut values, share).as_secs_f64() * 1_000.0
    };
    let (answered, everywhere) = (|way: &Way| way.answered, |way: &Way| way.everywhere);
    println!(
        "| {engine:?} | {} {what} | {:.1} ms | {:.1} ms | {:.0} ms | {:.0} ms |",
        ways.len(),
        millis(answered, 0.5),
        millis(answered, 0.99),
        millis(everywhere, 0.5),
        millis(everywhere, 0.99),
    );
}
