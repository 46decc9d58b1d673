//! How a list of numbers asks for confirmations: the text, and the hours of the day.

use chrono::NaiveTime;

use super::list::OfClinic;
use super::section::Section;
use super::texts::Length;
use crate::domain::policy::{Asking, Hours};

const TEXT: &str = "{clinic}: reply YES to get our news by text, STOP to refuse.";

/// Reads the text with the clinic's name in it, and the hours in the clinic's time zone.
pub(super) fn read(section: &Section<'_>, clinic: &OfClinic) -> Asking {
    let template = section.text("invitation_text").unwrap_or_else(|| TEXT.to_owned());
    let text = template.replace("{clinic}", &clinic.title);
    let says = |word: &str| text.split(|c: char| !c.is_alphanumeric()).any(|found| found == word);
    let lacks = [
        (
            !text.contains(&clinic.title),
            "does not name the clinic",
            "Write {clinic} where its name belongs",
        ),
        (!says("YES"), "does not say how to agree", "Ask for the reply YES, in capitals"),
        (!says("STOP"), "does not say how to refuse", "Say that STOP refuses, in capitals"),
    ];
    for (_, what, cure) in lacks.into_iter().filter(|(lacking, ..)| *lacking) {
        section.problem("invitation_text", what, cure);
    }
    if let Some((what, cure)) = Length::of(&text).problem() {
        section.problem("invitation_text", &what, &cure);
    }
    Asking { text, hours: hours(section, clinic) }
}

fn hours(section: &Section<'_>, clinic: &OfClinic) -> Hours {
    let usual = Hours { from: oclock(9), until: oclock(20), zone: clinic.time_zone };
    let Some(text) = section.text("invitation_hours") else { return usual };
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    let read = text.split_once('-').and_then(|(from, until)| Some((time(from)?, time(until)?)));
    let decent = |(from, until): &(NaiveTime, NaiveTime)| {
        from < until && *from >= oclock(8) && *until <= oclock(21)
    };
    let Some((from, until)) = read.filter(decent) else {
        let cure = "Write from when until when, between 08:00 and 21:00, such as \"09:00-20:00\"";
        section.problem("invitation_hours", "are no hours to send texts in", cure);
        return usual;
    };
    Hours { from, until, ..usual }
}

fn oclock(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()
}
