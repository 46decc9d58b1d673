//! Admins are told what needs them, once each, by e-mail and by a signed webhook, without addresses.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use chrono::TimeDelta;
use http::{HeaderMap, Method, StatusCode};
use listwarden::clock::{Clock, ManualClock};
use listwarden::commands::Deployment;
use listwarden::domain::PatientStatus;
use listwarden::providers::signatures::{Delivery, Signature, StandardWebhooks};
use listwarden::simulator::mailchimp::{SeedMember, Status};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::on_both_engines;
use crate::world::{Engine, World, address};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What arrived at a mail server and at a webhook, which both refuse while they are told to.
#[derive(Clone, Default)]
struct Office {
    mails: Arc<Mutex<Vec<String>>>,
    hooks: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    refuses: Arc<AtomicBool>,
    /// By which code mails are refused for good; by none where it is nought.
    never: Arc<AtomicUsize>,
    /// Mails that were to be taken, refused ones too.
    asked: Arc<AtomicUsize>,
    /// By whose clock each mail takes a minute and a half, and who tells too while the second is taken.
    slow: Arc<Mutex<Option<Slow>>>,
}

/// The clock that goes on, and the other process.
type Slow = (Arc<ManualClock>, Deployment);

impl Office {
    async fn opens(&self) -> (SocketAddr, SocketAddr) {
        let smtp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at_smtp, at_http) = (smtp.local_addr().unwrap(), http.local_addr().unwrap());
        let office = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = smtp.accept().await {
                tokio::spawn(office.clone().takes_mail(stream));
            }
        });
        let router = Router::new().route("/hook", post(takes_hook)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(http, router).await });
        (at_smtp, at_http)
    }

    /// As much of SMTP as a client needs.
    async fn takes_mail(self, stream: TcpStream) {
        let (reading, mut writing) = stream.into_split();
        let mut lines = BufReader::new(reading).lines();
        writing.write_all(b"220 office.test\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            let word = line.get(..4).unwrap_or_default().to_uppercase();
            if word == "MAIL" {
                let before = self.asked.fetch_add(1, Ordering::Relaxed);
                let other = self.slow.lock().unwrap().as_ref().map(|(clock, _)| {
                    clock.set(clock.now() + TimeDelta::seconds(90));
                });
                if before == 1 && other.is_some() {
                    let (_, other) = self.slow.lock().unwrap().take().unwrap();
                    other.notify().await;
                }
            }
            let never = self.never.load(Ordering::Relaxed);
            let refused = format!("{never} never\r\n");
            let answer: &[u8] = match word.as_str() {
                "MAIL" if never > 0 => refused.as_bytes(),
                "MAIL" if self.refuses.load(Ordering::Relaxed) => b"451 later\r\n",
                "DATA" => {
                    writing.write_all(b"354 go on\r\n").await.unwrap();
                    let mut mail = String::new();
                    while let Ok(Some(line)) = lines.next_line().await {
                        if line == "." {
                            break;
                        }
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    b"250 taken\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            if writing.write_all(answer).await.is_err() {
                return;
            }
        }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        let hooks = self.hooks.lock().unwrap();
        let kinds = hooks.iter().map(|(_, body)| {
            let said: serde_json::Value = serde_json::from_slice(body).unwrap();
            said["type"].as_str().unwrap().to_owned()
        });
        kinds.collect()
    }
}

async fn takes_hook(State(office): State<Office>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if office.refuses.load(Ordering::Relaxed) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    office.hooks.lock().unwrap().push((headers, body));
    StatusCode::NO_CONTENT
}

impl World {
    /// The program tells an office.
    async fn has_an_office(&mut self) -> Office {
        let office = Office::default();
        let (smtp, http) = office.opens().await;
        let path = self.folder.path().join("listwarden.toml");
        let text = fs::read_to_string(&path).unwrap();
        let notify = format!(
            "[notify.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
             from = \"Listwarden <lw@clinic.test>\"\nto = [\"it@clinic.test\"]\n\
             [notify.webhook]\nurl = \"http://{http}/hook\"\n",
            smtp.port()
        );
        fs::write(&path, text + &notify).unwrap();
        fs::write(self.folder.path().join("secrets/notify_secret"), SECRET).unwrap();
        self.deployment = self.another_process().await;
        office
    }

    async fn tells(&self) {
        self.deployment.notify().await;
    }
}

on_both_engines! {
    async fn a_first_plan_and_strangers_are_told_once_and_signed(mut world: World) {
        let office = world.has_an_office().await;
        world.consenting("ann").await;
        let stranger = SeedMember::new(address("stranger"), Status::Subscribed);
        world.simulator.seed_member(&world.audience, stranger).unwrap();
        let first = world.try_run(true).await;
        world.tells().await;
        world.tells().await;
        let mut kinds = office.kinds();
        kinds.sort();
        assert_eq!(kinds, ["listwarden.first_plan", "listwarden.strangers"]);
        let mails = office.mails();
        assert_eq!(mails.len(), 2, "{mails:#?}");
        assert!(mails.iter().all(|mail| mail.contains("To: it@clinic.test")), "{mails:#?}");
        assert!(mails.concat().contains("list newsletter"), "{mails:#?}");
        let hooks = office.hooks.lock().unwrap().clone();
        for (headers, body) in &hooks {
            let delivery = Delivery { method: &Method::POST, url: "", headers, body };
            let verified = StandardWebhooks::default().verify(&delivery, &[SECRET.into()], world.now());
            assert!(verified.unwrap().unique.unwrap().starts_with("msg_"));
        }
        let bodies: Vec<u8> = hooks.iter().flat_map(|(_, body)| body.to_vec()).collect();
        let told = mails.concat() + &String::from_utf8(bodies).unwrap();
        for name in ["post.test", "stranger@", "ann@", "Given"] {
            assert!(!told.contains(name), "{name} is told");
        }
        world.approves(first.lists[0].run.unwrap()).await;
        world.try_run(true).await;
        world.tells().await;
        assert_eq!((office.kinds().len(), office.mails().len()), (2, 2), "nothing new");
        world.end().await;
    }
}

on_both_engines! {
    async fn what_could_not_be_told_is_told_later_and_a_new_brake_again(mut world: World) {
        let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.listed(&names).await;
        let office = world.has_an_office().await;
        for name in &names {
            world.clinic.set_status(name, PatientStatus::Archived, world.now()).await.unwrap();
        }
        let braked = world.try_run(false).await;
        office.refuses.store(true, Ordering::Relaxed);
        world.tells().await;
        assert!(office.kinds().is_empty() && office.mails().is_empty());
        office.refuses.store(false, Ordering::Relaxed);
        world.pass(TimeDelta::minutes(5));
        world.tells().await;
        world.pass(TimeDelta::minutes(5));
        world.try_run(false).await;
        world.tells().await;
        assert_eq!(office.kinds(), ["listwarden.brake"], "once, however many runs find it");
        assert_eq!(office.mails().len(), 1);
        assert!(braked.lists[0].run.is_some());
        world.end().await;
    }
}

on_both_engines! {
    async fn a_brake_is_not_told_again_while_a_run_plans_anew(mut world: World) {
        let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.listed(&names).await;
        let office = world.has_an_office().await;
        for name in &names {
            world.clinic.set_status(name, PatientStatus::Archived, world.now()).await.unwrap();
        }
        world.try_run(false).await;
        world.tells().await;
        assert_eq!(office.kinds(), ["listwarden.brake"]);
        // As it is in the midst of the next run: what was held is no more, what will be is not yet.
        let [begun, superseded] = [
            "UPDATE runs SET ended_at = NULL WHERE id = (SELECT id FROM runs WHERE list_id IS NOT NULL
                ORDER BY id DESC LIMIT 1) RETURNING 'run'",
            "UPDATE operations SET state = 'superseded' WHERE state = 'braked' RETURNING state",
        ];
        assert_eq!(world.store_says(begun).await.len(), 1);
        assert_eq!(world.store_says(superseded).await.len(), 12);
        let held = "UPDATE leases SET expires_at = 9999999999999 WHERE name LIKE 'account:%' RETURNING name";
        assert!(!world.store_says(held).await.is_empty());
        world.tells().await;
        let given_back = "UPDATE leases SET expires_at = 0 WHERE name LIKE 'account:%' RETURNING name";
        assert!(!world.store_says(given_back).await.is_empty());
        world.pass(TimeDelta::minutes(5));
        world.try_run(false).await;
        world.tells().await;
        assert_eq!(office.kinds(), ["listwarden.brake"], "it was told twice");
        assert_eq!(office.mails().len(), 1);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_run_that_was_killed_keeps_no_alert_from_being_told(mut world: World) {
        let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.listed(&names).await;
        let office = world.has_an_office().await;
        for name in &names {
            world.clinic.set_status(name, PatientStatus::Archived, world.now()).await.unwrap();
        }
        world.try_run(false).await;
        let killed = "UPDATE runs SET ended_at = NULL WHERE id = (SELECT id FROM runs
            WHERE list_id IS NOT NULL ORDER BY id DESC LIMIT 1) RETURNING 'run'";
        assert_eq!(world.store_says(killed).await.len(), 1);
        world.tells().await;
        assert_eq!(office.kinds(), ["listwarden.brake"]);
        world.end().await;
    }
}

