//! Mailchimp in the world.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Deed, Setup, Stage, Standing, simulated};
use crate::clock::SharedClock;
use crate::domain::Channel;
use crate::rehearsal::faults::Kind;
use crate::simulator::mailchimp::{Fault, ImportRow, Rule, SeedMember, Simulator, Source, Status};

/// Mailchimp.
pub struct Mailchimp {
    simulator: Simulator,
}

impl Mailchimp {
    /// Starts without accounts.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        let simulator = Simulator::new(clock);
        simulator.configure(|settings| settings.stall_ms = 60_000);
        Self { simulator }
    }
}

#[async_trait]
impl Stage for Mailchimp {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn host(&self) -> &'static str {
        "mailchimp.test"
    }

    fn opens(&self, place: usize, more: Option<&Setup>) -> Setup {
        let key = format!("{place:032x}-us6");
        let account = match more {
            Some(_) => place,
            None => self.simulator.open_account(&format!("Clinic {place}"), &key),
        };
        let audience = self.simulator.open_audience(account, "News").unwrap_or_default();
        self.simulator.set_double_optin(&audience, true).unwrap_or_default();
        Setup {
            provider: "mailchimp",
            settings: "base_url = \"http://mailchimp.test/3.0\"".to_owned(),
            audience,
            secrets: vec![("key".to_owned(), key)],
        }
    }

    fn strikes(&self, kind: Kind) -> bool {
        let fault = match kind {
            Kind::Throttled => Fault::TooManyRequests { retry_after: Some(2) },
            Kind::Forbidden => Fault::Forbidden,
            Kind::ServerError => Fault::InternalError,
            Kind::BadGateway => Fault::BadGateway,
            Kind::Reset => Fault::Reset,
            Kind::LostReply => Fault::LostReply,
            Kind::PageDrift => Fault::PageDrift,
            Kind::ShortPage => Fault::ShortPage { drop: 1 },
            Kind::ShrunkPage => Fault::ShrunkPage { drop: 3 },
            Kind::ForeignAccount => Fault::WrongAccount,
            Kind::JobLost => Fault::Named { error: "ResourceNotFound".to_owned() },
            _ => return false,
        };
        self.simulator.script(Rule::next(fault));
        true
    }

    fn does(&self, audience: &str, address: &str, deed: Deed) -> bool {
        let contact = self.simulator.contact(audience, address);
        let staff = self.simulator.staff(audience);
        let there = self.simulator.member(audience, address).map(|member| member.status);
        let listed = matches!(there, Some(Status::Subscribed | Status::Pending));
        match deed {
            Deed::Agrees => there == Some(Status::Pending) && contact.confirm().is_ok(),
            Deed::Refuses => listed && contact.unsubscribe().is_ok(),
            Deed::Complains => listed && contact.complain().is_ok(),
            Deed::Bounces => listed && contact.hard_bounce().is_ok(),
            Deed::SignsUp => there != Some(Status::Subscribed) && contact.sign_up().is_ok(),
            Deed::IsAdded => {
                let row = ImportRow { email: address.to_owned(), ..ImportRow::default() };
                staff.import(&[row]).is_ok_and(|done| done.imported == 1)
            }
            Deed::IsRemoved => {
                there.is_some_and(|status| status != Status::Archived)
                    && staff.archive(address).is_ok()
            }
            Deed::IsErased => there.is_some() && staff.delete_permanently(address).is_ok(),
            Deed::IsOptedOut => {
                there == Some(Status::Subscribed) && staff.unsubscribe(address).is_ok()
            }
            Deed::IsRefused => self.simulator.overexpose(audience, address).is_ok(),
            Deed::RefusesInOwnWords | Deed::Starts => false,
        }
    }

    fn moves(&self, audience: &str, from: &str, to: &str) -> bool {
        let there = self.simulator.member(audience, from).map(|member| member.status);
        there == Some(Status::Subscribed)
            && self.simulator.contact(audience, from).change_address(to).is_ok()
    }

    fn was_there(&self, audience: &str, address: &str, standing: Standing, at: DateTime<Utc>) {
        let status = match standing {
            Standing::Subscribed => Status::Subscribed,
            Standing::Pending => Status::Pending,
            Standing::Unsubscribed => Status::Unsubscribed,
            Standing::Cleaned => Status::Cleaned,
            Standing::Archived => Status::Archived,
        };
        let member = SeedMember {
            source: Source::Import,
            timestamp_opt: Some(at),
            last_changed: Some(at),
            ..SeedMember::new(address, status)
        };
        self.simulator.seed_member(audience, member).unwrap_or_default();
    }

    fn holds(&self, audience: &str) -> BTreeMap<String, Standing> {
        let members = self.simulator.dump(audience).unwrap_or_default().into_iter();
        let standing = |status| match status {
            Status::Subscribed => Some(Standing::Subscribed),
            Status::Pending => Some(Standing::Pending),
            Status::Unsubscribed => Some(Standing::Unsubscribed),
            Status::Cleaned => Some(Standing::Cleaned),
            Status::Archived => Some(Standing::Archived),
            Status::Transactional => None,
        };
        members.filter_map(|member| Some((member.email, standing(member.status)?))).collect()
    }

    fn asked(&self) -> Vec<(Option<String>, String)> {
        let mails = self.simulator.outbox().into_iter();
        mails.map(|mail| (Some(mail.list_id), mail.email)).collect()
    }

    fn jobs_take(&self, millis: u64) {
        self.simulator.configure(|settings| settings.batch_ms = millis);
    }

    fn writes(&self) -> usize {
        self.simulator.writes().len()
    }

    simulated!();
}
