//! Configuration: every mistake at once, each with its file, key, line and cure.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use listwarden::config::{
    Config, ConfigErrors, DatabaseUrl, Environment, Grant, Secrets, SmtpTls, SourceKind,
    policy_digest, templates,
};
use listwarden::domain::Role;
use listwarden::domain::policy::{LeaveBy, SoftOptInEntry, UnknownMembers, UnprovenMembers};
use secrecy::ExposeSecret;

/// A folder with a deployment file and clinics.
struct Deployment(tempfile::TempDir);

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

impl Deployment {
    fn new(deployment: &str, clinics: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("clinics")).unwrap();
        std::fs::write(dir.path().join("listwarden.toml"), deployment).unwrap();
        for (name, text) in clinics {
            std::fs::write(dir.path().join("clinics").join(name), text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("listwarden.toml")
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(&self.path(), &Environment::default())
    }
}

fn load(clinic: &str) -> Result<Config, ConfigErrors> {
    Deployment::new("", &[("riverside.toml", clinic)]).load()
}

/// Loads a clinic with one line replaced or, where `old` is empty, added to the list.
fn changed(old: &str, new: &str) -> Result<Config, ConfigErrors> {
    let text =
        if old.is_empty() { format!("{CLINIC}{new}\n") } else { CLINIC.replacen(old, new, 1) };
    assert!(text != CLINIC, "{old} is not in the clinic");
    load(&text)
}

/// The only mistake after a change: line, key, and the whole sentence.
fn mistake(old: &str, new: &str) -> (usize, String, String) {
    let errors = changed(old, new).unwrap_err();
    assert_eq!(errors.all().len(), 1, "{errors}");
    let problem = &errors.all()[0];
    assert!(problem.file.ends_with("clinics/riverside.toml"));
    (problem.place.map_or(0, |place| place.0), problem.key.clone(), problem.to_string())
}

#[test]
fn a_small_clinic_is_complete_with_its_defaults() {
    let config = load(CLINIC).unwrap();
    assert_eq!(config.run.full_sweep_every, TimeDelta::hours(24));
    assert_eq!(config.keys.master, "master_key");
    let clinic = config.clinic("riverside").unwrap();
    assert_eq!((clinic.title.as_str(), clinic.time_zone.name()), ("riverside", "Europe/London"));
    assert_eq!((clinic.source.kind, clinic.source.page_size), (SourceKind::Reference, 1000));
    assert!(format!("{:?}", clinic.source.url).ends_with("/riverside-patients.db"));
    let policy = &clinic.list("news").unwrap().policy;
    assert_eq!((policy.unknown, policy.unproven), (UnknownMembers::Report, UnprovenMembers::Hold));
    assert_eq!((policy.on_drop, policy.soft_opt_in), (LeaveBy::Archive, SoftOptInEntry::Refuse));
    assert!(policy.double_opt_in && policy.age_of_consent == 16);
    assert_eq!(policy.invitation_expires, TimeDelta::days(30));
    assert_eq!((policy.brake.percent, policy.freshness), (10, TimeDelta::hours(24)));
}

#[test]
fn every_key_of_a_clinic_is_taken() {
    let text = r#"
        name = "hill"
        title = "Hill Street"
        country = "gb"
        time_zone = "Europe/Dublin"
        age_of_consent = 18
        [source]
        kind = "sql"
        url_secret = "patients_url"
        page_size = 500
        overlap = "10m"
        [accounts.eu]
        provider = "mailchimp"
        api_key = "eu_key"
        base_url = "http://127.0.0.1:9"
        in_flight = 3
        [lists.news]
        account = "eu"
        audience = "a1"
        channel = "email"
        purpose = "newsletter"
        selector = { any = ["a", "b"], all = ["c"], none = ["d"] }
        double_opt_in = false
        soft_opt_in = "direct"
        attested = { by = "Dr A.", on = 2026-01-31 }
        unknown = "archive"
        unproven = "archive_and_invite"
        on_drop = "unsubscribe"
        on_return = "restore"
        cleaned = "report"
        shared_fields = "oldest_grant"
        grandfather_before = "2024-05-25"
        invitation_expires = "2w"
        unadopted_after = "60d"
        freshness = "12h"
        fields = { FNAME = "given_name", LNAME = "family_name" }
        tags = { dental = "Dental news" }
        brake = { percent = 20, at_least = 1, at_most = 9, invitations = 0 }
    "#;
    let config = load(text).unwrap();
    let clinic = config.clinic("hill").unwrap();
    assert_eq!(clinic.country.as_deref(), Some("GB"));
    assert_eq!(clinic.source.url, DatabaseUrl::Secret("patients_url".to_owned()));
    assert_eq!(clinic.accounts["eu"].settings["in_flight"], 3);
    assert_eq!(clinic.accounts["eu"].settings["base_url"], "http://127.0.0.1:9");
    let list = clinic.list("news").unwrap();
    assert_eq!(list.attested.as_ref().unwrap().on.to_string(), "2026-01-31");
    assert_eq!(list.policy.age_of_consent, 18);
    assert_eq!((list.policy.fields.len(), list.policy.tags["dental"].as_str()), (2, "Dental news"));
    assert_eq!(list.policy.grandfather_before, Some("2024-05-25".parse().unwrap()));
    assert_eq!((list.policy.brake.at_most, list.policy.brake.invitations), (9, 0));
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_files() {
    let clinic = "time_zone = \"Mars/Base\"\n[source]\nkind = \"sql\"\n[accounts.main]\nprovider = \"mailchump\"\n";
    let deployment = Deployment::new("", &[("a.toml", clinic), ("b.toml", "title = 3\n")]);
    let errors = deployment.load().unwrap_err();
    let keys: Vec<&str> = errors.all().iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "time_zone",
        "source.url",
        "accounts.main.api_key",
        "accounts.main.provider",
        "source.kind",
        "title",
    ] {
        assert!(keys.contains(&key), "{key}: {errors}");
    }
    assert!(
        errors.to_string().starts_with(&format!("{} mistakes in the configuration:", keys.len()))
    );
    assert!(errors.to_string().contains("a.toml:1:1: time_zone"));
    assert!(errors.to_string().contains("Did you mean mailchimp?"));
}

#[test]
fn a_missing_choice_about_strangers_explains_all_three() {
    let (line, key, text) = mistake("unknown = \"report\"\n", "");
    assert_eq!((line, key.as_str()), (7, "lists.news.unknown"));
    for choice in ["\"keep\"", "\"report\"", "\"archive\""] {
        assert!(text.contains(choice), "{text}");
    }
    assert!(mistake("\"report\"", "\"delete\"").2.contains("\"keep\""));
}

#[test]
fn a_missing_choice_about_the_unproven_explains_both() {
    let (_, key, text) = mistake("unproven = \"hold\"", "");
    assert_eq!(key, "lists.news.unproven");
    assert!(text.contains("\"hold\"") && text.contains("\"archive_and_invite\""));
}

#[test]
fn a_key_nobody_knows_is_refused_with_what_was_meant() {
    let (line, key, text) = mistake("audience = \"a1\"", "audience = \"a1\"\non_dropp = \"erase\"");
    assert_eq!((line, key.as_str()), (10, "lists.news.on_dropp"));
    assert!(text.contains("Did you mean `on_drop`?"), "{text}");
    assert!(mistake("time_zone", "zzz = 1\ntime_zone").2.contains("Known here: "));
}

#[test]
fn a_key_where_its_name_belongs_is_refused_and_not_repeated() {
    let key = "0123456789abcdef0123456789abcdef-us6";
    let (line, name, text) = mistake("mailchimp_key", key);
    assert_eq!((line, name.as_str()), (6, "accounts.main.api_key"));
    assert!(!text.contains("0123") && text.contains("LISTWARDEN_SECRET_"), "{text}");
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let url = "kind = \"sql\"\nurl = \"postgres://u:hunter2@host/db\"";
    let (_, key, text) = mistake("kind = \"reference\"", url);
    assert_eq!(key, "source.url");
    assert!(!text.contains("hunter2") && text.contains("url_secret"), "{text}");
    assert!(
        !format!(
            "{}",
            changed("kind = \"reference\"", "kind = \"sql\"\nurl = postgres://u:hunter2@h/d")
                .unwrap_err()
        )
        .contains("hunter2")
    );
}

#[test]
fn a_soft_opt_in_needs_an_admins_word() {
    let (_, key, text) = mistake("", "soft_opt_in = \"pending\"");
    assert_eq!(key, "lists.news.attested");
    assert!(text.contains("simple way to refuse"), "{text}");
    changed("", "soft_opt_in = \"pending\"\nattested = { by = \"A\", on = 2026-01-01 }").unwrap();
    assert_eq!(
        mistake("", "soft_opt_in = \"pending\"\nattested = { by = \"A\" }").1,
        "lists.news.attested.on"
    );
}

#[test]
fn each_wrong_value_is_told_with_its_cure() {
    for (old, new, key, cure) in [
        ("Europe/London", "Europe/Londn", "time_zone", "Did you mean Europe/London?"),
        ("time_zone", "country = \"UK\"\ntime_zone", "country", "GB"),
        ("time_zone", "age_of_consent = 12\ntime_zone", "age_of_consent", "from 13 to 25"),
        ("time_zone", "name = \"A B\"\ntime_zone", "name", "small letters"),
        ("time_zone", "title = 5\ntime_zone", "title", "quotation marks"),
        ("\"reference\"", "\"excel\"", "source.kind", "view-contract.md"),
        ("\"reference\"", "\"reference\"\npage_size = 0", "source.page_size", "1000"),
        ("\"reference\"", "\"reference\"\noverlap = \"soon\"", "source.overlap", "\"5m\""),
        (
            "\"reference\"",
            "\"reference\"\nnotes = [\"withdrawn\"]",
            "source.notes",
            "opt-outs are always told",
        ),
        ("\"reference\"", "\"sql\"", "source.url", "sqlite://FILE"),
        ("\"reference\"", "\"sql\"\nurl = \"mysql://h/d\"", "source.url", "postgres://"),
        (
            "\"reference\"",
            "\"sql\"\nurl = \"sqlite://x\"\nurl_secret = \"x\"",
            "source.url_secret",
            "Keep `url`",
        ),
        ("account = \"main\"", "account = \"mian\"", "lists.news.account", "Did you mean main?"),
        ("audience = \"a1\"", "audience = \"\"", "lists.news.audience", "Fill it"),
        ("", "double_opt_in = \"yes\"", "lists.news.double_opt_in", "without quotation marks"),
        ("", "on_drop = \"delete\"", "lists.news.on_drop", "archive, unsubscribe, erase"),
        ("", "channel = \"sms\"", "lists.news.channel", "remove the line"),
        ("", "grandfather_before = \"May\"", "lists.news.grandfather_before", "2024-05-25"),
        ("", "invitation_expires = \"1h\"", "lists.news.invitation_expires", "30d"),
        (
            "",
            "fields = { NOTE = \"diagnosis\" }",
            "lists.news.fields.NOTE",
            "given_name, family_name",
        ),
        (
            "",
            "selector = { all = [\"a\"], none = [\"a\"] }",
            "lists.news.selector.none",
            "Remove the tag",
        ),
        ("", "selector = { some = [\"a\"] }", "lists.news.selector.some", "known"),
        ("", "brake = { percent = 200 }", "lists.news.brake.percent", "from 1 to 100"),
        ("", "brake = { at_least = 9, at_most = 5 }", "lists.news.brake.at_most", "lower at_least"),
        ("", "tags = [\"a\"]", "lists.news.tags", "[lists.news.tags]"),
        ("", "shared_with = [\"other\"]", "lists.news.shared_with", "clinic/list"),
        ("lists.news", "lists.\"The News\"", "lists.The News", "small letters"),
    ] {
        let (line, found, text) = mistake(old, new);
        assert_eq!(found, key, "{text}");
        assert!(line > 0 && text.contains(cure), "{text}");
    }
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let (line, _, text) = mistake("time_zone = \"Europe/London\"", "time_zone = \"Europe/London");
    assert_eq!(line, 1);
    assert!(text.contains("not valid TOML"), "{text}");
}

#[test]
fn an_audience_belongs_to_one_list_or_both_sides_say_so() {
    let share = |with: &str| format!("{CLINIC}shared_with = [\"{with}/news\"]\n");
    let load = |a: &str, b: &str| Deployment::new("", &[("a.toml", a), ("b.toml", b)]).load();
    let errors = load(CLINIC, CLINIC).unwrap_err();
    assert_eq!(errors.all().len(), 2);
    assert!(
        errors
            .to_string()
            .contains("a.toml:9:1: lists.news.audience: the audience is also that of b/news")
    );
    assert_eq!(load(&share("b"), CLINIC).unwrap_err().all().len(), 1, "one side is not enough");
    let both = load(&share("b"), &share("a")).unwrap();
    assert_eq!(
        both.clinic("a").unwrap().list("news").unwrap().shared_with[0].to_string(),
        "b/news"
    );
    let other = share("b").replace("\"a1\"", "\"a2\"");
    assert!(
        load(&other, CLINIC).unwrap_err().to_string().contains("b/news does not use this audience")
    );
}

#[test]
fn two_clinics_of_one_name_are_refused() {
    let named = format!("name = \"a\"\n{}", CLINIC.replace("\"a1\"", "\"a2\""));
    let errors = Deployment::new("", &[("a.toml", CLINIC), ("b.toml", &named)]).load().unwrap_err();
    assert!(errors.to_string().contains("names its clinic `a`"), "{errors}");
}

#[test]
fn one_clinics_mistake_stops_no_other_clinic() {
    let deployment = Deployment::new("", &[("a.toml", CLINIC), ("b.toml", "nonsense")]);
    let (config, problems) =
        Config::load_sound(&deployment.path(), &Environment::default()).unwrap();
    assert_eq!(config.clinics.len(), 1);
    assert_eq!(problems.all().len(), 1);
    assert!(deployment.load().is_err());
}

#[test]
fn a_deployment_without_clinics_files_or_a_file_is_refused() {
    assert!(Deployment::new("", &[]).load().unwrap_err().to_string().contains("holds no clinic"));
    let missing = Config::load(Path::new("/nowhere/listwarden.toml"), &Environment::default());
    assert!(missing.unwrap_err().to_string().contains("cannot be read"));
    let elsewhere = Deployment::new("clinics_dir = \"gone\"", &[("a.toml", CLINIC)]).load();
    assert!(elsewhere.unwrap_err().to_string().contains("clinics_dir"));
}

#[test]
fn the_deployment_file_is_checked_like_the_others() {
    for (text, wanted) in [
        ("[run]\nlease_ttl = \"1s\"", "listwarden.toml:2:1: run.lease_ttl"),
        ("[store]\nurl = \"postgres://u:p@h/d\"", "listwarden.toml:2:1: store.url"),
        ("[keys]\nretired = [\"A KEY\"]", "keys.retired"),
        ("[stroe]\n", "Did you mean `store`?"),
        ("store = 1\n", "[store]"),
    ] {
        let errors = Deployment::new(text, &[("a.toml", CLINIC)]).load().unwrap_err();
        assert!(errors.to_string().contains(wanted), "{errors}");
    }
}

#[test]
fn clinics_may_lie_in_several_folders_and_hidden_files_are_left_alone() {
    let deployment = Deployment::new(
        "clinics_dir = [\"clinics\", \"more\"]",
        &[("a.toml", CLINIC), (".b.toml", "x"), ("README", "x")],
    );
    std::fs::create_dir(deployment.0.path().join("more")).unwrap();
    std::fs::write(deployment.0.path().join("more/c.toml"), CLINIC.replace("a1", "a2")).unwrap();
    assert_eq!(deployment.load().unwrap().clinics.len(), 2);
}

#[test]
fn the_environment_has_the_last_word_about_store_and_folders() {
    let deployment =
        Deployment::new("clinics_dir = \"gone\"\nsecrets_dir = \"gone\"", &[("a.toml", CLINIC)]);
    let environment = Environment::from_iter([
        ("LISTWARDEN_STORE_URL", "postgres://u:hunter2@h/d"),
        ("LISTWARDEN_CLINICS_DIR", "clinics"),
        ("LISTWARDEN_SECRETS_DIR", "secrets"),
    ]);
    let config = Config::load(&deployment.path(), &environment).unwrap();
    let url = config.store.resolve(&config.secrets, None).unwrap();
    assert_eq!(url.expose_secret(), "postgres://u:hunter2@h/d");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_store_is_beside_the_deployment_file() {
    let deployment = Deployment::new("", &[("a.toml", CLINIC)]);
    let config = deployment.load().unwrap();
    let url = config.store.resolve(&config.secrets, None).unwrap();
    assert_eq!(
        url.expose_secret(),
        format!("sqlite://{}/listwarden.db", deployment.0.path().display())
    );
}

#[test]
fn a_secret_is_a_file_or_a_variable_and_its_absence_names_both() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("hill-st")).unwrap();
    let file = dir.path().join("hill-st/mailchimp_key");
    let secrets = Secrets::new(dir.path().to_owned(), Environment::default());
    let error = secrets.of_clinic("hill-st", "mailchimp_key").unwrap_err().to_string();
    assert!(
        error.contains("hill-st/mailchimp_key")
            && error.contains("LISTWARDEN_SECRET_HILL_ST_MAILCHIMP_KEY"),
        "{error}"
    );
    std::fs::write(&file, "hunter2\r\n").unwrap();
    assert_eq!(secrets.of_clinic("hill-st", "mailchimp_key").unwrap().expose_secret(), "hunter2");
    let environment = Environment::from_iter([
        ("LISTWARDEN_SECRET_HILL_ST_MAILCHIMP_KEY", "first"),
        ("LISTWARDEN_MASTER_KEY", "m"),
    ]);
    let both = Secrets::new(dir.path().to_owned(), environment);
    assert_eq!(both.of_clinic("hill-st", "mailchimp_key").unwrap().expose_secret(), "first");
    assert_eq!(both.of_deployment("master_key").unwrap().expose_secret(), "m");
    assert!(secrets.of_clinic("hill-st", "../x").is_err());
    std::fs::write(&file, " \n").unwrap();
    assert!(
        secrets.of_clinic("hill-st", "mailchimp_key").unwrap_err().to_string().contains("is empty")
    );
    assert!(!format!("{both:?}").contains("first"));
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master_key");
    std::fs::write(&file, "x").unwrap();
    let secrets = Secrets::new(dir.path().to_owned(), Environment::default());
    let allow =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o644);
    assert!(secrets.deployment_warning("master_key").unwrap().contains("chmod 600"));
    allow(0o600);
    assert_eq!(secrets.deployment_warning("master_key"), None);
}

