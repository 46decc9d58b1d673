//! A provider as the scenarios see it: what people, staff and the weather do there, and what is to
//! be seen.

use std::sync::Arc;

use listwarden::clock::ManualClock;
use listwarden::simulator::{WebhookSender, Write};

/// A simulated provider with one account and one list, empty at first.
pub trait Stage: Sized + Send + Sync + 'static {
    /// Its name in configuration.
    const NAME: &'static str;
    /// What the paths of its API begin with.
    const API: &'static str;
    /// Method and path of the request that invites somebody.
    const INVITES: (&'static str, &'static str);

    /// Opens it, over real HTTP on this machine.
    async fn opens(clock: Arc<ManualClock>) -> Self;

    /// Says what the clinic writes into its configuration.
    fn setup(&self) -> Setup;

    /// Somebody answers the invitation: clicks the link, or replies YES. Without an invitation
    /// that is open there, nothing comes of it.
    fn agrees(&self, address: &str);

    /// Somebody opts out there: unsubscribes, or replies STOP.
    fn refuses(&self, address: &str);

    /// Staff put people on the list, where there is one.
    fn staff_add(&self, addresses: &[String]);

    /// Staff take somebody off the list, where there is one.
    fn staff_remove(&self, address: &str);

    /// The provider will not reach this address, whatever it is asked.
    fn turns_away(&self, address: &str);

    /// Counts the invitations that went out to somebody.
    fn asked(&self, address: &str) -> usize;

    /// Tells whether the list there has somebody on it to send to.
    fn lists(&self, address: &str) -> bool;

    /// Tells whether anything of somebody can be read there that we wrote or may erase. What the
    /// provider keeps for itself, a log of messages or an opt-out, is not ours to erase.
    fn holds(&self, address: &str) -> bool;

    /// Something goes wrong with the next requests of a kind.
    fn strikes(&self, weather: Weather, what: Requests, times: u32);

    /// Nothing goes wrong any more.
    fn clears_up(&self);

    /// Lists the requests that may have changed something.
    fn writes(&self) -> Vec<Write>;

    /// Enters a URL for webhooks by hand, where the provider has no API for it.
    async fn is_told_where(&self, _url: &str) {}

    /// Connects webhooks to a receiver.
    fn reaches(&self, receiver: Arc<dyn WebhookSender>);

    /// Delivers the webhooks that wait, and returns how many.
    async fn delivers(&self) -> usize;
}

/// What the clinic writes into its configuration.
pub struct Setup {
    /// The account's own settings.
    pub account: String,
    /// The list's id there.
    pub audience: String,
    /// More lines about the list, such as the fields it takes.
    pub list: &'static str,
    /// Secrets by name.
    pub secrets: Vec<(&'static str, String)>,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub enum Weather {
    /// Too many requests.
    Throttled,
    /// An error of the server.
    Broken,
    /// The connection breaks; nothing was done.
    Reset,
    /// It was done, and the answer is lost.
    LostReply,
}

/// With which requests it goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Requests {
    /// Any.
    All,
    /// Those that read.
    Reads,
    /// Those that invite.
    Invitations,
    /// Those that change something, one of each method.
    Changes,
}

/// What all simulators have alike: `self.simulator` with `Fault` and `Rule` of its own.
macro_rules! simulated {
    () => {
        fn strikes(&self, weather: Weather, what: Requests, times: u32) {
            let rule = || {
                let fault = match weather {
                    Weather::Throttled => Fault::TooManyRequests { retry_after: Some(2) },
                    Weather::Broken => Fault::InternalError,
                    Weather::Reset => Fault::Reset,
                    Weather::LostReply => Fault::LostReply,
                };
                Rule::next(fault).times(times)
            };
            let rules = match what {
                Requests::All => vec![rule()],
                Requests::Reads => vec![rule().on("GET", Self::API)],
                Requests::Invitations => vec![rule().on(Self::INVITES.0, Self::INVITES.1)],
                Requests::Changes => ["POST", "PUT", "PATCH", "DELETE"]
                    .map(|method| rule().on(method, Self::API))
                    .into(),
            };
            for rule in rules {
                self.simulator.script(rule);
            }
        }

        fn clears_up(&self) {
            self.simulator.clear_faults();
        }

        fn writes(&self) -> Vec<Write> {
            let mut writes = self.simulator.writes();
            // Asking for a token changes nothing.
            writes.retain(|write| write.path.starts_with(Self::API));
            writes
        }

        fn reaches(&self, receiver: Arc<dyn WebhookSender>) {
            self.simulator.connect_webhooks(receiver);
        }

        async fn delivers(&self) -> usize {
            self.simulator.deliver_webhooks().await
        }
    };
}
