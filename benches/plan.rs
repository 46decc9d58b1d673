//! How many links one core decides in a second, over a mixed world.
//!
//! `cargo bench --bench plan`

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use listwarden::domain::policy::{
    Brake, CleanedMembers, FieldMapping, LeaveBy, PatientField, ReturnBy, SharedFields,
    SoftOptInEntry, UnknownMembers, UnprovenMembers,
};
use listwarden::domain::{
    Actor, Address, Base, By, Channel, Consent, Contact, ContactFacts, ContactId, Draft, Entry,
    Event, EventId, EventKind, Holder, Link, LinkId, ListId, MemberStatus, Observed, Patient,
    PatientId, PatientRecord, PatientStatus, Personal, Policy, Selector, Standing, TimeSource,
};
use listwarden::plan::payload::{digest, payload};
use listwarden::plan::{ListFacts, Verdict, decide, judge};
use uuid::Uuid;

const LINKS: u32 = 20_000;
const ROUNDS: u32 = 50;

fn main() {
    let policy = policy();
    let list = ListFacts {
        id: ListId(Uuid::from_u128(1)),
        slug: "newsletter",
        policy: &policy,
        confirms_sign_ups: true,
    };
    let links: Vec<(ContactFacts, Link)> = (0..LINKS).map(|n| link(n, &policy)).collect();
    for (share, chosen) in [("mixed", None), ("in step", Some(0)), ("opted out there", Some(5))] {
        let chosen: Vec<_> = (0..LINKS)
            .zip(&links)
            .filter(|(n, _)| chosen.is_none_or(|kind| n % KINDS == kind))
            .map(|(_, link)| link)
            .collect();
        let began = now();
        let mut operations = 0_u64;
        for _ in 0..ROUNDS {
            for (facts, link) in &chosen {
                let decision = decide(black_box(facts), black_box(link), &list, at(100));
                operations += u64::from(black_box(decision).operation.is_some());
            }
        }
        let decided = f64::from(ROUNDS) * f64::from(u32::try_from(chosen.len()).unwrap_or(0));
        let per_second = decided / began.elapsed().as_secs_f64();
        println!(
            "{share:>16}: {per_second:>9.0} links a second on one core, {operations} operations"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn at(day: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).single().unwrap_or_default() + TimeDelta::days(day)
}

/// Ten kinds of link, most of them in step, as on a list that is looked after.
const KINDS: u32 = 10;

fn link(n: u32, policy: &Policy) -> (ContactFacts, Link) {
    let kind = n % KINDS;
    let mut facts = facts(n);
    if kind == 4 {
        facts.holders[0].patient.record.status = PatientStatus::Archived;
    }
    let status = match kind {
        5 => MemberStatus::Unsubscribed,
        6 => MemberStatus::Absent,
        _ => MemberStatus::Subscribed,
    };
    let shown = match judge(&facts, policy, at(100)) {
        Verdict::Wanted(wanted) if kind != 7 => digest(&payload(&wanted, policy)),
        _ => 0,
    };
    let observed = Observed {
        status,
        member: None,
        last_changed: Some(at(50)),
        signed_up_at: None,
        opted_in_at: Some(at(3)),
        entry: Entry::Api,
        complained: false,
        digest: shown,
        seen_at: at(90),
    };
    let link = Link {
        id: LinkId(Uuid::from_u128(n.into())),
        observed: (kind != 6).then_some(observed),
        base: (kind != 6).then_some(Base {
            status: MemberStatus::Subscribed,
            by: By::Us,
            at: at(3),
        }),
        invitation: None,
        intent: None,
        removed_there: None,
        moved_there: None,
        moved_told: None,
    };
    (facts, link)
}

fn facts(n: u32) -> ContactFacts {
    let contact = ContactId(Uuid::from_u128(n.into()));
    let told = |kind, day| {
        let mut draft = Draft::new(kind, Actor::Person, TimeSource::Clinic, "bench");
        draft.explicit = true;
        draft.contact = Some(contact);
        draft.occurred_at = Some(at(day));
        draft.into_event(EventId(Uuid::from_u128(n.into())), at(day))
    };
    let fold = |events: &[Event]| {
        let mut standing = Standing::default();
        for event in events {
            standing.apply(event);
        }
        standing
    };
    let holders = if n.is_multiple_of(8) { 2 } else { 1 };
    let holder = |h: u32| Holder {
        patient: Patient { id: PatientId(Uuid::from_u128(h.into())), record: record(n) },
        standing: fold(&[told(EventKind::Granted, 1)]),
        withdrawn_in_record: false,
        holds_now: true,
    };
    ContactFacts {
        contact: Some(Contact {
            id: contact,
            channel: Channel::Email,
            address: Address::email(&format!("p{n}@mail.test")).ok(),
            standing: fold(&[told(EventKind::Confirmed, 3)]),
        }),
        holders: (0..holders).map(holder).collect(),
        asked: Vec::new(),
        suppressed: None,
    }
}

fn record(n: u32) -> PatientRecord {
    PatientRecord {
        source_id: n.to_string(),
        given_name: Personal::new("Annemarie"),
        family_name: Personal::new("Lee-Carter"),
        email: Address::email(&format!("p{n}@mail.test")).ok(),
        mobile: None,
        birth_date: chrono::NaiveDate::from_ymd_opt(1980, 5, 17),
        status: PatientStatus::Active,
        restricted: false,
        tags: BTreeSet::from(["newsletter".to_owned()]),
        privacy_policy: Some(true),
        email_consent: Consent::default(),
        sms_consent: Consent::default(),
        updated_at: at(0),
    }
}

fn policy() -> Policy {
    let field = |field: &str, from| FieldMapping { field: field.to_owned(), from };
    Policy {
        channel: Channel::Email,
        purpose: None,
        selector: Selector {
            any: BTreeSet::from(["newsletter".to_owned()]),
            ..Selector::default()
        },
        double_opt_in: true,
        soft_opt_in: SoftOptInEntry::Refuse,
        age_of_consent: 16,
        unknown: UnknownMembers::Report,
        unproven: UnprovenMembers::Hold,
        on_drop: LeaveBy::Archive,
        on_return: ReturnBy::Invite,
        cleaned: CleanedMembers::Report,
        shared_fields: SharedFields::OldestGrant,
        grandfather_before: None,
        asking: None,
        invitation_expires: TimeDelta::days(30),
        unadopted_after: TimeDelta::days(30),
        fields: vec![
            field("FNAME", PatientField::GivenName),
            field("LNAME", PatientField::FamilyName),
        ],
        tags: BTreeMap::from([("newsletter".to_owned(), "Newsletter".to_owned())]),
        brake: Brake::default(),
        freshness: TimeDelta::hours(24),
        retiring: false,
    }
}
