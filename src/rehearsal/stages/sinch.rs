//! Sinch in the world.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Deed, HELP, Setup, Stage, Standing, sender, simulated};
use crate::clock::SharedClock;
use crate::domain::Channel;
use crate::rehearsal::faults::Kind;
use crate::simulator::sinch::{Callback, Credentials, Fault, Rule, Signing, Simulator};

/// Sinch.
pub struct Sinch {
    simulator: Simulator,
    /// Accounts by place, and their senders by group.
    accounts: Mutex<BTreeMap<usize, usize>>,
    groups: Mutex<BTreeMap<String, (usize, String)>>,
}

impl Sinch {
    /// Starts without accounts.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        let simulator = Simulator::new(clock);
        simulator.configure(|settings| settings.stall_ms = 60_000);
        Self { simulator, accounts: Mutex::default(), groups: Mutex::default() }
    }
}

fn secret(place: usize) -> String {
    format!("signs-the-callbacks-{place}")
}

#[async_trait]
impl Stage for Sinch {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn host(&self) -> &'static str {
        "sinch.test"
    }

    fn opens(&self, place: usize, _more: Option<&Setup>) -> Setup {
        let account = self.simulator.open_account(Credentials {
            project_id: format!("project-{place}"),
            service_plan_id: format!("plan-{place}"),
            api_token: format!("plan-token-{place}"),
            key_id: format!("key-{place}"),
            key_secret: format!("key-secret-{place}"),
        });
        let group = self.simulator.open_group(account, "News").unwrap_or_default();
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(place, account);
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(group.clone(), (account, sender(place)));
        let url = "http://sinch.test";
        let settings = format!(
            "project_id = \"project-{place}\"\nsender = \"{}\"\nbase_url = \"{url}\"\n\
             auth_url = \"{url}\"\nconversation_url = \"{url}\"\nwebhook_secrets = [\"hook\"]",
            sender(place)
        );
        let secrets = vec![
            ("sms".to_owned(), format!("key-{place}:key-secret-{place}")),
            ("hook".to_owned(), secret(place)),
        ];
        Setup { provider: "sinch", settings, audience: group, secrets }
    }

    fn strikes(&self, kind: Kind) -> bool {
        let fault = match kind {
            Kind::Throttled => Fault::TooManyRequests { retry_after: Some(2) },
            Kind::ServerError => Fault::InternalError,
            Kind::BadGateway => Fault::BadGateway,
            Kind::Reset => Fault::Reset,
            Kind::LostReply => Fault::LostReply,
            Kind::ShortPage => Fault::ShortMembers { drop: 1 },
            _ => return false,
        };
        self.simulator.script(Rule::next(fault));
        true
    }

    fn does(&self, audience: &str, address: &str, deed: Deed) -> bool {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((account, ours)) = groups.get(audience) else { return false };
        let says = |words: &str| self.simulator.text(*account, address, ours, words).is_ok();
        let there = self.simulator.has(audience, address);
        match deed {
            Deed::Agrees => says("YES"),
            Deed::Refuses => says("STOP"),
            Deed::RefusesInOwnWords => says("please stop texting me"),
            Deed::Starts => says("START"),
            Deed::SignsUp => says("HELP"),
            Deed::IsAdded => !there && self.simulator.add_members(audience, [address]).is_ok(),
            Deed::IsRemoved => there && self.simulator.remove_members(audience, [address]).is_ok(),
            _ => false,
        }
    }

    fn was_there(&self, audience: &str, address: &str, standing: Standing, _at: DateTime<Utc>) {
        if standing == Standing::Subscribed {
            self.simulator.add_members(audience, [address]).unwrap_or_default();
        }
    }

    fn holds(&self, audience: &str) -> BTreeMap<String, Standing> {
        let members = self.simulator.members(audience).unwrap_or_default().into_iter();
        members.map(|n| (format!("+{}", n.trim_start_matches('+')), Standing::Subscribed)).collect()
    }

    fn asked(&self) -> Vec<(Option<String>, String)> {
        let texts = self.simulator.outbox().into_iter();
        let asking = texts.filter(|text| text.body != HELP);
        asking.map(|text| (Some(text.from), format!("+{}", text.to))).collect()
    }

    fn writes(&self) -> usize {
        // Asking for a token changes nothing.
        self.simulator.writes().iter().filter(|write| write.path.starts_with("/xms")).count()
    }

    async fn is_told_where(&self, place: usize, url: &str) {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = accounts.get(&place) else { return };
        let signing = Signing::Signed { secret: secret(place) };
        let callback = Callback { url: url.to_owned(), signing };
        self.simulator.set_callback(*account, Some(callback)).unwrap_or_default();
    }

    simulated!();
}
