//! How `listwarden serve` serves: the section `[serve]`.

use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::section::Section;
use super::{ServeSettings, oidc};

/// Reads the section; each key has a usual value.
pub(super) fn read(section: Section<'_>) -> ServeSettings {
    let serve = ServeSettings {
        listen: listen(&section, "listen").unwrap_or_else(|| ([127, 0, 0, 1], 8080).into()),
        admin_listen: listen(&section, "admin_listen"),
        metrics_listen: listen(&section, "metrics_listen"),
        metrics_lists: section.number("metrics_lists", 1_000, 0..=100_000),
        public_url: public_url(&section),
        schedule: schedule(&section),
        time_zone: time_zone(&section),
        jitter: section.duration("jitter", "30s", "0s"),
        keep_bodies: section.duration("keep_bodies", "30d", "1d"),
        oidc: oidc::read(section.section("oidc")),
    };
    section.end();
    serve
}

fn listen(section: &Section<'_>, key: &str) -> Option<std::net::SocketAddr> {
    let address = section.text(key)?.parse().ok();
    if address.is_none() {
        let cure = "Write an address and a port, such as \"0.0.0.0:8080\"";
        section.problem(key, "is no address to listen on", cure);
    }
    address
}

/// Providers are given this URL, and some sign it.
fn public_url(section: &Section<'_>) -> Option<String> {
    const CURE: &str = "Write how providers reach this deployment, such as \"https://hooks.clinic.example\", without a query, a fragment or a user. A path such as /listwarden is fine where the proxy takes it off again";
    let text = section.text("public_url")?;
    let sound = url::Url::parse(&text).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        matches!(url.scheme(), "http" | "https") && url.has_host() && plain
    });
    if sound.is_none() {
        section.problem("public_url", "is no URL that providers can send to", CURE);
    }
    sound.map(|_| text.trim_end_matches('/').to_owned())
}

fn schedule(section: &Section<'_>) -> Option<Cron> {
    const CURE: &str = "Write a cron expression, such as \"0 */15 * * * *\": second, minute, hour, day, month, day of the week";
    let text = section.text("schedule")?;
    let cron = cron(&text);
    if cron.is_none() {
        section.problem("schedule", "is no cron expression", CURE);
    }
    cron
}

/// Reads a cron expression of five fields, or of six with seconds first; none where it is none.
#[must_use]
pub fn cron(text: &str) -> Option<Cron> {
    CronParser::builder().seconds(Seconds::Optional).build().parse(text).ok()
}

fn time_zone(section: &Section<'_>) -> Tz {
    let Some(text) = section.text("time_zone") else { return Tz::UTC };
    text.parse().unwrap_or_else(|_| {
        section.problem("time_zone", "is no time zone", "Use an IANA name, such as Europe/London");
        Tz::UTC
    })
}
