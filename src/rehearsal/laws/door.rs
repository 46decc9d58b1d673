//! Judged at the providers' door, at every step: no change that the program makes lists anybody of
//! whom it knew better, and nobody is asked twice for one yes.

use chrono::{DateTime, Utc};

use super::{Change, Lookout, WatchedList, truth};
use crate::domain::Channel;
use crate::rehearsal::books::{Act, Books, Line};
use crate::rehearsal::stages::Standing;
use crate::simulator::Attempt;

/// Judges a change that the program made.
pub fn judge(look: &Lookout, books: &Books, list: &WatchedList, change: &Change) {
    let Some(now) = change.now.filter(|standing| standing.is_listed()) else { return };
    let entered = !change.before.is_some_and(Standing::is_listed);
    let confirmed = now == Standing::Subscribed && change.before == Some(Standing::Pending);
    if !entered && !confirmed {
        return;
    }
    let what = |why: &str| {
        let name = &list.setting.slug;
        format!("{:?} after {:?} on c{}/{name}: {why}", change.now, change.before, list.clinic)
    };
    let began = run_began(look, books);
    let no = known_no(books, list, &change.address, began);
    look.check(
        "L11 nothing re-subscribes anyone by itself",
        no.map(|no| what(&format!("{:?} was known before the run began", no.act))),
    );
    let dropped = known_dropped(books, list, &change.address, began);
    look.check(
        "L9 nobody enters whom the clinic is known to have dropped",
        dropped.then(|| what("every patient with the address had left before the run began")),
    );
    let proof = (list.clinic, list.channel());
    let unproven = now == Standing::Subscribed
        && !truth::proven(books, proof, &list.setting, list.list, &change.address);
    look.check(
        "L10 nobody becomes subscribed without proof",
        unproven.then(|| what("nobody at the address ever agreed")),
    );
}

/// When the run that holds the turn began; now, where none does.
fn run_began(look: &Lookout, books: &Books) -> DateTime<Utc> {
    let actor = look.turnstile.turn();
    let run = books.runs.iter().rev().find(|run| run.actor == actor && run.ended.is_none());
    run.map_or_else(|| look.turnstile.now(), |run| run.began)
}

/// Finds a no that the program knew before `began`, and that no yes came after.
fn known_no<'a>(
    books: &'a Books,
    list: &WatchedList,
    address: &str,
    began: DateTime<Utc>,
) -> Option<&'a Line> {
    let lines = || books.of(list.clinic, list.channel());
    let yes_after = |no: &Line| {
        lines().any(|line| {
            let of_address = line.address.as_deref() == Some(address);
            let is_yes = match line.act {
                Act::Yes | Act::TakenDown | Act::Accepted => true,
                Act::SignedUp | Act::Customer | Act::Flag => true,
                // Whoever filled in the form clicks the link: that is a yes of its own (L18).
                act => act == Act::Agreed && truth::signed_up_before(books, line, address),
            };
            is_yes
                && line.claimed.max(line.at) > no.at
                && (of_address || holds(books, list, line, address))
        })
    };
    lines()
        .filter(|line| line.act.is_no() && line.address.as_deref() == Some(address))
        .filter(|line| !books.is_from_an_unread_stay(line) && !books.is_covered_up(line))
        .find(|no| books.was_known(no, began) && !yes_after(no))
}

fn holds(books: &Books, list: &WatchedList, line: &Line, address: &str) -> bool {
    let mut holders = books.holders(list.clinic, list.channel(), address);
    line.patient.is_some_and(|patient| holders.any(|(holder, _)| holder == patient))
}

fn known_dropped(books: &Books, list: &WatchedList, address: &str, began: DateTime<Utc>) -> bool {
    let channel = list.channel();
    if !books.dropped(list.clinic, channel, address) {
        return false;
    }
    let ever = books.ever.get(&(list.clinic, channel, address.to_owned()));
    let changed = |patient: &usize| books.changed.get(&(list.clinic, *patient)).copied();
    let last = ever.into_iter().flatten().filter_map(changed).max();
    // A row that is gone counts as dropped once two sweeps have missed it (L9).
    let gone =
        |patient: &usize| books.records.get(&(list.clinic, *patient)).is_some_and(Option::is_none);
    let sweeps = if ever.into_iter().flatten().any(gone) { 2 } else { 1 };
    last.is_some_and(|last| {
        let since = books.runs.iter().filter(|run| {
            run.read.contains(&list.clinic)
                && run.began > last
                && run.ended.is_some_and(|ended| ended < began)
        });
        since.count() >= sweeps
    })
}

/// Judges a question that went out.
pub fn judge_question(look: &Lookout, stage: usize, where_to: Option<&str>, address: &str) {
    let of = |list: &&WatchedList| {
        let setting = &list.setting;
        setting.stage == stage
            && match list.channel() {
                Channel::Email => where_to == Some(list.setup.audience.as_str()),
                Channel::Sms => true,
            }
    };
    let mut books = look.books();
    let lists = look.lists.iter().filter(of);
    let mut lists = lists.filter(|list| books.knew(list.clinic, list.channel(), address));
    let Some(list) = lists.next() else { return };
    let (clinic, channel) = (list.clinic, list.channel());
    let key = (clinic, list.asks_as, address.to_owned());
    let ever = books.ever.get(&(clinic, channel, address.to_owned())).cloned().unwrap_or_default();
    let turns = ever.iter().filter_map(|patient| books.turns.get(&(clinic, *patient))).flatten();
    let acts = books
        .of(clinic, channel)
        .filter(|line| line.address.as_deref() == Some(address) && line.act != Act::Agreed);
    let happened: Vec<DateTime<Utc>> = turns.copied().chain(acts.map(|line| line.at)).collect();
    let lost = books.lost(clinic, channel, address);
    let upon = lost + happened.len();
    let began = run_began(look, &books);
    let read = lost + happened.iter().filter(|at| **at < began).count();
    books.asked.entry(key.clone()).or_default().push(look.turnstile.now());
    drop(books);
    let mut known = look.asked_upon.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = known.get(&key).copied();
    let repeated = before.is_some_and(|before| before >= upon);
    // What happened while the run went on it may not have read, and may ask upon later: unless it is
    // all that explains this question.
    let explained = read > before.unwrap_or_default();
    known.insert(key, if explained { read } else { upon });
    drop(known);
    look.check(
        "L3 one invitation a yes",
        repeated
            .then(|| format!("asked again on c{clinic}/{} with nothing new", list.setting.slug)),
    );
}

/// Takes down that a delivery was answered as taken: what it tells is known from now on.
pub fn acknowledged(look: &Lookout, attempt: &Attempt) {
    let forged = attempt.body == "FORGED" && !look.books().unsigned;
    look.check(
        "L1 nothing forged is taken",
        forged.then(|| "a delivery with a wrong signature was answered with 2xx".to_owned()),
    );
    let body = percent_encoding::percent_decode_str(&attempt.body.replace('+', "%2B"))
        .decode_utf8_lossy()
        .to_lowercase();
    let now = look.turnstile.now();
    let mut books = look.books();
    let new = books.acknowledged.insert((attempt.url.clone(), attempt.body.clone()));
    let tells_no = ["action]=unsub", "stop", "abuse"].iter().any(|word| body.contains(word));
    if !tells_no || !new {
        return;
    }
    for line in &mut books.lines {
        let theirs = line
            .address
            .as_ref()
            .is_some_and(|address| body.contains(address.trim_start_matches('+')));
        if theirs && matches!(line.act, Act::OptedOut | Act::Complained) && line.told_at.is_none() {
            line.told_at = Some(now);
        }
    }
}
