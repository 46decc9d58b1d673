//! Bird in the world.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Deed, HELP, Setup, Stage, Standing, sender, simulated};
use crate::clock::SharedClock;
use crate::domain::Channel;
use crate::rehearsal::faults::Kind;
use crate::simulator::bird::{Fault, Rule, Simulator};

/// Bird.
pub struct Bird {
    simulator: Simulator,
    /// Workspaces and their senders by audience.
    audiences: Mutex<BTreeMap<String, (usize, String)>>,
}

impl Bird {
    /// Starts without workspaces.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { simulator: Simulator::new(clock), audiences: Mutex::default() }
    }
}

#[async_trait]
impl Stage for Bird {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn host(&self) -> &'static str {
        "bird.test"
    }

    fn opens(&self, place: usize, _more: Option<&Setup>) -> Setup {
        let key = format!("bk_eu1_{place:016x}");
        let workspace = self.simulator.open_workspace(&key, &sender(place));
        let audience = self.simulator.open_audience(workspace, "News").unwrap_or_default();
        let mut audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        audiences.insert(audience.clone(), (workspace, sender(place)));
        Setup {
            provider: "bird",
            settings: format!("sender = \"{}\"\nbase_url = \"http://bird.test\"", sender(place)),
            audience,
            secrets: vec![("sms".to_owned(), key)],
        }
    }

    fn strikes(&self, kind: Kind) -> bool {
        let fault = match kind {
            Kind::Throttled => Fault::TooManyRequests { retry_after: Some(2) },
            Kind::ServerError => Fault::InternalError,
            Kind::BadGateway => Fault::BadGateway,
            Kind::Reset => Fault::Reset,
            Kind::LostReply => Fault::LostReply,
            Kind::ShortPage => Fault::ShortPage { drop: 1 },
            _ => return false,
        };
        self.simulator.script(Rule::next(fault));
        true
    }

    fn does(&self, audience: &str, address: &str, deed: Deed) -> bool {
        let audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((place, ours)) = audiences.get(audience) else { return false };
        let says = |words: &str| self.simulator.text(*place, address, ours, words).is_ok();
        let there = self.simulator.has(audience, address);
        match deed {
            Deed::Agrees => says("YES"),
            Deed::Refuses => says("STOP"),
            Deed::RefusesInOwnWords => says("please stop texting me"),
            Deed::Starts => says("START"),
            Deed::SignsUp => says("HELP"),
            Deed::IsAdded => !there && self.simulator.add_members(audience, [address]).is_ok(),
            Deed::IsErased if there => {
                self.simulator.delete_contact(address);
                true
            }
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
        members.map(|number| (number, Standing::Subscribed)).collect()
    }

    fn asked(&self) -> Vec<(Option<String>, String)> {
        let texts = self.simulator.outbox().into_iter();
        // One that is rejected goes nowhere.
        let asking = texts.filter(|text| text.body != HELP && text.status != "rejected");
        asking.map(|text| (Some(text.from), text.to)).collect()
    }

    fn writes(&self) -> usize {
        self.simulator.writes().len()
    }

    simulated!();
}
