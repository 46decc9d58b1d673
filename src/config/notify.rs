//! Who is told that an admin is needed: the sections `[notify.smtp]` and `[notify.webhook]`.

use super::section::Section;
use super::{HookSettings, NotifySettings, SmtpSettings, SmtpTls};

/// Reads the section; nobody is told where it is empty.
pub(super) fn read(section: Section<'_>) -> NotifySettings {
    let smtp = section.section("smtp");
    let webhook = section.section("webhook");
    let settings = NotifySettings {
        smtp: smtp.is_there().then(|| self::smtp(&smtp)).flatten(),
        webhook: webhook.is_there().then(|| self::webhook(&webhook)).flatten(),
    };
    smtp.end();
    webhook.end();
    section.end();
    settings
}

fn smtp(section: &Section<'_>) -> Option<SmtpSettings> {
    const TO: &str = "Write whom to tell, such as to = [\"it@clinic.example\"]";
    let host = needed(section, "host", "Write the name of the mail server");
    let from = needed(section, "from", "Write an address that the mail server lets you send from");
    let tls = section.word("tls", SmtpTls::Starttls);
    let usual = if tls == SmtpTls::Wrapped { 465 } else { 587 };
    let port = u16::try_from(section.number("port", usual, 1..=65_535)).unwrap_or_default();
    let to = section.texts("to");
    if to.is_empty() {
        section.missing("to", TO);
    }
    let user = section.item("user").and_then(|_| section.text("user"));
    let password = section.item("password").and_then(|_| section.secret_name("password"));
    let host = host?;
    if tls == SmtpTls::None && !is_here(&host) {
        section.problem(
            "tls",
            "is none, for a server that is not on this machine",
            "Write \"starttls\" or \"wrapped\": what is told names clinics and lists",
        );
    }
    Some(SmtpSettings { host, port, tls, from: from?, to, user, password })
}

fn webhook(section: &Section<'_>) -> Option<HookSettings> {
    const URL: &str = "Write where to send to, such as \"https://alerts.clinic.example/hook\"";
    let url = needed(section, "url", URL);
    let secret = match section.item("secret") {
        None => Some("notify_secret".to_owned()),
        Some(_) => section.secret_name("secret"),
    };
    let url = url?;
    let sound = url::Url::parse(&url).is_ok_and(|parsed| {
        parsed.scheme() == "https"
            || (parsed.scheme() == "http" && parsed.host_str().is_some_and(is_here))
    });
    if !sound {
        section.problem("url", "is no https URL", URL);
    }
    Some(HookSettings { url, secret: secret? })
}

fn needed(section: &Section<'_>, key: &str, cure: &str) -> Option<String> {
    if section.item(key).is_none() {
        section.missing(key, cure);
        return None;
    }
    section.text(key)
}

/// Tells whether a host is this machine.
pub(super) fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}
