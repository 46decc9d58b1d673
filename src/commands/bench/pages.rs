//! What the admin page takes, asked as a browser does: one view after the other, by somebody signed in.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use serde::Serialize;

use super::crowd::address;
use super::process::instant;
use super::world::World;
use crate::clock::{Clock, SystemClock};

/// A token may ask fifty times a second.
const APART: Duration = Duration::from_millis(25);

/// What a view took, of all times that it was asked for.
#[derive(Debug, Serialize)]
pub struct View {
    what: &'static str,
    asked: usize,
    p50_ms: f64,
    p99_ms: f64,
    /// Over the wire, packed; with what the view loads besides where that is said.
    bytes: usize,
}

/// Signs in, and asks for each view so many times.
pub async fn measure(world: &World, times: usize) -> anyhow::Result<Vec<View>> {
    let (mut child, url) = serve(world)?;
    let views = views(world, url, times).await;
    child.kill().and_then(|()| child.wait()).context("`serve` cannot be ended")?;
    views
}

async fn views(world: &World, url: String, times: usize) -> anyhow::Result<Vec<View>> {
    let mut visitor = Visitor::new(url)?;
    visitor.signs_in(&token(world)?).await?;
    let mut overview = Times::new("overview");
    for _ in 0..times {
        overview.take(&visitor.asks(Method::GET, "/", &[]).await?);
    }
    overview.bytes = visitor.loads("/").await?;
    let (mut search, mut person) = (Times::new("person: the search"), Times::new("person"));
    for n in 0..times {
        // All over the list, and nobody twice.
        let who = address(n * (world.shape.members / times).max(1));
        let found = visitor.asks(Method::POST, PERSON, &[("who", &who)]).await?;
        search.take(&found);
        let path = found.leads_to.context("the search found nobody")?;
        person.take(&visitor.asks(Method::GET, &path, &[]).await?);
    }
    Ok([overview, search, person].into_iter().map(Times::view).collect())
}

const PERSON: &str = "/clinics/clinic-0/person";

/// Starts the program as it serves; returns where its page is.
fn serve(world: &World) -> anyhow::Result<(Child, String)> {
    let mut command = world.command()?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let said = BufReader::new(child.stderr.take().context("it says nothing")?);
    let mut lines = said.lines();
    let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let url = line.strip_prefix("The admin page is on ")?;
        Some(url.trim_end_matches('/').to_owned())
    });
    let url = url.context("`serve` ended, and did not say where its admin page is")?;
    // Whatever it says later must go somewhere.
    std::thread::spawn(move || lines.count());
    Ok((child, url))
}

fn token(world: &World) -> anyhow::Result<String> {
    let mut command: Command = world.command()?;
    command.args(["--json", "token", "create", "--role", "owner", "--name", "bench"]);
    let made = command.args(["--by", "bench"]).output()?;
    ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr));
    let said: serde_json::Value = serde_json::from_slice(&made.stdout)?;
    Ok(said["token"].as_str().context("no token was shown")?.to_owned())
}

/// Somebody with a browser.
struct Visitor {
    url: String,
    client: reqwest::Client,
    cookie: String,
    form_code: String,
}

/// What came back.
struct Answer {
    took: Duration,
    leads_to: Option<String>,
    bytes: usize,
}

impl Visitor {
    fn new(url: String) -> anyhow::Result<Self> {
        // The page is on loopback, and plain; a client is not made without, all the same.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().redirect(Policy::none()).no_gzip().build()?;
        Ok(Self { url, client, cookie: String::new(), form_code: String::new() })
    }

    async fn signs_in(&mut self, token: &str) -> anyhow::Result<()> {
        let form = self.sends(Method::GET, "/sign-in", &[], "identity").await?;
        self.takes(&form);
        self.form_code = form_code(&form.text().await?)?;
        let said = self.sends(Method::POST, "/sign-in", &[("token", token)], "identity").await?;
        self.takes(&said);
        let page = self.sends(Method::GET, PERSON, &[], "identity").await?.text().await?;
        self.form_code = form_code(&page)?;
        Ok(())
    }

    fn takes(&mut self, answer: &Response) {
        let cookie = answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        if let Some((cookie, _)) = cookie.and_then(|cookie| cookie.split_once(';')) {
            cookie.clone_into(&mut self.cookie);
        }
    }

    async fn sends(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        encoding: &str,
    ) -> anyhow::Result<Response> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.url));
        request = request.header(ACCEPT_ENCODING, encoding).header(COOKIE, &self.cookie);
        if method == Method::POST {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields).append_pair("form_code", &self.form_code);
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("origin", &self.url)
                .body(form.finish());
        }
        let answer = request.send().await?;
        let status = answer.status();
        ensure!(!status.is_client_error() && !status.is_server_error(), "{path}: {status}");
        Ok(answer)
    }

    async fn asks(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        SystemClock.sleep(APART).await;
        let began = instant();
        let answer = self.sends(method, path, fields, "gzip").await?;
        let leads_to = answer.headers().get("location").and_then(|to| to.to_str().ok());
        let leads_to = leads_to.map(str::to_owned);
        let body = answer.bytes().await?;
        Ok(Answer { took: began.elapsed(), leads_to, bytes: body.len() })
    }

    /// Returns how many bytes a view is over the wire with all that it loads.
    async fn loads(&self, path: &str) -> anyhow::Result<usize> {
        let plain = self.sends(Method::GET, path, &[], "identity").await?.text().await?;
        let mut bytes = self.asks(Method::GET, path, &[]).await?.bytes;
        let parts = plain.split('"').filter(|part| part.starts_with("/assets/"));
        for asset in parts.collect::<std::collections::BTreeSet<_>>() {
            bytes += self.asks(Method::GET, asset, &[]).await?.bytes;
        }
        Ok(bytes)
    }
}

fn form_code(page: &str) -> anyhow::Result<String> {
    let (_, rest) = page.split_once("name=\"form_code\" value=\"").context("a page has no form")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

struct Times {
    view: &'static str,
    took: Vec<Duration>,
    bytes: usize,
}

impl Times {
    const fn new(view: &'static str) -> Self {
        Self { view, took: Vec::new(), bytes: 0 }
    }

    fn take(&mut self, answer: &Answer) {
        self.took.push(answer.took);
        self.bytes = self.bytes.max(answer.bytes);
    }

    fn view(mut self) -> View {
        self.took.sort_unstable();
        let at = |part: usize| {
            let place = (self.took.len() * part / 100).min(self.took.len().saturating_sub(1));
            self.took.get(place).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
        };
        let (p50_ms, p99_ms) = (at(50), at(99));
        View { what: self.view, asked: self.took.len(), p50_ms, p99_ms, bytes: self.bytes }
    }
}

/// Puts views in a table, which is Markdown too.
pub fn table(world: &str, views: &[View]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([world, "asked", "p50", "p99", "bytes"]);
    table.add_rows(views.iter().map(|view| {
        [
            view.what.to_owned(),
            view.asked.to_string(),
            format!("{:.1} ms", view.p50_ms),
            format!("{:.1} ms", view.p99_ms),
            view.bytes.to_string(),
        ]
    }));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
