//! What comes from outside is read or refused, whatever bytes it is made of.
//!
//! `PROPTEST_CASES=20000 cargo test --test fuzz` looks longer. The signatures have their own file,
//! beside the vectors that they are tried on.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use listwarden::config::{Config, Environment, templates};
use listwarden::domain::{Address, Channel, Origin, PatientRecord};
use listwarden::patients::SourceError;
use listwarden::patients::csv::{Options, Sink, Subject, import};
use listwarden::providers::form::Form;
use listwarden::providers::signatures::Delivery;
use listwarden::providers::{
    Malformed, Notice, Provider, WebhookScheme, Word, mailchimp, sinch, twilio,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

/// Few cases, since every build runs them; the environment asks for more.
fn cases(few: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(few),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), select(b"&=+%[]{}\":,;\n\\ 0aA".to_vec())], 0..600)
}

// --- Forms -------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn what_an_encoder_wrote_a_form_gives_back(
        pairs in vec((".{0,40}", ".{0,80}"), 0..40),
    ) {
        let body = Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let form = Form::decode(body.as_bytes());
        let deep = |name: &str| name.len() > 512 || name.matches('[').count() > 8;
        prop_assert_eq!(form.is_err(), pairs.iter().any(|(name, _)| deep(name)));
        let Ok(form) = form else { return Ok(()) };
        for (name, _) in &pairs {
            let (_, last) = pairs.iter().rfind(|(other, _)| other == name).unwrap();
            prop_assert_eq!(form.get(name), Some(last.trim()).filter(|text| !text.is_empty()));
        }
    }

    #[test]
    fn a_form_is_never_larger_than_its_body(body in bytes()) {
        let Ok(form) = Form::decode(&body) else { return Ok(()) };
        let names = body.split(|byte| *byte == b'&');
        let names = names.filter_map(|pair| pair.split(|byte| *byte == b'=').next());
        let names: std::collections::BTreeSet<String> = names
            .filter_map(|name| url::form_urlencoded::parse(name).next())
            .map(|(name, _)| name.into_owned())
            .collect();
        let held: usize = names.iter().map(|name| form.get(name).map_or(0, str::len)).sum();
        prop_assert!(held <= body.len());
    }
}

#[test]
fn what_a_form_holds_is_not_shown() {
    let form = Form::decode(b"data[email]=ann%40post.test").unwrap();
    assert!(!format!("{form:?}").contains("ann"));
}

// --- Deliveries --------------------------------------------------------------------------------

const TWILIO_ACCOUNT: &str = "AC00000000000000000000000000000001";

fn scheme(provider: &Provider) -> Arc<dyn WebhookScheme> {
    let settings = match provider.name {
        "twilio" => json!({"account_sid": TWILIO_ACCOUNT, "sender": "+447700900001"}),
        "sinch" => json!({"project_id": "p", "region": "eu", "sender": "+447700900001"}),
        _ => json!({}),
    };
    let settings: Map<String, Value> = serde_json::from_value(settings).unwrap();
    (provider.webhook.unwrap())(&settings).unwrap()
}

fn read(provider: &Provider, body: &[u8], origin: Origin) -> Result<Vec<Notice>, Malformed> {
    let headers = HeaderMap::new();
    let url = "https://hooks.test/webhooks/1";
    scheme(provider).read(&Delivery { method: &Method::POST, url, headers: &headers, body }, origin)
}

fn opted_out(notices: &[Notice]) -> bool {
    notices
        .iter()
        .any(|notice| matches!(notice.word, Word::OptedOut { .. } | Word::HoldsOptOut { .. }))
}

fn said(body: &[u8], word: &str) -> bool {
    let text: Vec<_> = url::form_urlencoded::parse(body).into_owned().collect();
    text.iter().any(|(_, value)| value.to_ascii_lowercase().contains(word))
}

/// What a notice holds besides its address, in bytes.
fn held(notice: &Notice) -> usize {
    let word = match &notice.word {
        Word::OptedOut { evidence, .. } | Word::HoldsOptOut { evidence, .. } => {
            evidence.as_ref().map_or(0, String::len)
        }
        Word::Replied { text, .. } => text.expose().len(),
        _ => 0,
    };
    let texts = [&notice.id, &notice.list, &notice.sender];
    word + texts.iter().filter_map(|text| text.as_ref()).map(String::len).sum::<usize>()
}

