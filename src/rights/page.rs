//! The same as a page that a person can read: no script, nothing from elsewhere, every text escaped.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::dossier::{Change, Dossier, KnownAddress, Line, OnList, Whose};
use crate::domain::{Channel, Consent};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;\
padding:0 1rem;color:#1b1b1b;background:#fff}table{border-collapse:collapse;width:100%;\
margin:1rem 0}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;\
border-bottom:1px solid #ccc;overflow-wrap:anywhere}caption{text-align:left;font-weight:600}\
@media (prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}}";

/// Writes the page.
pub(super) fn page(dossier: &Dossier) -> String {
    let page = Page { zone: dossier.time_zone };
    let mut html = String::new();
    let title = escape(&format!("What {} holds about you", dossier.clinic));
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>Put together on {}. Times are those of {}.</p>",
        page.when(dossier.made_at),
        escape(dossier.time_zone.name()),
    );
    html += &page.record(dossier);
    html += &table(
        "Addresses",
        "No address is on record.",
        &["Channel", "Address", "Yours now", "Shared"],
        dossier.addresses.iter().map(address),
    );
    html += &table(
        "Lists",
        "You are, and were, on no list.",
        &["List", "Kept by", "Status there", "Seen", "Where you stand", "Invitation"],
        dossier.lists.iter().map(|list| page.list(list)),
    );
    html += &table(
        "What keeps you off",
        "Nothing keeps you off a list but the lack of a consent.",
        &["Channel", "What", "Since"],
        page.restrictions(dossier).chain(dossier.opt_outs.iter().map(|opt_out| {
            vec![
                opt_out.channel.word().to_owned(),
                opt_out.kind.word().to_owned(),
                page.when(opt_out.at),
            ]
        })),
    );
    html += &table(
        "What was said, by whom, with what evidence",
        "Nothing is on record.",
        &["No.", "What", "Whose", "Channel", "When", "Written down", "How", "Evidence"],
        dossier.ledger.iter().map(|line| page.line(line)),
    );
    html += "<p>Each of these is a line of a chained record. The clinic can check by its number and \
             code that it was never changed; the codes are in <code>ledger.csv</code>.</p>";
    html += &table(
        "What was changed at a list provider, and disclosed to it",
        "Nothing was changed or disclosed.",
        &["List", "Provider", "What", "Why", "Sent", "Came to", "Disclosed"],
        dossier.changes.iter().map(|change| page.change(change)),
    );
    html += &table(
        "What was written back to the clinic's record",
        "Nothing was written back.",
        &["What", "Channel", "When", "Written back"],
        dossier.told_clinic.iter().map(|told| {
            vec![
                told.kind.to_owned(),
                every(told.channel),
                page.when(told.at),
                page.maybe(told.told_at),
            ]
        }),
    );
    html += &table(
        "What was told of messages to your number",
        "Nothing is remembered.",
        &["What", "When"],
        dossier.messages.iter().map(|m| vec![m.what.word().to_owned(), page.when(m.at)]),
    );
    html += &table(
        "What an admin looked at",
        "Nothing was.",
        &["What", "When", "What came of it"],
        dossier.reviews.iter().map(|review| {
            let came = review.closed_because.clone().unwrap_or_else(|| "open".to_owned());
            vec![review.kind.word().to_owned(), page.when(review.at), came]
        }),
    );
    if let Some(order) = &dossier.erasure {
        let _ = write!(
            html,
            "<h2>Erasure</h2><p>Asked for on {}{}.</p>",
            page.when(order.asked_at),
            order.reason.as_deref().map(|why| format!(": {}", escape(why))).unwrap_or_default(),
        );
    }
    html += "<p>Not in here: what list providers sent about you word for word, which is kept sealed for a \
             while and then emptied; the clinic's audit log, which names you by a number alone; and what \
             the clinic and the list providers hold themselves: ask them.</p>";
    html += "</main></body></html>\n";
    html
}

struct Page {
    zone: Tz,
}

impl Page {
    fn when(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M %Z").to_string()
    }

    fn maybe(&self, at: Option<DateTime<Utc>>) -> String {
        at.map(|at| self.when(at)).unwrap_or_default()
    }

    fn record(&self, dossier: &Dossier) -> String {
        let record = &dossier.patient.record;
        let answer = |consent: &Consent| {
            let mut said = consent.answer.word().replace('_', " ");
            for more in [&consent.method, &consent.wording, &consent.actor, &consent.purpose]
                .into_iter()
                .flatten()
            {
                said = format!("{said}; {more}");
            }
            consent.at.map(|at| format!("{said}; {}", self.when(at))).unwrap_or(said)
        };
        let policy = record.privacy_policy.map(|yes| if yes { "accepted" } else { "rejected" });
        let rows = [
            ("Number at the clinic", record.source_id.clone()),
            ("Given name", record.given_name.expose().to_owned()),
            ("Family name", record.family_name.expose().to_owned()),
            ("Born", record.birth_date.map(|day| day.to_string()).unwrap_or_default()),
            ("With the clinic", record.status.word().to_owned()),
            ("Restricted in that record", if record.restricted { "yes" } else { "no" }.to_owned()),
            ("Tags", record.tags.iter().cloned().collect::<Vec<_>>().join(", ")),
            ("Privacy policy", policy.unwrap_or("not asked").to_owned()),
            ("Marketing by e-mail", answer(&record.email_consent)),
            ("Marketing by text", answer(&record.sms_consent)),
            ("Last changed by the clinic", self.when(record.updated_at)),
        ];
        let rows = rows.into_iter().map(|(what, said)| vec![what.to_owned(), said]);
        table("The clinic's record", "", &["What", "Held"], rows)
    }

