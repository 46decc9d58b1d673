//! Providers as the world sees them: what people and staff do there, and who is on which list.

mod bird;
mod mailchimp;
mod sinch;
mod twilio;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::faults::Kind;
use crate::clock::SharedClock;
use crate::domain::Channel;
use crate::simulator::WebhookSender;

pub use bird::Bird;
pub use mailchimp::Mailchimp;
pub use sinch::Sinch;
pub use twilio::Twilio;

/// How somebody stands on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// Gets what is sent.
    Subscribed,
    /// Was asked.
    Pending,
    /// Said no.
    Unsubscribed,
    /// Bounced.
    Cleaned,
    /// Put away.
    Archived,
}

impl Standing {
    /// Tells whether messages go there, or will after a click.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Subscribed | Self::Pending)
    }
}

/// Something a person or the staff do at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Answers the question: clicks the link, or replies YES.
    Agrees,
    /// Unsubscribes, or replies STOP.
    Refuses,
    /// Refuses in other words.
    RefusesInOwnWords,
    /// Marks a campaign as spam.
    Complains,
    /// Cannot be reached any more.
    Bounces,
    /// Fills in the form.
    SignsUp,
    /// Replies START.
    Starts,
    /// Staff put them on the list.
    IsAdded,
    /// Staff put them away.
    IsRemoved,
    /// Staff erase them.
    IsErased,
    /// Staff opt them out.
    IsOptedOut,
    /// The provider refuses them from now on.
    IsRefused,
}

/// What an account's section of the configuration says.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The provider's name.
    pub provider: &'static str,
    /// Its own settings.
    pub settings: String,
    /// The list there.
    pub audience: String,
    /// Secrets by name.
    pub secrets: Vec<(String, String)>,
}

/// A simulated provider.
#[async_trait]
pub trait Stage: Send + Sync {
    /// What its lists hold.
    fn channel(&self) -> Channel;

    /// The host it answers at.
    fn host(&self) -> &'static str;

    /// Its API.
    fn router(&self) -> Router;

    /// Opens an account and a list for one clinic; `place` tells accounts apart. `more` is another
    /// list in the same account.
    fn opens(&self, place: usize, more: Option<&Setup>) -> Setup;

    /// Has the next request struck; false where the provider has no such fault.
    fn strikes(&self, kind: Kind) -> bool;

    /// Ends what was scripted and did not strike.
    fn clears_up(&self);

    /// Does something; true where it came to something.
    fn does(&self, audience: &str, address: &str, deed: Deed) -> bool;

    /// Moves a member to another address; true where it came to something.
    fn moves(&self, _audience: &str, _from: &str, _to: &str) -> bool {
        false
    }

    /// Puts somebody on a list as of long ago.
    fn was_there(&self, audience: &str, address: &str, standing: Standing, at: DateTime<Utc>);

    /// Says who is on a list.
    fn holds(&self, audience: &str) -> BTreeMap<String, Standing>;

    /// Says whom it asked: the list, where that is known, and the address; in order.
    fn asked(&self) -> Vec<(Option<String>, String)>;

    /// Counts the requests that may have changed something.
    fn writes(&self) -> usize;

    /// Has jobs take that long, where there are any.
    fn jobs_take(&self, _millis: u64) {}

    /// Enters the URL of a webhook by hand, where staff must.
    async fn is_told_where(&self, _place: usize, _url: &str) {}

    /// Connects its webhooks.
    fn connects(&self, sender: Arc<dyn WebhookSender>);

    /// Delivers what is due, the newest first if asked so; returns how many attempts were made.
    fn delivers(&self, reversed: bool) -> BoxFuture<'_, usize>;
}

/// Makes one provider of each kind.
#[must_use]
pub fn all(clock: &SharedClock) -> Vec<Arc<dyn Stage>> {
    vec![
        Arc::new(Mailchimp::new(clock.clone())),
        Arc::new(Twilio::new(clock.clone())),
        Arc::new(Sinch::new(clock.clone())),
        Arc::new(Bird::new(clock.clone())),
    ]
}

/// What a HELP is answered with; no invitation says this.
pub const HELP: &str = "For help call the clinic.";

/// The number that texts of an account come from.
#[must_use]
pub fn sender(place: usize) -> String {
    format!("+44770090{:04}", place + 1)
}

/// What all simulators have alike.
macro_rules! simulated {
    () => {
        fn router(&self) -> axum::Router {
            self.simulator.router()
        }

        fn clears_up(&self) {
            self.simulator.clear_faults();
        }

        fn connects(&self, sender: std::sync::Arc<dyn crate::simulator::WebhookSender>) {
            self.simulator.connect_webhooks(sender);
        }

        fn delivers(&self, reversed: bool) -> futures::future::BoxFuture<'_, usize> {
            self.simulator.configure(|settings| settings.delivery.reverse = reversed);
            Box::pin(self.simulator.deliver_webhooks())
        }
    };
}
use simulated;