/// Fields that decide something, with values that do, and a few that come close.
fn fields(
    names: &'static [&'static str],
    values: &'static [&'static str],
) -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![8 => select(names).prop_map(str::to_owned), 1 => "[a-zA-Z\\[\\]]{0,12}"];
    let value = prop_oneof![8 => select(values).prop_map(str::to_owned), 1 => ".{0,20}"];
    vec((name, value), 0..10)
}

fn last<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().rfind(|(other, _)| other == name).map_or("", |(_, value)| value.trim())
}

fn origin() -> impl Strategy<Value = Origin> {
    select(vec![Origin::Any, Origin::Contact, Origin::Staff])
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn no_delivery_is_more_than_its_body_or_an_opt_out_that_it_does_not_name(
        body in bytes(),
        origin in origin(),
    ) {
        for provider in [mailchimp::PROVIDER, twilio::PROVIDER, sinch::PROVIDER] {
            let notices = read(&provider, &body, origin).unwrap_or_default();
            prop_assert!(notices.len() <= 2);
            prop_assert!(notices.iter().all(|notice| held(notice) <= 2 * body.len() + 100));
            let named = said(&body, "unsub") || said(&body, "abuse") || said(&body, "stop")
                || said(&body, "21610");
            prop_assert!(!opted_out(&notices) || named && provider.name != "sinch");
        }
    }

    #[test]
    fn a_mailchimp_form_opts_out_by_the_contacts_unsub_and_by_a_spam_report_alone(
        pairs in fields(
            &["type", "data[action]", "data[reason]", "data[email]", "data[campaign_id]"],
            &["unsubscribe", "unsub", "delete", "cleaned", "abuse", "hard", "profile", "upemail",
              "Unsubscribe", "unsub ", "ann@post.test", ""],
        ),
        origin in origin(),
    ) {
        let body = Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let own = last(&pairs, "type") == "unsubscribe"
            && last(&pairs, "data[action]") == "unsub"
            && origin != Origin::Staff;
        let spam = last(&pairs, "type") == "cleaned" && last(&pairs, "data[reason]") == "abuse";
        let notices = read(&mailchimp::PROVIDER, body.as_bytes(), origin).unwrap_or_default();
        prop_assert_eq!(opted_out(&notices), own || spam);
    }

    #[test]
    fn a_twilio_form_opts_out_by_its_own_stop_and_by_a_refused_text_alone(
        pairs in fields(
            &["MessageSid", "SmsStatus", "MessageStatus", "AccountSid", "OptOutType", "ErrorCode",
              "From", "To", "Body"],
            &["SM1", "received", "failed", "delivered", TWILIO_ACCOUNT, "STOP", "stop", "HELP",
              "STOPPED", "21610", "30003", "+447911123456", ""],
        ),
    ) {
        let body = Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let of = |name: &str| last(&pairs, name);
        let status = if of("MessageStatus").is_empty() { of("SmsStatus") } else { of("MessageStatus") };
        let is_text = status.is_empty() && !(of("Body").is_empty() && of("OptOutType").is_empty());
        let inbound = is_text || (of("MessageStatus").is_empty() && status == "received");
        let stop = inbound && of("OptOutType").eq_ignore_ascii_case("stop");
        let refused = !inbound && ["failed", "undelivered"].contains(&status)
            && of("ErrorCode").parse() == Ok(21_610);
        let names: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
        let ours = of("AccountSid") == TWILIO_ACCOUNT && !of("MessageSid").is_empty()
            && names.len() == pairs.len();
        let notices = read(&twilio::PROVIDER, body.as_bytes(), Origin::Any).unwrap_or_default();
        prop_assert_eq!(opted_out(&notices), ours && (stop || refused));
    }

    #[test]
    fn nothing_that_sinch_sends_is_an_opt_out_by_its_word(
        kind in "(mo_text|mo_media|recipient_delivery_report_sms|opt_out|.{0,12})",
        text in "(STOP|stop|unsubscribe|.{0,20})",
        status in "(Delivered|Failed|Rejected|.{0,9})",
        code in any::<u16>(),
    ) {
        let body = json!({
            "type": kind, "from": "447911123456", "recipient": "447911123456", "body": text,
            "status": status, "code": code, "batch_id": "b1", "opt_out_notification": {},
        });
        let notices = read(&sinch::PROVIDER, body.to_string().as_bytes(), Origin::Any).unwrap();
        prop_assert!(!opted_out(&notices));
    }
}

