//! Deliveries a second, ours and Express's: the same work, the same bodies, in turn.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use listwarden::clock::{Clock, SystemClock};
use listwarden::store::Endpoint;
use secrecy::ExposeSecret;

use crate::world::{Delivery, Serving, World, address, count, execute, free_port, fresh};
use crate::{Engine, Options, instant, percentile};

pub const HEAD: &str = "\
| engine | receiver | deliveries/s | p50 | p99 | peak | of Express |
| --- | --- | ---: | ---: | ---: | ---: | ---: |";

/// More deliveries a second than any receiver will take, so that none is sent twice.
const MOST: u64 = 20_000;

/// Keeps how everybody stands, …
const REMEMBER: &str = "\
    CREATE TABLE bench_contacts AS SELECT id, standing FROM contacts; \
    CREATE INDEX bench_contacts_id ON bench_contacts (id); \
    CREATE TABLE bench_patients AS SELECT * FROM patient_standings;";
/// … so that each round is of first opt-outs.
const FORGET: &str = "\
    UPDATE contacts SET standing = (SELECT b.standing FROM bench_contacts b WHERE b.id = contacts.id); \
    DELETE FROM patient_standings; INSERT INTO patient_standings SELECT * FROM bench_patients; \
    UPDATE links SET urgent = FALSE, stale = FALSE; DELETE FROM feedback;";

/// What takes deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    /// `serve`, attending to what it was told at the same time.
    Serve,
    /// `serve`, while another process holds the account: nobody attends.
    ServeAlone,
    Express,
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    per_second: f64,
    p50: f64,
    p99: f64,
    peak: f64,
}

pub async fn compare(options: &Options, engine: Engine) -> anyhow::Result<()> {
    let world = World::new(engine, options.members, 1).await?;
    let serving = world.serve(&options.binary).await?;
    let endpoint = world.register().await?;
    serving.stop()?;
    world.simulator.configure(|settings| settings.latency_ms = options.latency_ms);
    let each = usize::try_from(MOST * options.seconds)?;
    let file = world.folder.path().join("deliveries");
    write_deliveries(&file, &endpoint, 2 * each * (options.rounds + 1), options.members)?;
    let mut databases = Vec::new();
    let theirs = match engine {
        Engine::Postgres => fresh(&mut databases).await?,
        Engine::Sqlite => format!("sqlite://{}/express.db", world.folder.path().display()),
    };
    let bench = Bench { options, world: &world, endpoint: &endpoint, theirs: &theirs, file: &file };
    let receivers = [Receiver::Express, Receiver::Serve, Receiver::ServeAlone];
    let mut figures = receivers.map(|receiver| (receiver, Vec::new()));
    execute(&world.store, REMEMBER).await?;
    bench.upkeep().await?;
    // The first round is not counted: it finds empty tables, which no receiver has for long.
    for round in 0..=options.rounds {
        for (receiver, figures) in &mut figures {
            let part = 2 * round + usize::from(*receiver == Receiver::ServeAlone);
            let found = bench.round(*receiver, part * each, each).await?;
            if round > 0 {
                figures.push(found);
            }
        }
    }
    let shown = figures.map(|(receiver, figures)| (receiver, medians(&figures)));
    let express = shown[0].1.per_second;
    for (receiver, figures) in shown {
        let ratio = figures.per_second / express;
        println!(
            "| {engine:?} | {} | {:.0} | {:.1} ms | {:.1} ms | {:.1} MiB | {ratio:.2} |",
            receiver.name(engine),
            figures.per_second,
            figures.p50,
            figures.p99,
            figures.peak,
        );
    }
    world.end().await
}

fn medians(figures: &[Figures]) -> Figures {
    let of = |part: fn(&Figures) -> f64| {
        percentile(&mut figures.iter().map(part).collect::<Vec<_>>(), 0.5)
    };
    Figures {
        per_second: of(|f| f.per_second),
        p50: of(|f| f.p50),
        p99: of(|f| f.p99),
        peak: figures.iter().map(|f| f.peak).fold(0.0, f64::max),
    }
}

impl Receiver {
    const fn name(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::Serve, _) => "`serve`, attending",
            (Self::ServeAlone, _) => "`serve`, receiving alone",
            (Self::Express, Engine::Postgres) => "Express, pg",
            (Self::Express, Engine::Sqlite) => "Express, better-sqlite3",
        }
    }
}

struct Bench<'a> {
    options: &'a Options,
    world: &'a World,
    endpoint: &'a Endpoint,
    theirs: &'a str,
    file: &'a Path,
}

