//! The command line as a clinic meets it: the real binary, on SQLite, against the simulated
//! Mailchimp over HTTP. What is tested is what a person reads and what a script gets back.

#![cfg(feature = "simulator")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use listwarden::clock::SystemClock;
use listwarden::simulator::mailchimp::{Fault, Rule, Running, SeedMember, Simulator, Status};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;

const KEY: &str = "0123456789abcdef0123456789abcdef-us6";
const HEADER: &str = "id,given_name,email,status,email_consent,email_consent_at,\
    email_consent_method,email_consent_wording,email_consent_by\n";

/// What the program said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Demands an exit code and sentences, wherever they were printed.
    #[track_caller]
    fn ends(self, code: i32, sentences: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        for sentence in sentences {
            let told = self.out.contains(sentence) || self.err.contains(sentence);
            assert!(told, "`{sentence}` is missing in {self:#?}");
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}

fn run(folder: &Path, args: &[&str]) -> Said {
    Said::of(command(folder, args).output().unwrap())
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_listwarden"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LISTWARDEN_")) {
        command.env_remove(name);
    }
    command
}

/// A clinic with one list, its files, and its provider.
struct Desk {
    folder: TempDir,
    simulator: Simulator,
    account: usize,
    audience: String,
    server: Running,
}

impl Desk {
    /// The configuration is written and the tables are made; nobody is in.
    async fn new() -> Self {
        let desk = Self::unprepared().await;
        desk.says(&["migrate"]).ends(0, &["The store is up to date."]);
        desk
    }

    async fn unprepared() -> Self {
        let simulator = Simulator::new(Arc::new(SystemClock));
        let account = simulator.open_account("Riverside", KEY);
        let audience = simulator.open_audience(account, "Newsletter").unwrap();
        simulator.set_double_optin(&audience, true).unwrap();
        let server = simulator.serve_locally().await.unwrap();
        let desk = Self { folder: TempDir::new().unwrap(), simulator, account, audience, server };
        desk.write("listwarden.toml", "[store]\nurl = \"sqlite://listwarden.db\"\n");
        desk.write("secrets/master_key", &"5a".repeat(32));
        desk.write("secrets/riverside/mailchimp", KEY);
        desk.configures("kind = \"reference\"", "");
        desk
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn configures(&self, source: &str, policy: &str) {
        let (url, audience) = (self.server.url(), &self.audience);
        let text = format!(
            "country = \"GB\"\ntime_zone = \"Europe/London\"\n[source]\n{source}\n\
             [accounts.main]\nprovider = \"mailchimp\"\napi_key = \"mailchimp\"\n\
             base_url = \"{url}/3.0\"\ntries = 1\n[lists.news]\naccount = \"main\"\n\
             audience = \"{audience}\"\nunknown = \"report\"\nunproven = \"hold\"\n{policy}\n"
        );
        self.write("clinics/riverside.toml", &text);
    }

    fn says(&self, args: &[&str]) -> Said {
        run(self.folder.path(), args)
    }

    fn imports(&self, rows: &str) {
        self.write("patients.csv", &format!("{HEADER}{rows}"));
        self.says(&["patients", "import", "patients.csv"]).ends(0, &["Imported"]);
    }

    /// Ann asked for the list; Bo was archived and is on it.
    fn fills(&self) {
        self.imports(&format!("{}bo,Bo,bo@post.test,archived,,,,,\n", asked("ann")));
        self.subscribed("bo");
    }

    fn subscribed(&self, name: &str) {
        let member = SeedMember::subscribed(format!("{name}@post.test"));
        self.simulator.seed_member(&self.audience, member).unwrap();
    }

    fn there(&self, name: &str) -> Option<Status> {
        let member = self.simulator.member(&self.audience, &format!("{name}@post.test"));
        member.map(|member| member.status)
    }

    /// The id of the plan that waits.
    fn waiting_plan(&self) -> String {
        let waiting = self.says(&["reconcile", "--json"]).ends(3, &[]);
        waiting.json()[0]["lists"][0]["run"].as_str().unwrap().to_owned()
    }

    /// The first plan is approved and carried out.
    fn adopts(&self) {
        let plan = self.waiting_plan();
        self.says(&["approve", &plan]).ends(0, &["Approved", "Now run: listwarden reconcile"]);
        self.says(&["reconcile"]).ends(0, &["in step"]);
    }

    /// Everything a run records: ledger, operations, bases.
    async fn records(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for what in ["ledger", "operations", "runs", "links WHERE base_status IS NOT NULL"] {
            counts.push(self.number(&format!("SELECT COUNT(*) FROM {what}")).await);
        }
        counts
    }

    async fn number(&self, sql: &str) -> i64 {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned()));
        row.fetch_one(&mut self.database("listwarden.db").await).await.unwrap().get(0)
    }

    async fn database(&self, name: &str) -> SqliteConnection {
        let path = self.folder.path().join(name);
        let url = format!("sqlite://{}?mode=rwc", path.display());
        SqliteConnection::connect(&url).await.unwrap()
    }

    async fn execute(&self, database: &str, sql: &str) {
        let mut connection = self.database(database).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }
}

/// The row of an active patient with explicit consent.
fn asked(name: &str) -> String {
    format!("{name},{name},{name}@post.test,active,granted,2026-01-12,paper form,v2,front desk\n")
}

macro_rules! at_the_desk {
    ($(async fn $name:ident($desk:ident) $body:block)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let $desk = Desk::new().await;
            $body
        })+
    };
}

// --- The configuration --------------------------------------------------------------------------

