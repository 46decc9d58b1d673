//! `simulator`: a simulated Mailchimp on loopback, to try things on.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use super::Exit;
use super::deployment::asked_to_stop;
use crate::clock::SystemClock;
use crate::simulator::mailchimp;

/// Where to serve.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8180)]
    port: u16,
    /// Milliseconds each request takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Members to begin with.
    #[arg(long, default_value_t = 0)]
    members: u32,
}

/// The account that is there from the start.
const API_KEY: &str = "0123456789abcdef0123456789abcdef-us6";

/// Serves until Ctrl-C.
pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let simulator = mailchimp::Simulator::new(Arc::new(SystemClock));
    simulator.configure(|settings| settings.latency_ms = options.latency_ms);
    let account = simulator.open_account("Simulated account", API_KEY);
    let audience = simulator.open_audience(account, "Simulated audience")?;
    simulator.set_double_optin(&audience, true)?;
    let members = (0..options.members)
        .map(|number| mailchimp::SeedMember::subscribed(format!("member{number}@post.test")));
    simulator.seed_members(&audience, members)?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port))
        .await
        .with_context(|| format!("port {} is taken: choose another with --port", options.port))?;
    let server = simulator.serve(listener)?;
    let deliveries = simulator.deliver_over_http(mailchimp::HttpSender::new()?);
    println!("Simulated Mailchimp at {}", server.url());
    println!("For a clinic's file:");
    println!("  [accounts.NAME]");
    println!("  base_url = \"{}/3.0\"", server.url());
    println!("  [lists.NAME]");
    println!("  audience = \"{audience}\"");
    println!("For the secret that api_key names:");
    println!("  {API_KEY}");
    println!("Act as a contact or as staff under {}/_control. Ctrl-C stops it.", server.url());
    println!("Webhooks are delivered as they become due.");
    asked_to_stop().await?;
    drop(deliveries);
    server.stop().await?;
    Ok(Exit::InStep)
}