impl Bench<'_> {
    /// Starts a receiver, sends what it can take, and counts what its store has of that.
    async fn round(
        &self,
        receiver: Receiver,
        first: usize,
        most: usize,
    ) -> anyhow::Result<Figures> {
        let (serving, port) = self.start(receiver).await?;
        let held = match receiver {
            Receiver::ServeAlone => self.hold().await?,
            Receiver::Serve | Receiver::Express => Vec::new(),
        };
        let before = self.kept(receiver).await?;
        let (sent, figures) = self.send(port, first, most)?;
        let kept = self.kept(receiver).await?;
        let [events, opt_outs] = [kept[0] - before[0], kept[1] - before[1]];
        ensure!(events >= sent, "{receiver:?} answered {sent} deliveries and kept {events}");
        // Who is off already is so but once in our ledger.
        let first = sent.min(u64::try_from(self.options.members)?);
        ensure!(opt_outs >= first, "{receiver:?} answered {first} opt-outs and kept {opt_outs}");
        let figures = Figures { peak: serving.peak()?, ..figures };
        if receiver == Receiver::Serve && self.options.drain {
            self.drain(first).await?;
        }
        serving.stop()?;
        for lease in held {
            self.world.deployment.store.lease_release(&lease).await?;
        }
        if receiver != Receiver::Express {
            execute(&self.world.store, FORGET).await?;
            self.upkeep().await?;
        }
        // What one has still in hand is not the next one's to wait for.
        SystemClock.sleep(Duration::from_secs(1)).await;
        Ok(figures)
    }

    /// Waits until nobody waits any more, and tells how long that took.
    async fn drain(&self, opt_outs: u64) -> anyhow::Result<()> {
        let began = instant();
        for tables in ["deliveries WHERE attended_at IS NULL", "links WHERE urgent"] {
            while count(&self.world.store, tables).await? > 0 {
                SystemClock.sleep(Duration::from_millis(100)).await;
            }
        }
        eprintln!("{opt_outs} members were off {:.1} s later", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// What autovacuum does within a minute of so much having changed.
    async fn upkeep(&self) -> anyhow::Result<()> {
        if self.world.store.starts_with("postgres") {
            execute(&self.world.store, "VACUUM ANALYZE").await?;
        }
        Ok(())
    }

    async fn start(&self, receiver: Receiver) -> anyhow::Result<(Serving, u16)> {
        if receiver != Receiver::Express {
            return Ok((self.world.serve(&self.options.binary).await?, self.world.port));
        }
        let secret = self.endpoint.secret.as_ref().context("no secret")?.expose_secret();
        let port = free_port()?;
        let mut command = Command::new("node");
        command
            .arg(self.options.peers.join("express.js"))
            .env("NODE_ENV", "production")
            .env("SECRET", secret)
            .env("PORT", port.to_string())
            .env("DATABASE", self.theirs.trim_start_matches("sqlite://"));
        let serving = Serving::start(command, port).await?;
        if count(self.theirs, "links").await? == 0 {
            self.fill_theirs().await?;
        }
        Ok((serving, port))
    }

    /// Gives Express the links that ours has.
    async fn fill_theirs(&self) -> anyhow::Result<()> {
        let mut sql = "INSERT INTO links (list_id, email) VALUES ".to_owned();
        for n in 0..self.options.members {
            let comma = if n == 0 { "" } else { "," };
            write!(sql, "{comma}('{}', '{}')", self.world.lists[0], address(n))?;
        }
        execute(self.theirs, &sql).await
    }

    /// Takes the account and the clinic's record, as a run in another process would.
    async fn hold(&self) -> anyhow::Result<Vec<listwarden::store::Lease>> {
        let roster = self.world.deployment.roster().await;
        let account = &roster.accounts.first().context("no account")?.account;
        let clinic = roster.practices.first().context("no practice")?.id;
        let mut held = Vec::new();
        for name in [format!("account:{account}"), format!("source:{clinic}")] {
            let (store, ttl) = (&self.world.deployment.store, Duration::from_mins(10));
            let lease = loop {
                match store.lease_acquire(&name, SystemClock.id(), ttl).await? {
                    Some(lease) => break lease,
                    None => SystemClock.sleep(Duration::from_millis(20)).await,
                }
            };
            held.push(lease);
        }
        Ok(held)
    }

    /// Events and opt-outs that the receiver's store has.
    async fn kept(&self, receiver: Receiver) -> anyhow::Result<[u64; 2]> {
        let (database, tables) = match receiver {
            Receiver::Express => (self.theirs, ["events", "opt_outs"]),
            Receiver::Serve | Receiver::ServeAlone => {
                (self.world.store.as_str(), ["deliveries", "ledger WHERE kind = 'withdrawn'"])
            }
        };
        Ok([count(database, tables[0]).await?, count(database, tables[1]).await?])
    }

    fn send(&self, port: u16, first: usize, most: usize) -> anyhow::Result<(u64, Figures)> {
        let url = format!("http://127.0.0.1:{port}");
        let seconds = format!("-d{}s", self.options.seconds);
        let script = self.options.peers.join("deliveries.lua");
        let output = Command::new("wrk")
            .args(["-t1", "-c32", &seconds, "--timeout", "30s", "--latency", "-s"])
            .arg(script)
            .args([&url, "--"])
            .arg(self.file)
            .args([first.to_string(), most.to_string()])
            .output()
            .context("wrk is not there: run benches/peers/receiver.sh")?;
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().find_map(|line| line.strip_prefix("FIGURES "));
        let numbers = line.with_context(|| format!("wrk said {text}"))?.split(' ');
        let numbers: Vec<u32> = numbers.map(str::parse).collect::<Result<_, _>>()?;
        let [requests, micros, p50, p99, refused, broken] = numbers[..] else {
            anyhow::bail!("wrk said {text}");
        };
        ensure!((refused, broken) == (0, 0), "{refused} were refused, {broken} broke off");
        let (requests, micros) = (f64::from(requests), f64::from(micros));
        let [p50, p99] = [p50, p99].map(|micros| f64::from(micros) / 1_000.0);
        let per_second = requests / (micros / 1_000_000.0);
        Ok((u64::from(numbers[0]), Figures { per_second, p50, p99, peak: 0.0 }))
    }
}

/// Writes deliveries of which no two are alike, and each is later than the one before it about the
/// same member.
fn write_deliveries(
    file: &Path,
    endpoint: &Endpoint,
    number: usize,
    members: usize,
) -> anyhow::Result<()> {
    let mut file = BufWriter::new(fs::File::create(file)?);
    for n in 0..number {
        let delivery = Delivery::new(endpoint, n % members, 3_600 - i64::try_from(n / members)?)?;
        writeln!(file, "{}\t{}\t{}", delivery.path, delivery.signature, delivery.body)?;
    }
    Ok(file.flush()?)
}
