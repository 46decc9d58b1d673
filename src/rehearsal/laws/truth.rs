//! What follows from the books alone: who may be on a list. Where two readings of the law are
//! possible the books give the program the benefit of the doubt, so that what is found is wrong by
//! either.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::domain::{Channel, PatientRecord, PatientStatus};
use crate::rehearsal::books::{Act, Books, Line};
use crate::rehearsal::history::ListSetting;

/// Why an address may not be on a list; none if it may.
pub fn barred(
    books: &Books,
    (clinic, channel): (usize, Channel),
    list: &ListSetting,
    address: &str,
    now: DateTime<Utc>,
) -> Option<&'static str> {
    if books.dropped(clinic, channel, address) {
        return Some("nobody active has the address");
    }
    if never_again(books, (clinic, channel), address) {
        return Some("somebody objected or complained at this address");
    }
    let mut best = "no patient may be listed";
    for (patient, record) in books.holders(clinic, channel, address) {
        match holder_barred(books, (clinic, channel), list, (patient, record), address, now) {
            None => return None,
            Some(why) => best = why,
        }
    }
    Some(best)
}

/// An objection or a complaint yields only to what an admin accepts.
fn never_again(books: &Books, place: (usize, Channel), address: &str) -> bool {
    books.of(place.0, place.1).any(|line| {
        matches!(line.act, Act::Objects | Act::Complained)
            && line.address.as_deref() == Some(address)
            && !books.is_from_an_unread_stay(line)
            && !is_unheard(books, line)
            && !accepted_since(books, place, line, address)
    })
}

/// Tells whether an objection or a complaint was gone before anybody could read it: the record says
/// something else now, or they signed up there again.
fn is_unheard(books: &Books, no: &Line) -> bool {
    books.is_unsaid(no) || books.is_covered_up(no)
}

/// Tells whether an admin accepted, after that, that somebody at the address wants it all the same.
fn accepted_since(
    books: &Books,
    (clinic, channel): (usize, Channel),
    no: &Line,
    address: &str,
) -> bool {
    books.of(clinic, channel).any(|line| {
        line.act == Act::Accepted && line.address.as_deref() == Some(address) && line.at > no.at
    })
}

fn holder_barred(
    books: &Books,
    (clinic, channel): (usize, Channel),
    list: &ListSetting,
    (patient, record): (usize, &PatientRecord),
    address: &str,
    now: DateTime<Utc>,
) -> Option<&'static str> {
    if record.status != PatientStatus::Active {
        return Some("the patient is not active");
    }
    if record.restricted {
        return Some("processing is restricted");
    }
    if record.privacy_policy == Some(false) {
        return Some("the privacy policy was rejected");
    }
    if record.birth_date.is_some_and(|born| age(born, now) < 16) {
        return Some("the patient is under age");
    }
    if list.tag.as_ref().is_some_and(|tag| !record.tags.contains(tag)) {
        return Some("the list is not for the patient");
    }
    let binds = |line: &&Line| {
        let here = line.address.as_deref() == Some(address);
        let theirs = line.patient == Some(patient) && !books.is_of_an_unread_holder(line);
        theirs || (here && !books.is_from_an_unread_stay(line))
    };
    // What was said between two readings, and shows no more, nobody can know.
    let said = |line: &&Line| line.act.is_no() && !is_unheard(books, line);
    let noes: Vec<&Line> = books.of(clinic, channel).filter(said).filter(binds).collect();
    // Their own objection goes with them until they say yes anew, wherever they live then (L8).
    let took_back = |no: &Line| {
        let own = |line: &&Line| line.act == Act::Accepted && line.patient == Some(patient);
        books.of(clinic, channel).filter(own).any(|line| line.at > no.at)
    };
    let objected = |no: &&Line| {
        no.act == Act::Objects
            && no.patient == Some(patient)
            && !took_back(no)
            && !accepted_since(books, (clinic, channel), no, address)
    };
    if noes.iter().any(objected) {
        return Some("the patient objected");
    }
    let mut lines = books.of(clinic, channel);
    let said_yes = lines.any(|line| {
        let theirs = line.patient == Some(patient);
        let newer = noes.iter().all(|no| no.at < line.claimed.max(line.at));
        match line.act {
            Act::Yes | Act::TakenDown | Act::Accepted => theirs && newer,
            Act::Flag => theirs && noes.is_empty(),
            Act::Customer => theirs && noes.is_empty() && list.soft != "refuse",
            Act::SignedUp => line.address.as_deref() == Some(address) && newer,
            // Whoever filled in the form clicks the link: that is a yes of its own (L18).
            Act::Agreed => newer && signed_up_before(books, line, address),
            Act::Added => list.unproven == "hold" && line.address.as_deref() == Some(address),
            _ => false,
        }
    });
    if said_yes { None } else { Some("no yes is newer than the last no") }
}