#[test]
fn a_body_nested_without_end_is_refused() {
    let body = "[".repeat(1 << 20);
    assert!(read(&sinch::PROVIDER, body.as_bytes(), Origin::Any).is_err());
    let body = format!("{{\"type\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(&sinch::PROVIDER, body.as_bytes(), Origin::Any).is_err());
}

// --- Addresses ---------------------------------------------------------------------------------

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn an_address_that_was_taken_is_taken_again_as_it_is(
        raw in prop_oneof![
            any::<String>(),
            "[a-zA-Z0-9.+_'-]{1,20}@([a-zA-Zäßéøµ0-9-]{1,12}\\.){1,3}[a-z]{1,6}\\.?",
        ],
    ) {
        let Ok(address) = Address::email(&raw) else { return Ok(()) };
        prop_assert!(address.expose().len() <= 254 && address.expose().is_ascii());
        prop_assert!(!address.expose().contains(|c: char| c.is_control() || c.is_whitespace()));
        prop_assert_eq!(Address::email(address.expose()), Ok(address.clone()));
        prop_assert_eq!(Address::email(&raw.to_ascii_uppercase()).is_ok_and(|other| other != address), false);
    }

    #[test]
    fn a_number_that_was_taken_is_taken_again_as_it_is(
        raw in prop_oneof![
            any::<String>(),
            "(\\+|00)?[0-9() ./-]{0,24}(x|ext\\.|;ext=)?[0-9]{0,6}",
            "(\\+44|0044|01144|0)7[0-9]{9}",
            "(\\+|00|011)(7|39|54|52|86)[0-9]{8,11}",
        ],
        country in select(vec![None, Some("GB"), Some("US"), Some("IT"), Some("??"), Some("")]),
    ) {
        let Ok(address) = Address::mobile(&raw, country) else { return Ok(()) };
        prop_assert_eq!(address.channel(), Channel::Sms);
        let digits = address.expose().strip_prefix('+').unwrap();
        prop_assert!((4..=17).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
        prop_assert_eq!(Address::mobile(address.expose(), None), Ok(address));
    }
}

// --- Configuration -----------------------------------------------------------------------------

const CLINIC: &str = r#"time_zone = "Europe/London"
[source]
kind = "reference"
[accounts.main]
provider = "mailchimp"
api_key = "mailchimp_key"
[lists.news]
account = "main"
audience = "a1"
unknown = "report"
unproven = "hold"
"#;

/// What somebody may have written where only its name belongs.
const SECRET: &str = "hunter2hunter2";

/// Loads a deployment; what it says of its mistakes names a file, a mistake and a cure.
fn load(deployment: &[u8], clinic: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("listwarden.toml");
    std::fs::create_dir(folder.path().join("clinics")).unwrap();
    std::fs::write(&path, deployment).unwrap();
    std::fs::write(folder.path().join("clinics/riverside.toml"), clinic).unwrap();
    match Config::load(&path, &Environment::default()) {
        Ok(config) => !config.clinics.is_empty(),
        Err(errors) => {
            assert!(!errors.is_empty());
            for problem in errors.all() {
                assert!(!problem.what.is_empty() && !problem.cure.is_empty(), "{problem}");
                let said = format!("{} {}", problem.what, problem.cure);
                assert!(!said.contains(SECRET), "a value is repeated: {problem}");
            }
            false
        }
    }
}

/// Values that are of a wrong type, too large, or no TOML at all.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("[[[[[[]]]]]]".to_owned()),
        Just(format!("\"{SECRET}\"")),
        Just(format!("[\"{SECRET}\", \"{SECRET}\"]")),
        Just(format!("{{ a = \"{SECRET}\" }}")),
        Just(format!("\"{SECRET}")),
        "(nan|inf|-0.0|1e400|true|0|-1|101|\"\")",
        "\"[0-9]{1,20}[smhdw]\"",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "\"(sqlite|postgres|http|https)://[a-z:@/.?=&%0-9]{0,20}\"",
        "\"[0-9]{1,3}\\.[0-9]{1,3}\\.0\\.1:[0-9]{1,6}\"",
        "\"(\\* ){5,6}(\\*|[0-9]{1,3})\"",
        ".{0,30}",
    ]
}

