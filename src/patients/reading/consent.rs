//! Reads what a row says about marketing on one channel.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Reader;
use super::cells::{self, Unreadable};
use super::times;
use crate::domain::event::CLOCK_SKEW;
use crate::domain::patient::SoftOptIn;
use crate::domain::{Answer, Channel, Consent};

/// The columns about one channel.
struct Columns {
    answer: &'static str,
    at: &'static str,
    method: &'static str,
    wording: &'static str,
    by: &'static str,
    purpose: &'static str,
    /// The three facts, for this channel alone.
    facts: [&'static str; 3],
}

/// The three facts, for both channels.
const FACTS: [&str; 3] = ["obtained_in_course_of_sale", "own_similar_services", "chance_to_refuse"];

const EMAIL: Columns = Columns {
    answer: "email_consent",
    at: "email_consent_at",
    method: "email_consent_method",
    wording: "email_consent_wording",
    by: "email_consent_by",
    purpose: "email_consent_purpose",
    facts: [
        "email_obtained_in_course_of_sale",
        "email_own_similar_services",
        "email_chance_to_refuse",
    ],
};

const SMS: Columns = Columns {
    answer: "sms_consent",
    at: "sms_consent_at",
    method: "sms_consent_method",
    wording: "sms_consent_wording",
    by: "sms_consent_by",
    purpose: "sms_consent_purpose",
    facts: ["sms_obtained_in_course_of_sale", "sms_own_similar_services", "sms_chance_to_refuse"],
};

impl Reader<'_> {
    /// Reads the consent on `channel`; none where its answer cannot be read.
    ///
    /// Where the clinic's clock is `ahead` its times prove nothing and are left out, so that a
    /// grant gains nothing and an opt-out counts from when we saw it (L2).
    pub(super) fn consent(&mut self, channel: Channel, ahead: bool) -> Option<Consent> {
        let columns = match channel {
            Channel::Email => EMAIL,
            Channel::Sms => SMS,
        };
        let answer = self.decisive(columns.answer, answer)?;
        let purpose = self.decisive(columns.purpose, cells::text)?;
        Some(Consent {
            answer,
            at: if ahead { None } else { self.answered_at(columns.at, answer) },
            method: self.dispensable(columns.method, cells::text),
            wording: self.dispensable(columns.wording, cells::text),
            actor: self.dispensable(columns.by, cells::text),
            purpose,
            soft_opt_in: self.facts(&columns.facts),
        })
    }

    /// A grant counts from the earliest it can have been given, anything else from the latest.
    fn answered_at(&mut self, column: &'static str, answer: Answer) -> Option<DateTime<Utc>> {
        let span = self.dispensable(column, times::instant)?;
        let grants = matches!(answer, Answer::Granted | Answer::SoftOptIn);
        let at = if grants { span.earliest } else { span.latest };
        if span.earliest > self.context.now + CLOCK_SKEW {
            self.minor(column, Unreadable("lies in the future and is left out: check the clock"));
            return None;
        }
        Some(at)
    }

    fn facts(&mut self, own: &[&'static str; 3]) -> SoftOptIn {
        let [in_course_of_sale, own_similar_services, chance_to_refuse] = [0, 1, 2].map(|i| {
            let own = self.dispensable(own[i], cells::flag);
            own.or_else(|| self.dispensable(FACTS[i], cells::flag)).unwrap_or(false)
        });
        SoftOptIn { in_course_of_sale, own_similar_services, chance_to_refuse }
    }
}

/// Reads an answer: one of the words, or a bare yes or no.
///
/// A bare no is *not asked* (see [`super::withdrawn`]).
fn answer(value: Option<&Value>) -> Result<Answer, Unreadable> {
    const WHY: Unreadable = Unreadable(
        "is none of not_asked, granted, soft_opt_in, withdrawn, objected, preferred, true, false",
    );
    let Some(word) = cells::text(value).map_err(|_| WHY)? else { return Ok(Answer::NotAsked) };
    if let Ok(answer) = word.to_lowercase().parse() {
        return Ok(answer);
    }
    match cells::flag(value).map_err(|_| WHY)? {
        Some(true) => Ok(Answer::Granted),
        Some(false) | None => Ok(Answer::NotAsked),
    }
}
