//! A headless Chromium, driven as the protocol of web drivers has it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use listwarden::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the protocol calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Looks for what should be there, a tenth of a second each.
const LOOKS: usize = 300;

pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

/// Starts a driver; returns it with its port, unless it ended at once.
fn driver() -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need Chromium: run them by `bash .ci/test`");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, rest) = line.split_once("started successfully on port ")?;
        Some(rest.trim_end_matches('.').to_owned())
    });
    let Some(port) = port else {
        driver.wait().unwrap();
        return None;
    };
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

impl Browser {
    pub async fn new() -> Self {
        // It looks for a free port on one address and takes it on two: somebody may be quicker.
        let (driver, port) = (0..5).find_map(|_| driver()).expect("chromedriver ends at once");
        let url = format!("http://127.0.0.1:{port}");
        let profile = TempDir::new().unwrap();
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
                "--no-first-run", "--hide-scrollbars", "--window-size=1200,900",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        } } });
        let answer = client.post(format!("{url}/session")).body(wanted.to_string());
        let answer: Value =
            serde_json::from_str(&answer.send().await.unwrap().text().await.unwrap()).unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let session = format!("{url}/session/{id}");
        Self { driver, session, client, _profile: profile }
    }

    pub async fn end(self) {
        self.client.delete(&self.session).send().await.unwrap();
    }

    async fn tell(&self, command: &str, body: Value) -> Result<Value, Value> {
        let request = self.client.post(format!("{}/{command}", self.session));
        let answer = request.body(body.to_string()).send().await.unwrap();
        let sound = answer.status().is_success();
        let mut answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let value = answer["value"].take();
        if sound { Ok(value) } else { Err(value) }
    }

    pub async fn goes(&self, url: &str) {
        self.tell("url", json!({ "url": url })).await.unwrap();
    }

    pub async fn runs(&self, script: &str) -> Value {
        self.tell("execute/sync", json!({ "script": script, "args": [] })).await.unwrap()
    }

    /// Runs a script whose promise is waited for.
    pub async fn awaits(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, e => done(String(e)));"
        );
        self.tell("execute/async", json!({ "script": script, "args": [] })).await.unwrap()
    }

    /// Tells the browser what only its own protocol can.
    pub async fn devtools(&self, command: &str, params: Value) {
        let body = json!({ "cmd": command, "params": params });
        self.tell("goog/cdp/execute", body).await.unwrap();
    }

    async fn find(&self, using: &str, what: &str) -> String {
        for _ in 0..LOOKS {
            let found = self.tell("element", json!({ "using": using, "value": what })).await;
            if let Some(id) = found.ok().and_then(|found| Some(found[ELEMENT].as_str()?.to_owned()))
            {
                return id;
            }
            SystemClock.sleep(Duration::from_millis(100)).await;
        }
        panic!("nothing like {what} in:\n{}", self.text().await);
    }

    /// Does something with what a selector finds first; anew where the view was left for the next one
    /// in between, so that nothing came of it.
    async fn does(&self, using: &str, what: &str, act: &str, body: Value) {
        for _ in 0..LOOKS {
            let id = self.find(using, what).await;
            match self.tell(&format!("element/{id}/{act}"), body.clone()).await {
                Ok(_) => return,
                Err(error) => assert!(is_of_a_view_left(&error), "{what}: {error}"),
            }
        }
        panic!("{what} never stays");
    }

    pub async fn types(&self, selector: &str, text: &str) {
        self.does("css selector", selector, "clear", json!({})).await;
        self.does("css selector", selector, "value", json!({ "text": text })).await;
    }

    /// Presses the button of that name.
    pub async fn presses(&self, name: &str) {
        self.clicks("xpath", &format!("//main//button[starts-with(normalize-space(), '{name}')]"))
            .await;
    }

    pub async fn follows(&self, link: &str) {
        self.clicks("xpath", &format!("//a[normalize-space() = '{link}']")).await;
    }

    /// Presses what a selector finds first.
    pub async fn presses_on(&self, selector: &str) {
        self.clicks("css selector", selector).await;
    }

    async fn clicks(&self, using: &str, what: &str) {
        self.does(using, what, "click", json!({})).await;
    }

    /// Waits until the view says `words`.
    pub async fn sees(&self, words: &str) {
        for _ in 0..LOOKS {
            if self.text().await.contains(words) {
                return;
            }
            SystemClock.sleep(Duration::from_millis(100)).await;
        }
        panic!("no `{words}` in:\n{}", self.text().await);
    }

    pub async fn text(&self) -> String {
        let script = "return document.body ? document.body.innerText : ''";
        let told = self.tell("execute/sync", json!({ "script": script, "args": [] })).await;
        // A view that is being left says nothing.
        told.ok().and_then(|text| Some(text.as_str()?.to_owned())).unwrap_or_default()
    }

    pub async fn path(&self) -> String {
        self.runs("return location.pathname").await.as_str().unwrap().to_owned()
    }

    pub async fn press_tab(&self) {
        let keys = json!({ "actions": [{ "type": "key", "id": "keys", "actions": [
            { "type": "keyDown", "value": "\u{e004}" }, { "type": "keyUp", "value": "\u{e004}" },
        ] }] });
        self.tell("actions", keys).await.unwrap();
    }

    /// What the console has said since it was asked last.
    pub async fn console(&self) -> Vec<String> {
        let lines = self.tell("se/log", json!({ "type": "browser" })).await.unwrap();
        let severe = lines.as_array().unwrap().iter().filter(|line| line["level"] == "SEVERE");
        severe.map(|line| line["message"].to_string()).collect()
    }

    /// Puts a picture of the whole view into `target/browser/screenshots`.
    pub async fn pictures(&self, name: &str) {
        let folder = root().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let body =
            json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let picture = self.tell("goog/cdp/execute", body).await.unwrap();
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Returns what axe finds wrong with the view.
    pub async fn axe(&self) -> Vec<String> {
        let axe = root().join("node_modules/axe-core/axe.min.js");
        let axe =
            std::fs::read_to_string(axe).expect("axe-core is missing: run by `bash .ci/test`");
        let script = format!(
            "{axe}; const found = await axe.run(document, {{ resultTypes: ['violations'] }});
             return found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '));"
        );
        let found = self.awaits(&script).await;
        let found = found.as_array().unwrap_or_else(|| panic!("{found}"));
        found.iter().map(|violation| violation.as_str().unwrap().to_owned()).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser")
}

/// Tells whether what was found belongs to a view that was left since; a driver that was looking at it
/// just then says so in its own words.
fn is_of_a_view_left(error: &Value) -> bool {
    let in_its_own_words = error["message"].as_str().is_some_and(|message| {
        message.contains("does not belong to the document")
            || message.contains("No node with given id")
            || message.contains("Could not find node with given id")
    });
    error["error"] == "stale element reference"
        || (error["error"] == "unknown error" && in_its_own_words)
}
