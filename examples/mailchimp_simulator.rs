//! Serves the Mailchimp simulator with one account and one audience until it is interrupted.
//!
//! `cargo run --example mailchimp_simulator [ADDRESS]`; prints the base URL, the key and the list.

use std::sync::Arc;

use listwarden::clock::SystemClock;
use listwarden::simulator::mailchimp::Simulator;
use tokio::net::TcpListener;

const API_KEY: &str = "00000000000000000000000000000000-us6";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let simulator = Simulator::new(Arc::new(SystemClock));
    let account = simulator.open_account("Clinic", API_KEY);
    let list = simulator.open_audience(account, "Patients")?;
    let running = simulator.serve(TcpListener::bind(address).await?)?;
    println!("MAILCHIMP_URL={}", running.url());
    println!("MAILCHIMP_API_KEY={API_KEY}");
    println!("MAILCHIMP_LIST_ID={list}");
    tokio::signal::ctrl_c().await?;
    running.stop().await?;
    Ok(())
}