#[test]
fn init_writes_files_that_can_be_read_once_the_two_choices_are_made() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), &["init"]).ends(0, &["two choices in it are yours alone"]);
    let clinic = folder.path().join("clinics/example.toml");
    run(folder.path(), &["migrate"])
        .ends(2, &["2 mistakes", "news.unknown", "news.unproven", "example.toml:4"]);

    let text = fs::read_to_string(&clinic).unwrap();
    let chosen = text
        .replace("unknown = \"\"", "unknown = \"report\"")
        .replace("unproven = \"\"", "unproven = \"hold\"");
    fs::write(&clinic, &chosen).unwrap();
    run(folder.path(), &["migrate"]).ends(0, &["The store is up to date."]);

    run(folder.path(), &["init"]).ends(1, &["is there already: nothing was written"]);
    assert_eq!(fs::read_to_string(&clinic).unwrap(), chosen);
}

#[test]
fn what_the_templates_tell_to_run_exists() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), &["init"]).ends(0, &[]);
    let text = fs::read_to_string(folder.path().join("listwarden.toml")).unwrap();
    for told in text.split("`listwarden ").skip(1) {
        let name = told.split(['`', ' ']).next().unwrap();
        run(folder.path(), &[name, "--help"]).ends(0, &["Usage"]);
    }
}

#[tokio::test]
async fn a_malformed_configuration_is_told_with_file_line_and_cure_all_at_once() {
    let desk = Desk::unprepared().await;
    desk.configures("kind = \"refrence\"", "on_dorp = \"archive\"\ninvitation_expires = \"soon\"");
    desk.says(&["reconcile"]).ends(
        2,
        &["3 mistakes", "riverside.toml:4", "source.kind", "on_dorp", "on_drop", "expires"],
    );
    desk.write("clinics/riverside.toml", "[source\n");
    desk.says(&["plan"]).ends(2, &["riverside.toml:1"]);
    assert!(!desk.folder.path().join("listwarden.db").exists(), "a store was made all the same");
}

#[tokio::test]
async fn a_key_written_where_its_name_belongs_is_refused_and_not_repeated() {
    let desk = Desk::unprepared().await;
    let file = desk.folder.path().join("clinics/riverside.toml");
    let text = fs::read_to_string(&file).unwrap();
    let bare = text.replace("api_key = \"mailchimp\"", &format!("api_key = \"{KEY}\""));
    fs::write(&file, bare).unwrap();
    let said = desk.says(&["doctor"]).ends(2, &["riverside.toml:7", "api_key", "secret"]);
    assert!(!said.err.contains(KEY) && !said.out.contains(KEY), "{said:#?}");
}

