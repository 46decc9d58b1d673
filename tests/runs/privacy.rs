//! What the program prints, logs and keeps of a run names nobody.

use std::fs;
use std::process::{Command, Output};

use listwarden::clock::{Clock, SystemClock};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{API_KEY, Engine, World};

const NAMES: [&str; 6] = ["annika", "bertram", "cecily", "dorothea", "ezekiel", "florence"];

impl World {
    /// Runs the program with every log on.
    fn program(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_listwarden"))
            .current_dir(self.folder.path())
            .env_clear()
            .env("USER", "test")
            .args(["--log", "trace"])
            .args(args)
            .output()
            .unwrap()
    }

    /// Runs the program, which must end so and name nobody. Returns what it printed.
    fn says(&self, args: &[&str], ends: i32) -> String {
        self.clock.set(SystemClock.now());
        let output = self.program(args);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let logged = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(ends), "{args:?}: {printed}");
        assert_names_nobody(&format!("{args:?}"), &printed);
        assert_names_nobody(&format!("{args:?}, log"), &logged);
        printed
    }

    fn with_key(&self, key: &str) {
        fs::write(self.folder.path().join("secrets/riverside/mailchimp"), key).unwrap();
    }

    /// Everything that the journal, the runs and what is parked say, as one text.
    async fn journal(&self) -> String {
        let mut text = String::new();
        for sql in [
            "SELECT woken_by || ' ' || COALESCE(outcome, '') || ' ' || COALESCE(summary, '') FROM runs",
            "SELECT verb || reason || state || COALESCE(payload, '') || COALESCE(invitation, '')
                || COALESCE(job, '') FROM operations",
            "SELECT verb || reason FROM parked",
            "SELECT decided_by || COALESCE(reason, '') FROM approvals",
            "SELECT COALESCE(invitation_key, '') || COALESCE(member_key, '') || COALESCE(reason, '')
                FROM links",
        ] {
            text += &self.store_says(sql).await.join("\n");
        }
        text
    }
}

fn assert_names_nobody(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for secret in NAMES.iter().copied().chain(["post.test", API_KEY, &API_KEY[..32]]) {
        let place = lower.find(secret);
        let around = place.map(|at| &lower[at.saturating_sub(200)..(at + 80).min(lower.len())]);
        assert_eq!(around, None, "{what} tells {secret}");
    }
}

fn plan_to_approve(printed: &str) -> String {
    let words = printed.split_whitespace();
    let mut after = words.skip_while(|word| *word != "approve").skip(1);
    after.next().unwrap().trim_end_matches(',').to_owned()
}

on_both_engines! {
    async fn nothing_that_is_printed_logged_or_journalled_names_anybody(world: World) {
        world.clock.set(SystemClock.now());
        for name in NAMES {
            world.consenting(name).await;
        }
        world.has("cecily", Status::Subscribed);
        world.has("dorothea", Status::Unsubscribed);
        world.says(&["doctor"], 0);
        world.says(&["plan"], 3);
        world.says(&["plan", "--json"], 3);
        let waiting = world.says(&["reconcile"], 3);
        world.says(&["approve", &plan_to_approve(&waiting)], 0);
        world.says(&["reconcile", "--full"], 0);
        for name in ["annika", "bertram", "cecily"] {
            world.confirms(name);
        }
        world.simulator.overexpose(&world.audience, "florence@post.test").unwrap();
        world.clinic.archive("annika", SystemClock.now()).await.unwrap();
        world.clinic.delete("bertram", SystemClock.now()).await.unwrap();
        world.moves("ezekiel", "florence.two").await;
        world.says(&["reconcile", "--full", "--json"], 0);
        world.says(&["report"], 0);
        world.says(&["report", "--json"], 0);
        world.says(&["explain", "cecily"], 0).contains("because");
        world.says(&["--json", "reconcile"], 0);
        world.says(&["ledger", "verify"], 0);
        world.with_key("ffffffffffffffffffffffffffffffff-us6");
        world.says(&["reconcile", "--full"], 1);
        world.says(&["doctor"], 1);
        world.with_key(API_KEY);
        assert_names_nobody("the journal", &world.journal().await);
        world.end().await;
    }
}