on_both_engines! {
    async fn what_a_server_refuses_for_good_rests_for_an_hour_and_so_does_who_refuses_our_password(mut world: World) {
        let office = world.has_an_office().await;
        world.consenting("ann").await;
        let stranger = SeedMember::new(address("stranger"), Status::Subscribed);
        world.simulator.seed_member(&world.audience, stranger).unwrap();
        world.try_run(true).await;
        // Two alerts: each message is refused by itself, or whoever sends.
        for (code, asked) in [(550, 2), (535, 3)] {
            office.never.store(code, Ordering::Relaxed);
            for _ in 0..5 {
                world.deployment = world.another_process().await;
                world.tells().await;
                world.pass(TimeDelta::minutes(5));
            }
            assert_eq!(office.asked.load(Ordering::Relaxed), asked, "{code}");
            world.pass(TimeDelta::hours(1));
        }
        assert_eq!(office.kinds().len(), 2, "the webhook is told all the same");
        office.never.store(0, Ordering::Relaxed);
        world.tells().await;
        assert_eq!(office.mails().len(), 2);
        world.end().await;
    }
}

on_both_engines! {
    async fn nobody_else_tells_what_a_slow_server_is_being_told(mut world: World) {
        let office = world.has_an_office().await;
        world.consenting("ann").await;
        let stranger = SeedMember::new(address("stranger"), Status::Subscribed);
        world.simulator.seed_member(&world.audience, stranger).unwrap();
        world.try_run(true).await;
        // Both together take longer than the telling may without being renewed.
        let other = world.another_process().await;
        *office.slow.lock().unwrap() = Some((world.clock.clone(), other));
        world.tells().await;
        assert_eq!(office.mails().len(), 2);
        let told = "SELECT kind FROM alerts WHERE mailed_at IS NOT NULL AND hooked_at IS NOT NULL";
        assert_eq!(world.store_says(told).await.len(), 2);
        world.end().await;
    }
}
