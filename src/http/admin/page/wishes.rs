//! What a patient told somebody at the clinic: restriction, objection, preferences.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::problem::Problem;
use super::super::rights::{self, Prefer, Word};
use super::super::route::Route;
use super::super::{Admin, Body};
use super::frame::{Fields, Frame, onward_saying};
use super::rights::path;
use crate::domain::{Act, Channel};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/clinics/{clinic}/patients/{patient}/restrict",
            Act::Own,
            "Restricts the processing of a patient's data.",
            restrict,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/unrestrict",
            Act::Own,
            "Lifts a restriction.",
            unrestrict,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/object",
            Act::Own,
            "Takes down an objection.",
            object,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/prefer",
            Act::Own,
            "Takes down a preference.",
            prefer,
        ),
    ]
}

/// Returns the forms that take down what a patient told somebody.
pub(super) fn forms(frame: &Frame, path: &str) -> Result<Markup, Problem> {
    let (_, clinic) = frame.permit.clinic()?;
    let purposes: std::collections::BTreeSet<&str> =
        clinic.lists.iter().filter_map(|list| list.policy.purpose.as_deref()).collect();
    let card = |act: &str, title: &str, what: &str, more: &Markup| {
        let inner = html! {
            h3 { (title) }
            p.quiet { (what) }
            (more)
            label for={ (act) "-evidence" } { "How it was said, and where that can be looked up; names nobody" }
            input id={ (act) "-evidence" } name="evidence" required minlength="3" maxlength="500" autocomplete="off";
            label for={ (act) "-at" } { "When, by the clinic's clock; now, if left empty" }
            input id={ (act) "-at" } name="at" type="datetime-local";
            button { "Take down: " (title) }
        };
        frame.form(&format!("{path}/{act}"), &inner)
    };
    let preference = html! {
        label for="prefer-way" { "What" }
        select #prefer-way name="way" {
            option value="not email" { "rather not by e-mail" }
            option value="not sms" { "rather not by text message" }
            option value="email" { "gladly by e-mail" }
            option value="sms" { "gladly by text message" }
        }
        label for="prefer-purpose" { "About" }
        select #prefer-purpose name="purpose" {
            option value="" { "everything" }
            @for purpose in purposes { option value=(purpose) { (purpose) } }
        }
    };
    let none = html! {};
    Ok(html! {
        h2 { "What the patient told" }
        div.decide {
            (card("restrict", "restriction", "Off every list, and kept here, until it is lifted here.", &none))
            (card("unrestrict", "restriction lifted", "Whoever had confirmed is asked once more, or restored.", &none))
            (card("object", "objection", "No marketing on any channel. Only consent that an admin accepts lifts it.", &none))
            (card("prefer", "preference", "It lists nobody; with \"rather not\" it keeps them off.", &preference))
        }
    })
}

#[derive(Deserialize)]
struct Told {
    evidence: String,
    #[serde(default)]
    at: String,
}

impl Told {
    fn word(self, frame: &Frame) -> Result<Word, Problem> {
        let zone = frame.permit.clinic()?.1.time_zone;
        let at = instant(&self.at, zone)?.map(|[_, latest]| latest);
        Ok(Word { evidence: self.evidence, at })
    }
}

/// Reads a time by the clinic's clock: the earliest and the latest that it can be, where that clock
/// was put back.
pub(super) fn instant(typed: &str, zone: Tz) -> Result<Option<[DateTime<Utc>; 2]>, Problem> {
    if typed.is_empty() {
        return Ok(None);
    }
    let local = NaiveDateTime::parse_from_str(typed, "%Y-%m-%dT%H:%M").ok();
    let found = local.map(|local| zone.from_local_datetime(&local));
    let found = found.and_then(|found| Some([found.earliest()?, found.latest()?]));
    let found = found.ok_or_else(|| Problem::wrong("that time is none by the clinic's clock"))?;
    Ok(Some(found.map(|at| at.with_timezone(&Utc))))
}

async fn restrict(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(told): Fields<Told>,
) -> Result<Response, Problem> {
    let (to, word) = (path(&frame, "")?, told.word(&frame)?);
    let mut done = rights::restrict(State(admin), frame.permit, Body(word)).await?;
    Ok(onward_saying(&mut done, &to, "taken"))
}

async fn unrestrict(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(told): Fields<Told>,
) -> Result<Response, Problem> {
    let (to, word) = (path(&frame, "")?, told.word(&frame)?);
    let mut done = rights::unrestrict(State(admin), frame.permit, Body(word)).await?;
    Ok(onward_saying(&mut done, &to, "taken"))
}

async fn object(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(told): Fields<Told>,
) -> Result<Response, Problem> {
    let (to, word) = (path(&frame, "")?, told.word(&frame)?);
    let mut done = rights::object(State(admin), frame.permit, Body(word)).await?;
    Ok(onward_saying(&mut done, &to, "taken"))
}

#[derive(Deserialize)]
struct Preferred {
    way: String,
    #[serde(default)]
    purpose: String,
    evidence: String,
    #[serde(default)]
    at: String,
}

async fn prefer(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(preferred): Fields<Preferred>,
) -> Result<Response, Problem> {
    let Preferred { way, purpose, evidence, at } = preferred;
    let (not, channel) = match way.as_str() {
        "not email" => (true, Channel::Email),
        "not sms" => (true, Channel::Sms),
        "email" => (false, Channel::Email),
        "sms" => (false, Channel::Sms),
        _ => return Err(Problem::wrong("say what the patient prefers")),
    };
    let (to, word) = (path(&frame, "")?, Told { evidence, at }.word(&frame)?);
    let purpose = Some(purpose).filter(|purpose| !purpose.is_empty());
    let preferred = Prefer { channel, purpose, not, evidence: word.evidence, at: word.at };
    let mut done = rights::prefer(State(admin), frame.permit, Body(preferred)).await?;
    Ok(onward_saying(&mut done, &to, "taken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_the_clinics_clock() {
        let read = |typed| instant(typed, chrono_tz::Europe::London).ok().flatten();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(read("2026-07-01T09:30"), Some([at("2026-07-01T08:30:00Z"); 2]));
        let put_back = [at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")];
        assert_eq!(read("2026-10-25T01:30"), Some(put_back));
        assert_eq!(read("2026-03-29T01:30"), None, "the clock leapt over it");
        assert_eq!(read(""), None);
    }
}
