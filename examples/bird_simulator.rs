//! Serves the Bird simulator with one workspace and one audience until it is interrupted.
//!
//! `cargo run --example bird_simulator [ADDRESS]`; prints the base URL, the key, the audience and
//! the number of the workspace.

use std::sync::Arc;

use listwarden::clock::SystemClock;
use listwarden::simulator::bird::Simulator;
use tokio::net::TcpListener;

const API_KEY: &str = "bk_eu1_00000000000000000000000000000000";
const SENDER: &str = "+447700900001";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let simulator = Simulator::new(Arc::new(SystemClock));
    let workspace = simulator.open_workspace(API_KEY, SENDER);
    let audience = simulator.open_audience(workspace, "News")?;
    let running = simulator.serve(TcpListener::bind(address).await?)?;
    println!("BIRD_URL={}", running.url());
    println!("BIRD_API_KEY={API_KEY}");
    println!("BIRD_AUDIENCE_ID={audience}");
    println!("BIRD_SENDER={SENDER}");
    tokio::signal::ctrl_c().await?;
    running.stop().await?;
    Ok(())
}