/// Tells whether the address answered what it had signed up for itself.
pub fn signed_up_before(books: &Books, agreed: &Line, address: &str) -> bool {
    agreed.address.as_deref() == Some(address)
        && books.of(agreed.clinic, agreed.channel).any(|line| {
            line.act == Act::SignedUp
                && line.list == agreed.list
                && line.address == agreed.address
                && line.at < agreed.at
        })
}

/// Tells whether somebody proved that the address is theirs and that they want the list.
pub fn proven(
    books: &Books,
    (clinic, channel): (usize, Channel),
    setting: &ListSetting,
    list: usize,
    address: &str,
) -> bool {
    books.of(clinic, channel).any(|line| {
        let here = line.list == Some(list) || channel == Channel::Sms;
        let theirs = line.address.as_deref() == Some(address);
        match line.act {
            Act::Agreed => here && theirs,
            // Staff's own doing, which the clinic chose to leave.
            Act::Added => {
                here && theirs
                    && (setting.unproven == "hold"
                        || reads_as_an_answer(books, setting, line)
                        || proved_elsewhere(books, line))
            }
            Act::MovedHere => here && theirs,
            Act::Customer => setting.soft == "direct",
            _ => false,
        }
    })
}

/// Tells whether staff put away somebody who was still asked, or had signed up, or we did and have
/// forgotten it, and staff added them again before any run surely read that they were gone: that reads
/// as the answer to the question, and as no more (L10).
fn reads_as_an_answer(books: &Books, setting: &ListSetting, added: &Line) -> bool {
    let (Some(list), Some(address)) = (added.list, &added.address) else { return false };
    let expires = TimeDelta::days(setting.expires_days.into());
    let asked = books.asked.get(&(added.clinic, list, address.clone()));
    let asked = asked.into_iter().flatten().copied();
    let asked = asked.filter(|at| (*at..=*at + expires).contains(&added.at)).max();
    let lines = books.of(added.clinic, added.channel);
    let signed_up = lines.filter(|line| {
        let here = line.list == added.list && line.address == added.address;
        here && line.act == Act::SignedUp && line.at <= added.at
    });
    let Some(asked) = asked.max(signed_up.map(|line| line.at).max()) else { return false };
    let there = || {
        books.of(added.clinic, added.channel).filter(|line| {
            let here = line.list == added.list && line.address == added.address;
            here && (asked..=added.at).contains(&line.at)
        })
    };
    let put_away = |line: &Line| line.act == Act::Removed && !books.was_known(line, added.at);
    // Whoever said no or bounced was not asked any more.
    let over = |line: &Line| line.act.is_no() || line.act == Act::Bounced;
    let was_put_away =
        there().any(put_away) || books.is_added_over_a_forgotten_archive(added, asked);
    was_put_away && !there().any(over)
}

/// Tells whether whoever staff added had proved the address at another list of the clinic: that counts
/// for this one too where it is surely theirs, as nobody else ever had the address, it signed up itself,
/// or a holder had said yes there before; and where no no came after it (L10, L18).
fn proved_elsewhere(books: &Books, added: &Line) -> bool {
    let Some(address) = added.address.as_deref() else { return false };
    let (clinic, channel) = (added.clinic, added.channel);
    let there = || books.of(clinic, channel).filter(|line| line.address == added.address);
    let ever = books.ever.get(&(clinic, channel, address.to_owned()));
    let alone = ever.is_some_and(|ever| ever.len() == 1);
    let holds = |line: &Line| {
        let mut holders = books.holders(clinic, channel, address);
        holders.any(|(holder, _)| line.patient == Some(holder))
    };
    let consented = |agreed: &Line| {
        there().any(|line| {
            let yes = matches!(
                line.act,
                Act::Yes | Act::Flag | Act::Customer | Act::TakenDown | Act::Accepted
            );
            yes && line.at <= agreed.at && holds(line)
        })
    };
    let over = |agreed: &Line| {
        there().any(|line| line.act.is_no() && line.at >= agreed.at && !is_unheard(books, line))
    };
    there().filter(|line| line.act == Act::Agreed).any(|agreed| {
        let theirs = alone || signed_up_before(books, agreed, address) || consented(agreed);
        theirs && !over(agreed)
    })
}

fn age(born: chrono::NaiveDate, now: DateTime<Utc>) -> i32 {
    let today = now.date_naive();
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    today.year() - born.year() - i32::from(!had_birthday)
}