    /// Restrictions that stand: taken down here, or by the clinic's own flag.
    fn restrictions(&self, dossier: &Dossier) -> impl Iterator<Item = Vec<String>> {
        let line = |what: &str, since| vec![every(None), what.to_owned(), since];
        let here = dossier.restricted_since.map(|at| self.when(at));
        let here = here.map(|since| line("processing is restricted", since));
        let flag = dossier.patient.record.restricted;
        let flag = flag.then(|| line("restricted in the clinic's record", String::new()));
        here.into_iter().chain(flag)
    }

    fn list(&self, row: &OnList) -> Vec<String> {
        let kept = [row.provider.as_deref(), row.region.as_deref()];
        let invited = row.invitation.as_ref().map(|invited| {
            let came = match (invited.confirmed, invited.voided) {
                (true, _) => "confirmed",
                (false, true) => "taken back",
                (false, false) => "not confirmed",
            };
            let asked = invited.wording.as_deref().map(|w| format!(": {w}")).unwrap_or_default();
            format!("{}, {came}{asked}", self.when(invited.sent_at))
        });
        vec![
            row.list.clone(),
            kept.into_iter().flatten().collect::<Vec<_>>().join(", "),
            row.there.map_or("never seen", crate::domain::MemberStatus::word).to_owned(),
            self.maybe(row.seen_at),
            why(row.because, row.law.as_deref()),
            invited.unwrap_or_default(),
        ]
    }

    fn line(&self, line: &Line) -> Vec<String> {
        let how = [
            line.by.map(crate::domain::Actor::word),
            line.method.as_deref(),
            line.source.as_deref(),
        ];
        let proof = [
            line.wording.as_deref(),
            line.evidence.as_deref(),
            line.purpose.as_deref(),
            line.reason.as_deref(),
        ];
        let joined =
            |parts: &[Option<&str>]| parts.iter().flatten().copied().collect::<Vec<_>>().join("; ");
        vec![
            line.number.to_string(),
            line.kind.word().replace('_', " "),
            line.whose.words().to_owned(),
            every(line.channel),
            self.maybe(line.at),
            self.when(line.recorded_at),
            joined(&how),
            joined(&proof),
        ]
    }

    fn change(&self, change: &Change) -> Vec<String> {
        vec![
            change.list.clone(),
            change.provider.clone().unwrap_or_default(),
            change.what.word().to_owned(),
            why(change.because, change.law.as_deref()),
            self.maybe(change.sent_at),
            format!("{} {}", change.state.word(), self.maybe(change.settled_at)),
            change.disclosed.join("; "),
        ]
    }
}

fn table(
    title: &str,
    none: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let title = escape(title);
    let mut body = String::new();
    for row in rows {
        body += "<tr>";
        for cell in row {
            let _ = write!(body, "<td>{}</td>", escape(&cell));
        }
        body += "</tr>";
    }
    if body.is_empty() {
        return format!("<h2>{title}</h2><p>{}</p>", escape(none));
    }
    let mut head = String::new();
    for name in header {
        let _ = write!(head, "<th scope=\"col\">{}</th>", escape(name));
    }
    format!("<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
}

impl Whose {
    /// Says whose word it is, to the person themselves.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Yours => "yours",
            Self::YourAddress => "from your address",
            Self::SharedAddress => "from an address that others have or had too",
            Self::AnotherPerson => "another person",
        }
    }
}

fn address(address: &KnownAddress) -> Vec<String> {
    let text = match (&address.address, address.erased_at) {
        (Some(text), _) => text.clone(),
        (None, Some(_)) => "erased".to_owned(),
        (None, None) => "one that another person has".to_owned(),
    };
    vec![
        address.channel.word().to_owned(),
        text,
        if address.held_now { "yes" } else { "no" }.to_owned(),
        if address.shared_with_another_person { "with another person" } else { "no" }.to_owned(),
    ]
}

/// Says why, with its law.
fn why(because: Option<&str>, law: Option<&str>) -> String {
    because.zip(law).map(|(because, law)| format!("{because} ({law})")).unwrap_or_default()
}

fn every(channel: Option<Channel>) -> String {
    channel.map_or("every", Channel::word).to_owned()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_text_and_no_markup() {
        let written = escape("<script>alert('x')</script> & \"more\"");
        assert_eq!(
            written,
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"
        );
    }
}