#[tokio::test]
async fn the_command_line_is_told_too() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), &["reconsile"]).ends(2, &["reconcile"]);
    run(folder.path(), &["report"]).ends(2, &["listwarden init"]);
    let desk = Desk::new().await;
    desk.says(&["report", "--clinic", "hill"]).ends(2, &["no clinic `hill`", "riverside"]);
    for command in ["plan", "reconcile", "report"] {
        desk.says(&[command, "--list", "nws"]).ends(2, &["no list `nws`", "news"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_missing_is_told_with_both_places_to_put_it() {
    let desk = Desk::unprepared().await;
    desk.says(&["doctor"]).ends(1, &["chmod 600"]);
    fs::remove_file(desk.folder.path().join("secrets/riverside/mailchimp")).unwrap();
    desk.says(&["migrate"]).ends(0, &[]);
    desk.says(&["doctor"])
        .ends(1, &["secrets/riverside/mailchimp", "LISTWARDEN_SECRET_RIVERSIDE_MAILCHIMP", "Mend"]);
    fs::remove_file(desk.folder.path().join("secrets/master_key")).unwrap();
    desk.says(&["reconcile"]).ends(1, &["master_key", "LISTWARDEN_MASTER_KEY"]);
}

// --- The store ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_store_that_does_not_fit_is_told_with_what_to_run() {
    let desk = Desk::unprepared().await;
    desk.says(&["reconcile"]).ends(1, &["run `listwarden migrate`"]);
    let said = desk.says(&["doctor"]).ends(1, &["run `listwarden migrate`"]);
    assert!(!said.out.contains("CLINIC_BY_SLUG"), "said once: {said:#?}");
    desk.says(&["migrate"]).ends(0, &[]);
    desk.execute("listwarden.db", "UPDATE schema_fits SET oldest_binary = '99.0.0'").await;
    desk.says(&["reconcile"]).ends(1, &["99.0.0", "update this binary"]);
}

#[tokio::test]
async fn a_store_out_of_reach_is_told() {
    let desk = Desk::unprepared().await;
    desk.write("listwarden.toml", "[store]\nurl = \"postgres://nobody@127.0.0.1:1/none\"\n");
    desk.says(&["migrate"]).ends(1, &["the store does not open", "the server is up"]);
}

// --- The provider -------------------------------------------------------------------------------

at_the_desk! {
    async fn a_wrong_key_is_told_by_doctor_and_run_and_nothing_is_recorded(desk) {
        desk.fills();
        desk.write("secrets/riverside/mailchimp", "ffffffffffffffffffffffffffffffff-us6");
        let before = desk.number("SELECT COUNT(*) FROM operations").await;
        let told = desk.says(&["doctor"]).ends(1, &["MEND"]);
        assert!(told.out.contains("key") || told.out.contains("credential"), "{told:#?}");
        desk.says(&["reconcile"]).ends(1, &["news"]);
        assert_eq!(desk.number("SELECT COUNT(*) FROM operations").await, before);
        desk.write("secrets/riverside/mailchimp", KEY);
        desk.says(&["reconcile"]).ends(3, &["wait for you"]);
    }

    async fn a_deactivated_account_is_told(desk) {
        desk.fills();
        desk.simulator.deactivate(desk.account, true).unwrap();
        desk.says(&["doctor"]).ends(1, &["MEND"]);
        desk.says(&["reconcile"]).ends(1, &["failed"]);
    }

    async fn a_provider_that_is_down_is_asked_once_and_told_in_one_line(desk) {
        let letters = desk.simulator.open_audience(desk.account, "Letters").unwrap();
        let more = "[lists.letters]\naccount = \"main\"\nunknown = \"report\"\nunproven = \"hold\"";
        desk.configures("kind = \"reference\"", &format!("{more}\naudience = \"{letters}\""));
        desk.says(&["doctor"]).ends(0, &["list `news`", "list `letters`", "All is well."]);
        desk.simulator.script(Rule::next(Fault::InternalError).times(99));
        desk.simulator.reset_counters();
        let said = desk.says(&["doctor"]).ends(1, &["the provider is not available"]);
        assert_eq!(said.out.matches("MEND").count(), 1, "{said:#?}");
        assert!(said.out.contains("not looked at: `news`, `letters`"), "{said:#?}");
        assert_eq!(desk.simulator.counters().total, 1);
    }

    async fn an_audience_that_is_not_there_is_told_and_nobody_counts_as_gone(desk) {
        desk.fills();
        desk.adopts();
        let file = desk.folder.path().join("clinics/riverside.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&desk.audience, "0000000000")).unwrap();
        let before = desk.records().await;
        desk.says(&["doctor"]).ends(1, &["MEND"]);
        desk.says(&["reconcile", "--full"]).ends(1, &["news"]);
        assert_eq!(before[0], desk.records().await[0], "the ledger grew");
    }

    async fn another_audience_is_refused_and_list_move_is_the_way(desk) {
        desk.fills();
        desk.adopts();
        let other = desk.simulator.open_audience(desk.account, "Other").unwrap();
        let file = desk.folder.path().join("clinics/riverside.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&desk.audience, &other)).unwrap();
        desk.says(&["reconcile"]).ends(1, &["first run on another audience", "listwarden list move"]);
        assert_eq!(desk.simulator.dump(&other).unwrap().len(), 0);

        desk.says(&["list", "move", "news"]).ends(1, &["--yes"]);
        desk.says(&["list", "move", "news", "--yes"]).ends(0, &["Emptied"]);
        assert_eq!(desk.there("ann"), Some(Status::Archived));
        desk.says(&["reconcile"]).ends(3, &["nothing is to be changed"]);
    }

    async fn the_key_of_another_account_is_refused(desk) {
        desk.fills();
        desk.adopts();
        let theirs = "fedcba9876543210fedcba9876543210-us6";
        desk.simulator.open_account("Hillside", theirs);
        desk.write("secrets/riverside/mailchimp", theirs);
        let before = desk.simulator.writes().len();
        desk.says(&["reconcile", "--full"]).ends(1, &["news"]);
        assert_eq!(desk.simulator.writes().len(), before);
    }

    async fn a_required_field_that_nobody_fills_parks_the_invitation_and_no_more(desk) {
        desk.fills();
        desk.simulator.require_merge_field(&desk.audience, "FNAME", true).unwrap();
        desk.says(&["doctor"]).ends(1, &["requires the field `FNAME`", "Map it in `fields`"]);
        let plan = desk.waiting_plan();
        desk.says(&["approve", &plan]).ends(0, &[]);
        let outcome = desk.says(&["reconcile", "--json"]).ends(0, &[]).json();
        assert_eq!(outcome[0]["lists"][0]["classes"]["parked"], 1, "{outcome:#}");
        assert_eq!(desk.there("bo"), Some(Status::Archived));
        let tried = desk.simulator.writes().len();
        desk.says(&["reconcile", "--full"]).ends(0, &[]);
        assert_eq!(desk.simulator.writes().len(), tried, "it was tried again at once");
    }

    // --- Runs -----------------------------------------------------------------------------------

    async fn a_plan_is_redacted_and_changes_nothing_anywhere(desk) {
        desk.fills();
        let before = desk.records().await;
        let told = desk.says(&["plan"]).ends(3, &["invite", "archive", "would wait for an admin"]);
        assert!(!told.out.contains("@post.test"), "{told:#?}");
        let json = desk.says(&["plan", "--json"]).ends(3, &[]);
        assert!(!json.out.contains("@post.test"), "{json:#?}");
        assert_eq!(json.json()[0]["rows"].as_array().unwrap().len(), 2);
        desk.says(&["plan", "--show-addresses"]).ends(3, &["ann@post.test", "bo@post.test"]);
        assert_eq!(desk.records().await, before);
        assert!(desk.simulator.writes().is_empty());
        desk.says(&["report"]).ends(3, &["due"]);
    }

    async fn a_refused_plan_is_planned_afresh_and_cannot_be_approved(desk) {
        desk.fills();
        let plan = desk.waiting_plan();
        desk.says(&["refuse", &plan]).ends(2, &["--reason"]);
        desk.says(&["refuse", &plan, "--reason", "not today"]).ends(0, &["Refused: 2 changes"]);
        desk.says(&["approve", &plan]).ends(1, &["was refused", "listwarden reconcile"]);
        desk.says(&["refuse", &plan, "--reason", "again"]).ends(1, &["was refused"]);
        assert_ne!(desk.waiting_plan(), plan);
        desk.adopts();
        assert_eq!(desk.there("bo"), Some(Status::Archived));
    }

    async fn of_a_plan_that_is_through_nothing_can_be_decided(desk) {
        desk.fills();
        let replaced = desk.waiting_plan();
        let plan = desk.waiting_plan();
        let late = ["refuse", &replaced, "--reason", "late"];
        desk.says(&late).ends(1, &["a newer run has planned afresh"]);
        desk.says(&["approve", &replaced]).ends(0, &["Approved: 2 changes"]);
        desk.says(&["reconcile"]).ends(0, &["in step"]);
        let carried_out = "nothing of that plan waits any more: it was approved, and carried out";
        desk.says(&["approve", &replaced]).ends(1, &[carried_out, "listwarden reconcile"]);
        desk.says(&late).ends(1, &[carried_out]);
        desk.says(&["approve", &plan]).ends(1, &["a newer run has planned afresh"]);
        assert_eq!(desk.number("SELECT COUNT(*) FROM approvals").await, 1);
    }

    async fn a_refusal_ends_the_approval_that_was_given_before(desk) {
        desk.fills();
        let plan = desk.waiting_plan();
        desk.says(&["approve", &plan]).ends(0, &["Approved: 2 changes"]);
        desk.says(&["refuse", &plan, "--reason", "too soon"]).ends(0, &["Refused: 2 changes"]);
        desk.says(&["reconcile"]).ends(3, &["its changes wait for you"]);
        assert!(desk.simulator.writes().is_empty(), "what was refused is not done");
    }

    async fn only_a_list_with_changes_has_some_that_wait(desk) {
        let said = desk.says(&["reconcile"]).ends(3, &["nothing is to be changed"]);
        assert!(!said.out.contains("wait for you"), "{said:#?}");
        desk.fills();
        desk.says(&["reconcile"]).ends(3, &["its changes wait for you"]);
    }

    async fn an_approval_lasts_as_the_configuration_says(desk) {
        desk.write(
            "listwarden.toml",
            "[store]\nurl = \"sqlite://listwarden.db\"\n[run]\napproval_lasts = \"2h\"\n",
        );
        desk.fills();
        let plan = desk.waiting_plan();
        desk.says(&["approve", &plan, "--json"]).ends(0, &["\"changes\": 2"]);
        let lasts = "SELECT (valid_until - decided_at + 30000) / 60000 FROM approvals";
        assert_eq!(desk.number(lasts).await, 120);
        desk.says(&["approve", &plan, "--hours", "0"]).ends(2, &["--hours"]);
    }

    async fn somebody_who_cannot_be_taken_off_ends_with_four(desk) {
        desk.fills();
        desk.adopts();
        desk.subscribed("cy");
        desk.imports(&format!("{}cy,Cy,cy@post.test,archived,,,,,\n", asked("ann")));
        let refusal = Fault::Named { error: "InvalidAction".to_owned() };
        desk.simulator.script(Rule::next(refusal).on("DELETE", "/3.0/lists").times(9));
        let why = "list `news`: 1 parked, archive: the provider refused it";
        let said = desk.says(&["reconcile", "--full"]).ends(4, &[why, "tried again from"]);
        said.ends(4, &["listwarden report --list news", "listwarden explain"]);
        desk.says(&["report"]).ends(4, &["RED: 1 could not be taken off yet"]);
        desk.says(&["explain", "cy"]).ends(0, &["held but dropped"]);
    }

    async fn a_stranger_whom_no_run_takes_off_keeps_a_list_from_being_clean(desk) {
        desk.fills();
        desk.adopts();
        desk.says(&["report"]).ends(0, &["  clean", "subscribed or pending: 1"]);
        desk.subscribed("stranger");
        desk.says(&["reconcile", "--full"]).ends(0, &["in step"]);
        desk.says(&["report"]).ends(3, &["not clean: 1 not as they should be", "pending: 2"]);
    }

    async fn an_act_that_changes_nothing_is_said_to(desk) {
        desk.fills();
        desk.adopts();
        let told = ["--by", "Desk", "--evidence", "call of today"];
        let says = |what: &'static str| [&["patient", what, "riverside", "ann"][..], &told].concat();
        desk.says(&says("unrestrict")).ends(0, &["It changes nothing: no restriction"]);
        desk.says(&says("object")).ends(0, &["The lists have followed."]);
        let given = ["consent", "record", "--patient", "ann", "--channel", "email", "--by", "Desk",
            "--method", "in person", "--wording", "v3"];
        desk.says(&given).ends(0, &["It changes nothing: an objection or a complaint stands"]);
        let json = desk.says(&[&given[..], &["--json"]].concat()).ends(0, &[]).json();
        assert_eq!(json["effect"], "none");
        let named = ["patient", "object", "riverside", "ann", "--by", "Ann", "--evidence", "call"];
        desk.says(&named).ends(1, &["--by names the patient"]);
        let lines = desk.number("SELECT COUNT(*) FROM ledger").await;
        for what in ["object", "restrict", "unrestrict"] {
            let named = ["patient", what, "riverside", "ann", "--by", "Desk", "--evidence", "Ann called"];
            desk.says(&named).ends(1, &["names the patient"]);
        }
        for why in ["--reason", "--refuse"] {
            let named = ["patient", "erase", "riverside", "ann", "--by", "Desk", why, "Ann wrote"];
            desk.says(&named).ends(1, &["names the patient"]);
        }
        desk.says(&[&given[..], &["--lifts-objection", "Ann signed"]].concat())
            .ends(1, &["names the patient"]);
        assert_eq!(desk.number("SELECT COUNT(*) FROM ledger").await, lines);
        let log = desk.number("SELECT COUNT(*) FROM audit WHERE LOWER(reason) LIKE '%ann %'").await;
        assert_eq!(log, 0, "what is refused for its name is not in the log either");
    }

    async fn a_run_that_is_stopped_ends_between_operations_and_the_next_goes_on(desk) {
        let names: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
        desk.imports(&names.iter().map(|name| asked(name)).collect::<String>());
        let plan = desk.waiting_plan();
        desk.says(&["approve", &plan]).ends(0, &["Approved: 40 changes"]);
        desk.simulator.configure(|settings| settings.latency_ms = 2_000);
        desk.simulator.reset_counters();
        let mut command = command(desk.folder.path(), &["reconcile"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // However fast the machine is, the run is in the middle of its first requests then.
        for _ in 0..600 {
            if desk.simulator.counters().in_flight_peak > 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(200));
        let id = child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        let said = Said::of(child.wait_with_output().unwrap());
        assert!(said.err.contains("Stopping between operations"), "{said:#?}");
        desk.simulator.configure(|settings| settings.latency_ms = 0);
        desk.says(&["reconcile", "--full"]).ends(0, &["in step"]);
        assert_eq!(desk.simulator.outbox().len(), 40, "somebody was invited twice, or not at all");
    }

    async fn what_is_accepted_or_ended_has_to_be_configured_too(desk) {
        let clinic = "there is no clinic `lakeside`; the configuration has riverside";
        desk.says(&["explain", "ann", "--clinic", "lakeside"]).ends(2, &[clinic]);
        desk.says(&["approve", "source:lakeside"]).ends(2, &[clinic]);
        desk.says(&["approve", "members:lakeside/news"]).ends(2, &[clinic]);
        let list = "there is no list `letters`; the configuration has news";
        desk.says(&["list", "retire", "letters", "--yes"]).ends(2, &[list]);
        desk.says(&["approve", "members:riverside/letters"]).ends(2, &[list]);
        desk.says(&["approve", "members:riverside"]).ends(1, &["members:CLINIC/LIST"]);
    }

    async fn a_list_that_lost_most_members_says_what_to_run_and_goes_on_after_it(desk) {
        let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
        for name in &names {
            desk.subscribed(name);
        }
        desk.imports(&names.iter().map(|name| asked(name)).collect::<String>());
        desk.adopts();
        for name in &names[..8] {
            let staff = desk.simulator.staff(&desk.audience);
            staff.delete_permanently(&format!("{name}@post.test")).unwrap();
        }
        let command = "listwarden approve members:riverside/news";
        desk.says(&["reconcile", "--full"]).ends(3, &["8 of 20 known members less", command]);
        desk.says(&["approve", "members:riverside/news"]).ends(0, &["Accepted until"]);
        desk.says(&["reconcile", "--full"]).ends(0, &["in step"]);
    }

    async fn explain_answers_by_address_and_by_id_and_says_whom_it_does_not_know(desk) {
        desk.fills();
        desk.adopts();
        desk.says(&["explain", "ann@post.test"]).ends(0, &["is pending there", "(L10)"]);
        desk.says(&["explain", "ANN@post.test"]).ends(0, &["is pending there"]);
        desk.says(&["explain", "bo"]).ends(0, &["is archived there; in step", "(L9)"]);
        let json = desk.says(&["explain", "ann", "--json"]).ends(0, &[]).json();
        assert_eq!(json["riverside"]["lists"][0]["class"], "pending");
        for stranger in ["zoe@post.test", "999", "!!"] {
            desk.says(&["explain", stranger]).ends(1, &["nobody by that address or patient id"]);
        }
    }

    async fn consent_given_in_person_is_recorded_once_it_makes_sense(desk) {
        desk.imports("cy,Cy,cy@post.test,active,,,,,\n");
        desk.says(&["plan"]).ends(3, &[]);
        let given = ["consent", "record", "--patient", "cy", "--channel", "email", "--by", "Desk",
            "--method", "in person", "--wording", "v3"];
        desk.says(&[&given[..], &["--at", "2999-01-01T00:00:00Z"]].concat())
            .ends(1, &["lies in the future"]);
        desk.says(&[&given[..], &["--channel", "fax"]].concat()).ends(2, &["--channel"]);
        assert_eq!(desk.number("SELECT COUNT(*) FROM ledger").await, 0);
        desk.says(&given).ends(0, &["The next run acts on it, where nothing else keeps"]);
        desk.says(&[&given[..], &["--lifts-objection", "asked again", "--json"]].concat())
            .ends(0, &["\"recorded\""]);
        desk.says(&["explain", "cy"]).ends(0, &["granted by the person", "would: invite"]);
        desk.says(&["patients", "show", "nobody"]).ends(1, &["the clinic's own id"]);
        let shown = desk.says(&["patients", "show", "cy"]).ends(0, &["\"status\": \"active\""]);
        assert!(!shown.out.contains("cy@post.test"), "{shown:#?}");
        // Somebody else is `cy` at another clinic.
        let lines = desk.number("SELECT COUNT(*) FROM ledger").await;
        desk.write("clinics/annexe.toml", "country = \"GB\"\ntime_zone = \"Europe/London\"\n\
            [source]\nkind = \"reference\"\n");
        desk.says(&given).ends(1, &["several clinics", "--clinic"]);
        desk.says(&["patients", "show", "cy"]).ends(1, &["several clinics", "--clinic"]);
        desk.says(&[&given[..], &["--clinic", "annexe"]].concat())
            .ends(1, &["clinic `annexe` has no such patient"]);
        assert_eq!(desk.number("SELECT COUNT(*) FROM ledger").await, lines);
        desk.says(&[&given[..], &["--clinic", "riverside"]].concat())
            .ends(0, &["patient cy of clinic `riverside`"]);
    }

    async fn a_patient_asks_for_a_copy_and_then_to_be_erased(desk) {
        desk.fills();
        desk.adopts();
        let export = ["patient", "export", "riverside", "ann", "--out", "ann.zip"];
        desk.says(&export).ends(0, &["Written to `ann.zip`"]);
        desk.says(&export).ends(1, &["is there already"]);
        desk.says(&["patient", "export", "riverside", "zoe", "--out", "zoe.zip"])
            .ends(1, &["no such patient"]);
        desk.says(&["patient", "export", "hillside", "ann", "--out", "x.zip"])
            .ends(2, &["there is no clinic `hillside`"]);
        let erase = ["patient", "erase", "riverside", "ann", "--by", "Desk"];
        desk.says(&erase).ends(2, &["--reason"]);
        desk.says(&["patient", "erase", "riverside", "ann", "--by", "ann@mail.test", "--reason", "letter"])
            .ends(2, &["--by", "no address or number"]);
        let naming = [&erase[..], &["--reason", "a call of ann@mail.test"]].concat();
        desk.says(&naming).ends(1, &["--reason", "name nobody"]);
        let asked = desk.says(&[&erase[..], &["--reason", "letter"]].concat())
            .ends(0, &["the record here: erased", "remains: a hash of the email address"]);
        assert!(!asked.out.contains("post.test"), "{asked:#?}");
        let json = desk.says(&[&erase[..], &["--reason", "again", "--json"]].concat())
            .ends(0, &[]).json();
        assert_eq!((&json["done"], &json["reason"]), (&Value::Bool(true), &Value::from("letter")));
        assert_eq!(desk.there("ann"), None);
        let exposed = desk.says(&["report", "--exposure", "riverside", "--people", "--json"])
            .ends(0, &[]).json();
        assert_eq!(exposed[0]["people"][0]["patients"][0], "bo", "{exposed:#}");
        let leave = ["clinic", "offboard", "riverside", "--out", "bye", "--by", "Desk", "--confirm"];
        desk.says(&[&leave[..], &["river"]].concat()).ends(1, &["nothing was done"]);
        desk.says(&[&leave[..], &["riverside"]].concat()).ends(0, &["Done."]);
    }

    async fn a_ledger_changed_by_hand_is_found(desk) {
        desk.fills();
        desk.adopts();
        desk.says(&["ledger", "verify"]).ends(0, &["unbroken"]);
        let json = desk.says(&["ledger", "verify", "--json"]).ends(0, &[]).json();
        assert_eq!(json[0]["broken_at"], Value::Null);
        desk.execute("listwarden.db", "UPDATE ledger_detail SET payload = '{}'").await;
        desk.says(&["ledger", "verify"]).ends(1, &["BROKEN", "restore the last good backup"]);
    }

    async fn a_retired_list_leaves_nobody_behind(desk) {
        desk.fills();
        desk.adopts();
        desk.says(&["list", "retire", "newz", "--yes"]).ends(2, &["newz"]);
        desk.says(&["list", "retire", "news", "--yes", "--json"]).ends(0, &["\"retired\": true"]);
        assert_eq!(desk.there("ann"), Some(Status::Archived));
    }

    async fn a_reader_that_leaves_early_is_no_error_to_report(desk) {
        desk.fills();
        let mut report = command(desk.folder.path(), &["report"]);
        let mut child = report.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let said = Said::of(child.wait_with_output().unwrap());
        assert!(!said.err.contains("panicked"), "{said:#?}");
    }

    // --- Files and views ------------------------------------------------------------------------

    async fn a_file_with_mistakes_is_told_line_by_line_and_nothing_of_it_is_used(desk) {
        desk.write(
            "bad.csv",
            "id,email,status\n1,ann@post.test,actve\n1,bo@post.test,active\n\
             2,\"x\ny@post.test\",active\n3,z@post.test,active,more\n4,ok@post.test,active\n",
        );
        let import = ["patients", "import", "bad.csv"];
        desk.says(&import).ends(1, &[
            "line 2, column status",
            "line 3, column id: stands on line 2",
            "line 4, column email: the address holds a control character",
            "line 6: has 4 fields",
            "Nothing was imported: 4 of 5 rows",
        ]);
        desk.says(&["doctor"]).ends(0, &["0 patients can be read"]);
        let json = desk.says(&[&import[..], &["--json"]].concat()).ends(1, &[]).json();
        assert_eq!((&json["imported"], &json["rejected"]), (&false.into(), &4.into()));
        desk.says(&[&import[..], &["--accept-partial"]].concat()).ends(0, &["Imported 1 rows"]);
        desk.says(&["doctor"]).ends(0, &["1 patients can be read"]);
    }

    async fn a_file_that_cannot_be_read_is_told_as_a_whole(desk) {
        desk.says(&["patients", "import", "none.csv"]).ends(1, &["`none.csv` cannot be opened"]);
        desk.write("header.csv", "id,e-mail,status\n1,ann@post.test,active\n");
        desk.says(&["patients", "import", "header.csv"])
            .ends(1, &["`header.csv`", "line 1, column 2", "did you mean email?"]);
        let latin = [&b"id,email,status,given_name\n1,a@post.test,active,Zo"[..], b"\xeb\n"].concat();
        fs::write(desk.folder.path().join("latin.csv"), latin).unwrap();
        desk.says(&["patients", "import", "latin.csv"])
            .ends(1, &["line 2 is not UTF-8", "CSV UTF-8"]);
        desk.says(&["doctor"]).ends(0, &["0 patients can be read"]);
    }

    async fn a_large_file_is_streamed_and_says_where_it_is(desk) {
        let mut rows = String::from(HEADER);
        for number in 0..20_000 {
            writeln!(rows, "{number},G,p{number}@post.test,active,,,,,").unwrap();
        }
        desk.write("large.csv", &rows);
        desk.says(&["patients", "import", "large.csv"])
            .ends(0, &["Imported 20000 rows", "bytes checked", "bytes imported"]);
    }

    async fn former_patients_are_known_as_dropped(desk) {
        desk.fills();
        desk.subscribed("old");
        desk.write("former.csv", "email\nold@post.test\n");
        desk.says(&["patients", "import", "former.csv", "--former"]).ends(0, &["Imported 1 rows"]);
        desk.adopts();
        assert_eq!(desk.there("old"), Some(Status::Archived));
    }

    async fn a_view_that_lacks_something_is_told_with_the_cure(desk) {
        desk.configures("kind = \"sql\"\nurl = \"sqlite://practice.db\"", "");
        desk.says(&["doctor"]).ends(1, &["MEND"]);
        desk.execute("practice.db", "CREATE VIEW listwarden_patients AS SELECT 1 AS id").await;
        desk.says(&["doctor"]).ends(1, &["status", "updated_at"]);
        desk.execute("practice.db", SMALL_PRACTICE).await;
        desk.says(&["doctor"]).ends(1, &["listwarden_feedback", "CREATE TABLE"]);
    }

    async fn the_sqlite_example_of_the_view_contract_works(desk) {
        let contract = include_str!("../docs/view-contract.md");
        let [feedback, _, _, view] = sql_blocks(contract)[..] else { panic!("examples moved") };
        desk.execute("practice.db", THE_EXAMPLES_TABLES).await;
        desk.execute("practice.db", feedback).await;
        desk.execute("practice.db", view).await;
        desk.configures("kind = \"sql\"\nurl = \"sqlite://practice.db\"", "");
        desk.subscribed("bo");
        desk.says(&["doctor"]).ends(0, &["2 patients can be read", "All is well."]);
        desk.adopts();
        assert_eq!((desk.there("ann"), desk.there("bo")), (Some(Status::Pending), Some(Status::Archived)));
        desk.simulator.contact(&desk.audience, "ann@post.test").confirm().unwrap();
        desk.says(&["reconcile", "--full"]).ends(0, &[]);
        let mut practice = desk.database("practice.db").await;
        let told = sqlx::query("SELECT kind FROM listwarden_feedback WHERE patient_id = '1'");
        let kind: String = told.fetch_one(&mut practice).await.unwrap().get(0);
        assert_eq!(kind, "confirmed");
    }
}

#[test]
fn the_demo_ends_well() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), &["demo", "--patients", "300"]).ends(0, &["held but dropped: 0"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the demo left something behind");
}

/// A view with all it needs, and no table to write back to.
const SMALL_PRACTICE: &str = "DROP VIEW listwarden_patients;
    CREATE TABLE people (id TEXT, mail TEXT);
    CREATE VIEW listwarden_patients AS SELECT id, mail AS email, 'active' AS status,
        '2026-01-01T00:00:00Z' AS updated_at FROM people;";

/// The tables that the SQLite example of docs/view-contract.md stands on.
const THE_EXAMPLES_TABLES: &str = "
    CREATE TABLE clients (id INTEGER, name TEXT, mail TEXT, hidden INTEGER, changed_at INTEGER);
    CREATE TABLE client_tags (client INTEGER, name TEXT);
    CREATE TABLE consents (client INTEGER, topic TEXT, answer TEXT, answered_at INTEGER,
        form TEXT, text_version TEXT, staff TEXT);
    INSERT INTO clients VALUES (1, 'Ann', 'ann@post.test', 0, 1767225600000),
        (2, 'Bo', 'bo@post.test', 1, 1767225600000);
    INSERT INTO consents VALUES (1, 'newsletter', 'granted', 1767225600000, 'web', 'v1', 'Jo');";

#[test]
fn the_bench_counts_the_requests_of_each_run() {
    let folder = TempDir::new().unwrap();
    let bench = |more: &[&str]| {
        let small = ["bench", "--members", "1100", "--latency-ms", "0", "--rounds", "1"];
        let mut command = command(folder.path(), &small);
        Said::of(command.args(more).env("TMPDIR", folder.path()).output().unwrap())
    };
    bench(&["--peer", "idle=false"]).ends(1, &["full sweep, idle", "exit status: 1"]);
    let rows = bench(&["--json"]).ends(0, &[]).json();
    let counted = |row: &Value| {
        let count = |name: &str| row[name].as_u64().unwrap();
        (row["run"].as_str().unwrap().to_owned(), count("page_requests"), count("writes"))
    };
    let counted: Vec<_> = rows.as_array().unwrap()[2..].iter().map(counted).collect();
    let expected = [
        ("fill", 3, 0),
        ("fill: approved", 2, 0),
        ("full sweep", 3, 0),
        ("full sweep, 1 % drift", 3, 7),
        ("1 % drift", 2, 7),
        ("nothing new", 2, 0),
    ];
    assert_eq!(counted, expected.map(|(run, pages, writes)| (run.to_owned(), pages, writes)));
}

fn sql_blocks(text: &str) -> Vec<&str> {
    text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_and_its_making_and_its_end_are_on_record() {
    let desk = Desk::new().await;
    desk.says(&["token", "create", "--role", "king", "--name", "x"]).ends(2, &["viewer"]);
    desk.says(&["token", "create", "--role", "viewer", "--name", "x", "--clinic", "nowhere"])
        .ends(2, &["there is no clinic `nowhere`"]);
    let made = ["token", "create", "--role", "operator", "--name", "front desk", "--json"];
    let made = desk.says(&[&made[..], &["--clinic", "riverside", "--expires", "90d"]].concat());
    let made = made.ends(0, &[]).json();
    let (id, text) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(text.starts_with(&format!("lw_{}_", id.replace('-', ""))));
    let secret = text.rsplit('_').next().unwrap();
    let listed = desk.says(&["token", "list"]).ends(0, &["front desk", "riverside", "holds"]);
    assert!(!listed.out.contains(secret));
    let store = fs::read(desk.folder.path().join("listwarden.db")).unwrap();
    assert!(!store.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    desk.says(&["token", "revoke", id]).ends(0, &["Revoked."]);
    desk.says(&["token", "list"]).ends(0, &["revoked"]);
    desk.says(&["audit", "verify"]).ends(0, &["4 lines, unbroken"]);
    desk.says(&["ledger", "verify"]).ends(0, &["unbroken"]);
}

/// Every command: how one that acts is typed; none for one that looks, or keeps the loop going, whose
/// journal is its record.
const COMMANDS: &[(&str, Option<&[&str]>)] = &[
    ("approve", Some(&["source:riverside"])),
    ("audit verify", None),
    ("bench", None),
    ("clinic offboard", Some(&["riverside", "--out", "out", "--confirm", "oak", "--by", "me"])),
    (
        "consent record",
        Some(&["--patient=ann", "--channel=email", "--by=me", "--method=paper", "--wording=v3"]),
    ),
    ("demo", None),
    ("doctor", None),
    ("explain", None),
    ("init", None),
    ("keys rotate", Some(&[])),
    ("ledger verify", None),
    ("list move", Some(&["news", "--yes"])),
    ("list retire", Some(&["news", "--yes"])),
    ("list scrub", None),
    ("migrate", None),
    ("patient erase", Some(&["riverside", "nobody", "--by=me", "--reason=a letter"])),
    ("patient export", Some(&["riverside", "ann", "--out=ann.zip"])),
    ("patient object", Some(&["riverside", "ann", "--by=me", "--evidence=a letter"])),
    (
        "patient prefer",
        Some(&["riverside", "ann", "--by=me", "--evidence=a letter", "--channel=email"]),
    ),
    ("patient restrict", Some(&["riverside", "ann", "--by=me", "--evidence=a letter"])),
    ("patient unrestrict", Some(&["riverside", "ann", "--by=me", "--evidence=a letter"])),
    ("patients import", Some(&["patients.csv"])),
    ("patients show", None),
    ("plan", None),
    ("reconcile", None),
    ("refuse", Some(&["00000000-0000-0000-0000-000000000000", "--reason=not today"])),
    ("rehearse", None),
    ("report", None),
    ("restored", Some(&[])),
    ("review close", Some(&["00000000-0000-0000-0000-000000000000", "--reason=a joke"])),
    ("review list", None),
    ("serve", None),
    ("simulator", None),
    ("token create", Some(&["--role=viewer", "--name=desk"])),
    ("token list", None),
    ("token revoke", Some(&["00000000-0000-0000-0000-000000000000"])),
    ("webhook list", None),
    ("webhook register", Some(&[])),
    ("webhook remove", Some(&[])),
    ("webhook rotate", Some(&[])),
];

/// Every command that can be typed, by what the program says of itself.
fn typed(folder: &Path, before: &[&str]) -> Vec<String> {
    let help = run(folder, &[before, &["--help"]].concat()).out;
    let Some((_, listed)) = help.split_once("Commands:\n") else { return vec![before.join(" ")] };
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    names.flat_map(|name| typed(folder, &[before, &[name]].concat())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_that_acts_is_on_record_begun_and_ended() {
    let desk = Desk::new().await;
    desk.fills();
    desk.says(&["reconcile"]).ends(3, &[]);
    let mut all = typed(desk.folder.path(), &[]);
    all.sort();
    let listed: Vec<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
    assert_eq!(all, listed, "each command is in the table");
    let mut store = desk.database("listwarden.db").await;
    for (command, acts) in COMMANDS {
        let Some(acts) = acts else { continue };
        let before = desk.number("SELECT COUNT(*) FROM audit").await;
        let words: Vec<&str> = command.split(' ').chain(acts.iter().copied()).collect();
        let said = desk.says(&words);
        let ended = if said.code == 1 { "failed" } else { "done" };
        let lines: Vec<(String, String, String)> =
            sqlx::query_as("SELECT what, outcome, who FROM audit WHERE seq > $1 ORDER BY seq")
                .bind(before)
                .fetch_all(&mut store)
                .await
                .unwrap();
        let told: Vec<_> =
            lines.iter().map(|(what, how, _)| (what.as_str(), how.as_str())).collect();
        assert_eq!(told, [(*command, "begun"), (*command, ended)], "{said:#?}");
        assert!(lines.iter().all(|(.., who)| who.starts_with("command line: ")), "{lines:?}");
    }
    let log = desk.number("SELECT COUNT(*) FROM audit WHERE subject LIKE '%@%' OR subject = 'ann'");
    assert_eq!(log.await, 0, "nobody is named but by our ids");
    desk.says(&["audit", "verify"]).ends(0, &["unbroken"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_key_is_refused_and_changes_nothing() {
    let desk = Desk::new().await;
    desk.fills();
    desk.says(&["reconcile"]).ends(3, &[]);
    desk.write("secrets/master_key", &"6b".repeat(32));
    for command in [&["reconcile"][..], &["plan"], &["report"], &["explain", "ann@post.test"]] {
        desk.says(command).ends(1, &["the store was written with another master key"]);
    }
    desk.says(&["doctor"]).ends(1, &["the store was written with another master key"]);
    // As the current key, with the earlier one retired, it is welcome.
    desk.write("secrets/old_key", &"5a".repeat(32));
    let url = "[store]\nurl = \"sqlite://listwarden.db\"\n";
    desk.write("listwarden.toml", &format!("{url}[keys]\nretired = [\"old_key\"]\n"));
    desk.says(&["reconcile"]).ends(3, &[]);
}