#[test]
fn the_templates_are_sound_once_the_two_choices_are_made() {
    let open =
        Deployment::new(templates::DEPLOYMENT, &[("example.toml", templates::CLINIC)]).load();
    let open = open.unwrap_err();
    let keys: Vec<&str> = open.all().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["lists.news.unknown", "lists.news.unproven"]);
    let filled = templates::CLINIC
        .replace("unknown = \"\"", "unknown = \"report\"")
        .replace("unproven = \"\"", "unproven = \"hold\"");
    let config =
        Deployment::new(templates::DEPLOYMENT, &[("example.toml", &filled)]).load().unwrap();
    let plain = load(&filled).unwrap();
    let policy = |config: &Config| policy_digest(&config.clinics[0].lists[0].policy);
    assert_eq!(policy(&config), policy(&plain));
    assert_eq!(policy(&config), policy(&load(CLINIC).unwrap()), "the templates show the defaults");
}

#[test]
fn what_the_templates_show_as_comments_is_sound_too() {
    let filled: String = templates::CLINIC
        .replace("unknown = \"\"", "unknown = \"report\"")
        .replace("unproven = \"\"", "unproven = \"hold\"")
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.contains(" = ")
                    && !rest.starts_with("url")
                    && !rest.starts_with("FNAME") =>
            {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    load(&filled).unwrap();
}

#[test]
fn a_changed_policy_has_another_digest_and_the_same_one_the_same() {
    let digest = |new: &str| policy_digest(&changed("", new).unwrap().clinics[0].lists[0].policy);
    let plain = digest("# nothing");
    assert_eq!(plain.len(), 64);
    assert_eq!(plain, digest("double_opt_in = true"));
    let changes = [
        "double_opt_in = false",
        "purpose = \"x\"",
        "selector = { any = [\"a\"] }",
        "freshness = \"2h\"",
        "brake = { percent = 11 }",
        "tags = { a = \"b\" }",
        "fields = { F = \"given_name\" }",
        "on_drop = \"erase\"",
        "grandfather_before = 2024-01-01",
    ];
    let mut seen: Vec<String> = changes.iter().map(|new| digest(new)).collect();
    seen.push(plain);
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[test]
fn every_key_is_in_the_documentation() {
    let docs = include_str!("../../docs/configuration.md");
    for template in [templates::DEPLOYMENT, templates::CLINIC] {
        for line in template.lines() {
            let line = line.trim_start_matches("# ");
            let Some((key, _)) = line.split_once(" = ") else { continue };
            if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                assert!(docs.contains(&format!("`{key}`")), "docs/configuration.md lacks {key}");
            }
        }
    }
}

/// A clinic with a list of numbers; `more` is added to the list.
fn texting(more: &str) -> Result<Config, ConfigErrors> {
    let clinic = CLINIC
        .replace("provider = \"mailchimp\"", "provider = \"twilio\"\naccount_sid = \"AC00000000000000000000000000000001\"\nsender = \"+447700900001\"")
        .replace("time_zone =", "title = \"Hill St\"\ntime_zone =");
    load(&format!("{clinic}{more}\n"))
}

#[test]
fn a_list_of_numbers_asks_by_text_in_the_clinics_hours() {
    let config = texting("").unwrap();
    let policy = &config.clinic("riverside").unwrap().list("news").unwrap().policy;
    let asking = policy.asking.as_ref().unwrap();
    assert!(asking.text.starts_with("Hill St: reply YES"), "{}", asking.text);
    assert_eq!(asking.hours.zone.name(), "Europe/London");
    assert_eq!(policy.invitation_expires, TimeDelta::hours(72));
    let early = texting("invitation_hours = \"08:30-19:00\"").unwrap();
    let policy = &early.clinic("riverside").unwrap().list("news").unwrap().policy;
    assert_eq!(policy.asking.as_ref().unwrap().hours.from.to_string(), "08:30:00");
    assert!(
        load(CLINIC)
            .unwrap()
            .clinic("riverside")
            .unwrap()
            .list("news")
            .unwrap()
            .policy
            .asking
            .is_none()
    );
}

#[test]
fn a_text_that_asks_names_the_clinic_yes_and_stop() {
    let long = format!("invitation_text = \"{{clinic}}’s YES STOP {}\"", "x".repeat(203));
    let long = long.as_str();
    for (more, what) in [
        ("invitation_text = \"Reply YES for news, STOP to refuse\"", "does not name the clinic"),
        ("invitation_text = \"{clinic}: news? STOP to refuse\"", "does not say how to agree"),
        ("invitation_text = \"{clinic}: reply YES\"", "does not say how to refuse"),
        (
            long,
            "lists.news.invitation_text: is too long for a text message: 222 of 201, as `’` is not",
        ),
        ("invitation_hours = \"20:00-09:00\"", "are no hours to send texts in"),
        ("invitation_hours = \"02:00-04:00\"", "are no hours to send texts in"),
        ("invitation_hours = \"all day\"", "are no hours to send texts in"),
    ] {
        let errors = texting(more).unwrap_err();
        assert!(errors.to_string().contains(what), "{errors}");
    }
    let errors = load(&format!("{CLINIC}invitation_text = \"x\"\n")).unwrap_err();
    assert!(errors.to_string().contains("no key that is known here"), "{errors}");
}

/// Loads a deployment file with one sound clinic.
fn deployed(deployment: &str) -> Result<Config, ConfigErrors> {
    Deployment::new(deployment, &[("riverside.toml", CLINIC)]).load()
}

#[test]
fn nobody_is_told_unless_the_configuration_says_whom() {
    let quiet = deployed("").unwrap().notify;
    assert_eq!((quiet.smtp, quiet.webhook), (None, None));
    let told = deployed(
        "[notify.smtp]\nhost = \"mail.test\"\nfrom = \"lw@clinic.test\"\nto = [\"it@clinic.test\"]\n\
         user = \"lw\"\npassword = \"smtp_password\"\n[notify.webhook]\nurl = \"https://a.test/h\"\n",
    )
    .unwrap()
    .notify;
    let smtp = told.smtp.unwrap();
    assert_eq!((smtp.port, smtp.tls), (587, SmtpTls::Starttls));
    assert_eq!(smtp.password.as_deref(), Some("smtp_password"));
    assert_eq!(told.webhook.unwrap().secret, "notify_secret");
}

#[test]
fn what_would_tell_in_the_clear_or_tell_nobody_is_a_mistake() {
    let clear = "[notify.smtp]\nhost = \"mail.test\"\nfrom = \"a@b.test\"\nto = [\"c@d.test\"]\n\
                 tls = \"none\"\n[notify.webhook]\nurl = \"http://a.test/h\"\n";
    let told = deployed(clear).unwrap_err().to_string();
    assert!(told.contains("tls") && told.contains("is no https URL"), "{told}");
    let nobody = "[notify.smtp]\nhost = \"mail.test\"\nfrom = \"a@b.test\"\n";
    assert!(deployed(nobody).unwrap_err().to_string().contains("to = ["));
    let here = clear.replace("mail.test", "127.0.0.1").replace("http://a.test", "http://127.0.0.1");
    assert!(deployed(&here).is_ok());
    let unknown = deployed("[notify.sms]\nto = [\"x\"]\n").unwrap_err().to_string();
    assert!(unknown.contains("sms"), "{unknown}");
}

const OIDC: &str = "[serve.oidc]\nissuer = \"https://login.test/realms/staff\"\nclient_id = \"lw\"\n\
    page_url = \"https://lists.test/\"\n[serve.oidc.roles]\nbosses = \"owner\"\n\
    front-desk = { role = \"operator\", clinics = [\"riverside\"] }\n";

#[test]
fn groups_of_an_openid_provider_are_roles_for_some_clinics_or_all() {
    assert_eq!(deployed("").unwrap().serve.oidc, None);
    let oidc = deployed(OIDC).unwrap().serve.oidc.unwrap();
    assert_eq!(oidc.issuer, "https://login.test/realms/staff");
    assert_eq!(oidc.redirect(), "https://lists.test/sign-in/oidc/return");
    assert_eq!((oidc.groups_claim.as_str(), oidc.session), ("groups", TimeDelta::hours(8)));
    assert_eq!(oidc.client_secret, "oidc_client_secret");
    let bosses = Grant { role: Role::Owner, clinics: None };
    let desk = Grant { role: Role::Operator, clinics: Some(["riverside".to_owned()].into()) };
    assert_eq!(oidc.roles.into_values().collect::<Vec<_>>(), [bosses, desk]);
}

#[test]
fn what_would_let_in_nobody_or_lead_codes_astray_is_a_mistake() {
    for (old, new, said) in [
        ("https://login.test", "http://login.test", "is no plain https URL"),
        ("https://lists.test", "http://lists.test", "is no plain https URL"),
        ("lists.test/", "lists.test/lw", "has a path"),
        ("client_id", "client", "client_id: is missing"),
        ("\"owner\"", "\"boss\"", "Use one of: viewer, operator, auditor, owner"),
        ("\"riverside\"", "\"nowhere\"", "names `nowhere`, which is no clinic"),
        ("[\"riverside\"]", "[]", "names none"),
        ("role = \"operator\", ", "", "role"),
        ("bosses", "# bosses", ""),
        ("clinics = ", "clinic = ", "Did you mean `clinics`?"),
    ] {
        let text = OIDC.replacen(old, new, 1);
        assert_ne!(text, OIDC, "{old}");
        match deployed(&text) {
            Err(errors) => {
                assert!(!said.is_empty() && errors.to_string().contains(said), "{errors}");
            }
            Ok(_) => assert_eq!(said, "", "{new}"),
        }
    }
    let none = OIDC.split("[serve.oidc.roles]").next().unwrap();
    assert!(deployed(none).unwrap_err().to_string().contains("roles"));
    let here = OIDC.replace("https://login.test", "http://localhost:1");
    assert!(deployed(&here).is_ok());
}
