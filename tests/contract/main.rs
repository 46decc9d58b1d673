//! The provider contract: every scenario runs the whole program, once for each provider there is.
//!
//! What is expected follows from what a provider declares it can do, never from its name. A new
//! provider is one file here, which says what people and staff do there, and one word below: among
//! those that keep a list, or those that do not.

#![expect(clippy::unwrap_used, reason = "a world that a test builds is whole")]

/// Makes a test of the scenario at hand for one provider.
macro_rules! on_stage {
    ($provider:ident::$stage:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $provider() {
            scenario(World::<crate::$provider::$stage>::new().await).await;
        }
    };
}

/// Names the providers, one file each with the [`stage::Stage`] in it: those that keep a list of who
/// is sent to, and those for whom the list lives with us.
macro_rules! providers {
    (
        with_a_list: $($listed:ident::$l:ident),+;
        without: $($bare:ident::$b:ident),+
    ) => {
        $(mod $listed;)+
        $(mod $bare;)+

        /// The providers on stage that keep a list.
        const WITH_A_LIST: &[&str] = &[$(<$listed::$l as stage::Stage>::NAME),+];
        /// The others.
        const WITHOUT: &[&str] = &[$(<$bare::$b as stage::Stage>::NAME),+];

        macro_rules! on_every_stage {
            () => {
                $(on_stage!($listed::$l);)+
                $(on_stage!($bare::$b);)+
            };
        }

        macro_rules! on_every_stage_with_a_list {
            () => {
                $(on_stage!($listed::$l);)+
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

/// Runs each scenario once for every provider that keeps a list.
macro_rules! for_every_list {
    ($(async fn $name:ident($($world:tt)+) $body:block)+) => {
        $(
            mod $name {
                use super::*;

                async fn scenario<S: Stage>($($world)+: World<S>) $body

                on_every_stage_with_a_list!();
            }
        )+
    };
}

#[macro_use]
mod stage;

providers! {
    with_a_list: bird::Bird, mailchimp::Mailchimp, sinch::Sinch;
    without: twilio::Twilio
}

mod door;
mod entering;
mod leaving;
mod opting_out;
mod reading;
mod weather;
mod world;

#[test]
fn every_provider_says_whether_it_keeps_a_list() {
    for provider in listwarden::providers::PROVIDERS {
        assert_eq!(provider.keeps_list, WITH_A_LIST.contains(&provider.name), "{}", provider.name);
    }
}

#[test]
fn every_provider_there_is_is_on_stage() {
    let there_are = listwarden::providers::PROVIDERS.iter().map(|provider| provider.name);
    let missing: Vec<&str> =
        there_are.filter(|name| !WITH_A_LIST.contains(name) && !WITHOUT.contains(name)).collect();
    assert!(missing.is_empty(), "no scenario ran for: {}", missing.join(", "));
}