/// Puts `value` in the place of the value on one of the lines, commented out or not.
fn with(text: &str, place: usize, value: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let keyed: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(" = ")).collect();
    let place = keyed[place % keyed.len()];
    let changed = lines.iter().enumerate().map(|(number, line)| match line.split_once(" = ") {
        Some((key, _)) if number == place => {
            format!("{} = {value}\n", key.trim_start_matches(['#', ' ']))
        }
        _ => format!("{line}\n"),
    });
    changed.collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn no_text_whatever_is_a_configuration_by_chance(deployment in bytes(), clinic in bytes()) {
        prop_assert!(!load(&deployment, &clinic));
        load(b"", &[CLINIC.as_bytes(), b"\n", &clinic].concat());
    }

    #[test]
    fn no_value_whatever_makes_reading_a_configuration_panic(
        changes in vec((any::<bool>(), any::<usize>(), value()), 1..4),
    ) {
        let mut deployment = templates::DEPLOYMENT.to_owned();
        let mut clinic = templates::CLINIC.replace("unknown = \"\"", "unknown = \"report\"");
        clinic = clinic.replace("unproven = \"\"", "unproven = \"hold\"");
        for (of_clinic, place, value) in &changes {
            let text = if *of_clinic { &mut clinic } else { &mut deployment };
            *text = with(text, *place, value);
        }
        load(deployment.as_bytes(), clinic.as_bytes());
    }
}

#[test]
fn what_the_configurations_are_made_of_is_one() {
    assert!(load(b"", CLINIC.as_bytes()));
}

// --- Rows of a CSV file ------------------------------------------------------------------------

#[derive(Default)]
struct Taken(Vec<PatientRecord>);

#[async_trait]
impl Sink for Taken {
    async fn page(&mut self, records: Vec<PatientRecord>) -> Result<(), SourceError> {
        self.0.extend(records);
        Ok(())
    }
}

fn imported(file: Vec<u8>, subject: Subject) -> Vec<PatientRecord> {
    let now = DateTime::<Utc>::from_timestamp(1_767_225_600, 0).unwrap();
    let options = Options { accept_partial: true, ..Options::new(subject, now) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut taken = Taken::default();
    drop(runtime.block_on(import(Cursor::new(file), options, &mut taken, Arc::new(|_| ()))));
    taken.0
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn rows_of_any_bytes_make_no_more_records_than_there_are_lines(body in bytes()) {
        let lines = body.iter().filter(|byte| [b'\n', b'\r'].contains(byte)).count() + 1;
        let patients = [b"id,status,email,family_name,tags\n".as_slice(), &body].concat();
        prop_assert!(imported(patients, Subject::Patients).len() <= lines);
        let former = [b"email,mobile\n".as_slice(), &body].concat();
        let id = Subject::Former(Arc::new(|address| address.expose().to_owned()));
        // An address of each channel makes a record of its own.
        prop_assert!(imported(former, id).len() <= 2 * lines);
        imported(body, Subject::Patients);
    }

    #[test]
    fn what_a_spreadsheet_wrote_is_taken_as_it_was(
        names in vec("[^\\x00-\\x1f\\x7f-\\x9f]{0,40}", 1..20),
    ) {
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(["id", "status", "email", "family_name"]).unwrap();
        for (number, name) in names.iter().enumerate() {
            let email = format!("p{number}@post.test");
            file.write_record([&number.to_string(), "active", &email, name]).unwrap();
        }
        let taken = imported(file.into_inner().unwrap(), Subject::Patients);
        let taken: Vec<_> = taken.iter().map(|record| record.family_name.expose()).collect();
        let names: Vec<_> = names.iter().map(|name| name.trim()).collect();
        prop_assert_eq!(taken, names);
    }
}
