//! The provider contract: every scenario runs the whole program, once for each provider there is.
//!
//! What is expected follows from what a provider declares it can do, never from its name. A new
//! provider is one file here, which says what people and staff do there, and one word below.

#![expect(clippy::unwrap_used, reason = "a world that a test builds is whole")]

/// Names the providers: one file each, with the [`stage::Stage`] in it.
macro_rules! providers {
    ($($provider:ident::$stage:ident),+ $(,)?) => {
        $(mod $provider;)+

        /// The providers on stage.
        const STAGES: &[&str] = &[$(<$provider::$stage as stage::Stage>::NAME),+];

        /// Makes a test of the scenario at hand for each of them.
        macro_rules! on_every_stage {
            () => {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $provider() {
                        scenario(World::<crate::$provider::$stage>::new().await).await;
                    }
                )+
            };
        }
    };
}

/// Runs each scenario once for every provider.
macro_rules! for_every_provider {
    ($(async fn $name:ident($($world:tt)+) $body:block)+) => {
        $(
            mod $name {
                use super::*;

                async fn scenario<S: Stage>($($world)+: World<S>) $body

                on_every_stage!();
            }
        )+
    };
}

#[macro_use]
mod stage;

providers! { bird::Bird, mailchimp::Mailchimp, sinch::Sinch, twilio::Twilio }

mod door;
mod entering;
mod leaving;
mod opting_out;
mod reading;
mod weather;
mod world;

#[test]
fn every_provider_there_is_is_on_stage() {
    let there_are = listwarden::providers::PROVIDERS.iter().map(|provider| provider.name);
    let missing: Vec<&str> = there_are.filter(|name| !STAGES.contains(name)).collect();
    assert!(missing.is_empty(), "no scenario ran for: {}", missing.join(", "));
}
