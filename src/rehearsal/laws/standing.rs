//! Judged when the world has come to rest: who is on which list.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{Lookout, WatchedList, truth};
use crate::domain::{Channel, PatientStatus};
use crate::rehearsal::books::{Act, Books};
use crate::rehearsal::stages::Standing;

/// Judges everybody on every list.
pub fn judge(look: &Lookout) {
    let books = look.books();
    for list in &look.lists {
        let held = list.stage.holds(&list.setup.audience);
        for (address, standing) in &held {
            nobody_barred_is_listed(look, &books, list, address, *standing);
            nobody_dropped_is_held(look, &books, list, address, *standing);
            nobody_is_subscribed_without_proof(look, &books, list, address, *standing);
            strangers_are_treated_as_configured(look, &books, list, address, *standing);
        }
        let addresses: BTreeSet<String> = held.keys().cloned().collect();
        nobody_erased_is_held(look, &books, list, &addresses);
        nobody_wanted_is_forgotten(look, &books, list);
    }
}

fn place(list: &WatchedList) -> String {
    format!("c{}/{}", list.clinic, list.setting.slug)
}

/// L6, L7, L8, L11, L15.
fn nobody_barred_is_listed(
    look: &Lookout,
    books: &Books,
    list: &WatchedList,
    address: &str,
    standing: Standing,
) {
    let (clinic, channel) = (list.clinic, list.channel());
    if !standing.is_listed() || !books.knew(clinic, channel, address) {
        return;
    }
    let now = look.turnstile.now();
    let barred = truth::barred(books, (clinic, channel), &list.setting, address, now);
    look.check(
        "L6 nobody barred is listed",
        barred.map(|why| format!("{standing:?} on {}: {why}", place(list))),
    );
}

/// L9, L14, L26.
fn nobody_dropped_is_held(
    look: &Lookout,
    books: &Books,
    list: &WatchedList,
    address: &str,
    standing: Standing,
) {
    let stays = standing == Standing::Archived
        || (standing == Standing::Unsubscribed && list.setting.on_drop == "unsubscribe");
    let dropped = books.dropped(list.clinic, list.channel(), address);
    look.check(
        "L14 nobody dropped is held",
        (dropped && !stays).then(|| format!("{standing:?} on {} and dropped", place(list))),
    );
}

/// L10, L21.
fn nobody_is_subscribed_without_proof(
    look: &Lookout,
    books: &Books,
    list: &WatchedList,
    address: &str,
    standing: Standing,
) {
    let (clinic, channel) = (list.clinic, list.channel());
    if standing != Standing::Subscribed || !books.knew(clinic, channel, address) {
        return;
    }
    let setting = &list.setting;
    let proven = truth::proven(books, (clinic, channel), setting, list.list, address);
    look.check(
        "L10 nobody stays subscribed without proof",
        (!proven).then(|| format!("on {}: nobody at the address ever agreed", place(list))),
    );
}

/// L22.
fn strangers_are_treated_as_configured(
    look: &Lookout,
    books: &Books,
    list: &WatchedList,
    address: &str,
    standing: Standing,
) {
    let (clinic, channel) = (list.clinic, list.channel());
    if books.knew(clinic, channel, address) || list.setting.unknown != "archive" {
        return;
    }
    let mut lines = books.of(clinic, channel);
    let moved_or_signed_up = lines.any(|line| {
        line.address.as_deref() == Some(address)
            && matches!(line.act, Act::MovedHere | Act::SignedUp | Act::Agreed)
    });
    let stays = standing.is_listed() && !moved_or_signed_up;
    look.check(
        "L22 strangers leave where the clinic says so",
        stays.then(|| format!("a stranger is {standing:?} on {}", place(list))),
    );
}

/// L14: whom the clinic deleted, and nobody active shares the address with, is found nowhere.
fn nobody_erased_is_held(
    look: &Lookout,
    books: &Books,
    list: &WatchedList,
    held: &BTreeSet<String>,
) {
    let (clinic, channel) = (list.clinic, list.channel());
    for address in held {
        let mut holders = books.holders(clinic, channel, address);
        let deleted = holders.any(|(_, record)| record.status == PatientStatus::Deleted);
        let gone = deleted && books.dropped(clinic, channel, address);
        look.check(
            "L14 nobody erased is held",
            gone.then(|| format!("an erased person is on {}", place(list))),
        );
    }
}

/// L6 the other way: a patient with an unclouded yes was asked, and is on the list if they agreed.
fn nobody_wanted_is_forgotten(look: &Lookout, books: &Books, list: &WatchedList) {
    let (clinic, channel) = (list.clinic, list.channel());
    if channel == Channel::Sms && list.setting.stage == 1 {
        return;
    }
    let now = look.turnstile.now();
    let held = list.stage.holds(&list.setup.audience);
    let of_clinic = books.records.iter().filter(|((of, _), _)| *of == clinic);
    for ((_, patient), record) in of_clinic {
        let Some(record) = record else { continue };
        let Some(address) = record.address(channel) else { continue };
        let address = address.expose();
        let barred = truth::barred(books, (clinic, channel), &list.setting, address, now);
        if barred.is_some() || !unclouded(books, list, *patient, address) {
            continue;
        }
        let asked = books.asked.get(&(clinic, list.asks_as, address.to_owned()));
        let asked = asked.map(Vec::as_slice).unwrap_or_default();
        let expires = TimeDelta::days(list.setting.expires_days.into());
        // Who agrees after the question has lapsed is not listed (L12).
        let agreed = books.of(clinic, channel).any(|line| {
            line.act == Act::Agreed
                && line.list == Some(list.list)
                && line.address.as_deref() == Some(address)
                && asked.iter().any(|asked| (*asked..=*asked + expires).contains(&line.at))
        });
        let standing = held.get(address).copied();
        // A text in doubt counts as sent: nobody is texted twice (L3, L17).
        let in_doubt = books.in_doubt.get(&(clinic, channel, address.to_owned()));
        let counts_as_asked = in_doubt.is_some_and(|at| !books.forgot(*at));
        let wrong = if channel == Channel::Email && agreed {
            standing != Some(Standing::Subscribed)
        } else {
            asked.is_empty() && !counts_as_asked && !standing.is_some_and(Standing::is_listed)
        };
        look.check(
            "L6 nobody wanted is forgotten",
            wrong.then(|| {
                format!(
                    "patient {patient} is {standing:?} on {}, asked {} times",
                    place(list),
                    asked.len()
                )
            }),
        );
    }
}

/// Tells whether nothing ever happened at the address but a yes to the clinic, and agreeing to it.
fn unclouded(books: &Books, list: &WatchedList, patient: usize, address: &str) -> bool {
    let (clinic, channel) = (list.clinic, list.channel());
    let alone =
        books.ever.get(&(clinic, channel, address.to_owned())).is_some_and(|ever| ever.len() == 1);
    let mut lines = books
        .of(clinic, channel)
        .filter(|line| line.address.as_deref() == Some(address) || line.patient == Some(patient));
    let said_yes =
        books.of(clinic, channel).any(|line| line.act == Act::Yes && line.patient == Some(patient));
    alone
        && said_yes
        && books.turns.get(&(clinic, patient)).map_or(0, Vec::len) <= 1
        && lines.all(|line| match line.act {
            Act::Yes => true,
            Act::Agreed => !books.is_proof_lost(line),
            _ => false,
        })
}
