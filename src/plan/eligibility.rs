//! Who may be listed (L6 to L9): the clinic's records and the ledger, judged for one list.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::domain::policy::SoftOptInEntry;
use crate::domain::{
    Contact, ContactFacts, Grant, GrantKind, Holder, OptOut, OptOutKind, PatientStatus, Policy,
    Proof, Reason, Standing,
};

/// What the clinic's side says of one contact on one list.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<'a> {
    /// To be listed.
    Wanted(Wanted<'a>),
    /// Known, a patient now, and not to be listed.
    Barred {
        /// Every reason.
        reasons: Vec<Reason>,
        /// Whether the person's own act bars, and nothing else (not counted by the brake, L23).
        by_person: bool,
    },
    /// Known once, and no active patient holds the address now (L9).
    Dropped {
        /// Every reason.
        reasons: Vec<Reason>,
    },
    /// Never known.
    Unknown {
        /// Why the suppression list holds the address, where it does.
        suppressed: Option<OptOutKind>,
    },
}

/// A contact to be listed, and on what ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted<'a> {
    /// The wanted holder whose fields are used: the oldest grant, then the id (L7).
    pub holder: &'a Holder,
    /// The grant it rests on.
    pub grant: &'a Grant,
    /// Proof that the address asked, newer than every opt-out (L10).
    pub proof: Option<&'a Proof>,
    /// Whether it enters subscribed at once: single opt-in, and never opted out (L11).
    pub direct: bool,
    /// Whether the address is undeliverable: no invitation (L14).
    pub undeliverable: bool,
    /// Whether several active patients share the address.
    pub shared: bool,
}

/// Judges one contact for one list.
#[must_use]
pub fn judge<'a>(facts: &'a ContactFacts, policy: &Policy, now: DateTime<Utc>) -> Verdict<'a> {
    let Some(contact) = &facts.contact else {
        return Verdict::Unknown { suppressed: facts.suppressed };
    };
    let active: Vec<&Holder> = facts.holders.iter().filter(|holder| is_active(holder)).collect();
    if active.is_empty() {
        return Verdict::Dropped { reasons: dropped_because(contact, &facts.holders) };
    }
    let mut wanted: Vec<Wanted<'a>> = Vec::new();
    let mut barred = Bars::default();
    for holder in &active {
        match examine(contact, holder, policy, now) {
            Ok(grant) => wanted.push(listed(contact, holder, grant, policy, active.len() > 1)),
            Err(bars) => barred.merge(bars),
        }
    }
    match wanted.into_iter().min_by_key(|wanted| seniority(wanted)) {
        // An admin ordered it: the brake does not count it (L20, L23).
        Some(_) if policy.retiring => {
            Verdict::Barred { reasons: vec![Reason::ListRetired], by_person: true }
        }
        Some(wanted) => Verdict::Wanted(wanted),
        None => barred.verdict(),
    }
}

fn is_active(holder: &Holder) -> bool {
    holder.holds_now && holder.patient.record.status == PatientStatus::Active
}

fn seniority(wanted: &Wanted<'_>) -> (DateTime<Utc>, crate::domain::PatientId) {
    (wanted.grant.at.unwrap_or(wanted.grant.recorded_at), wanted.holder.patient.id)
}

/// Says why nobody active holds the address: what became of those who hold it, else of those who
/// held it.
fn dropped_because(contact: &Contact, holders: &[Holder]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if contact.standing.opt_outs.iter().any(|opt_out| opt_out.kind == OptOutKind::Erased) {
        push(&mut reasons, Reason::Erased);
    }
    for holder in holders {
        match (holder.patient.record.status, holder.holds_now) {
            (PatientStatus::Deleted, _) => push(&mut reasons, Reason::PatientDeleted),
            (_, false) => {}
            (PatientStatus::Archived, true) => push(&mut reasons, Reason::PatientArchived),
            (PatientStatus::Merged, true) => push(&mut reasons, Reason::PatientMerged),
            (PatientStatus::Deceased, true) => push(&mut reasons, Reason::PatientDeceased),
            (PatientStatus::Vanished, true) => push(&mut reasons, Reason::PatientVanished),
            (PatientStatus::Active, true) => {}
        }
    }
    if reasons.is_empty() {
        reasons.push(Reason::AddressGone);
    }
    reasons
}

fn push(reasons: &mut Vec<Reason>, reason: Reason) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// What bars a holder: reasons, and whether they are all the person's own opt-outs.
#[derive(Debug, Default)]
struct Bars {
    reasons: Vec<Reason>,
    not_by_person: bool,
}

impl Bars {
    fn add(&mut self, reason: Reason) {
        self.not_by_person = true;
        push(&mut self.reasons, reason);
    }

    fn opt_out(&mut self, grant: Option<&Grant>, opt_out: &OptOut) {
        self.not_by_person |= !opt_out.by_person;
        let reason = match opt_out.kind {
            OptOutKind::Objected => Reason::Objected,
            OptOutKind::Complained => Reason::Complained,
            OptOutKind::Erased => Reason::Erased,
            OptOutKind::Withdrawn if grant.is_some_and(|g| is_flag_set_after(g, opt_out)) => {
                Reason::FlagAfterOptOut
            }
            OptOutKind::Withdrawn => Reason::Withdrawn,
        };
        push(&mut self.reasons, reason);
    }

    fn merge(&mut self, other: Self) {
        self.not_by_person |= other.not_by_person;
        for reason in other.reasons {
            push(&mut self.reasons, reason);
        }
    }

    fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    fn verdict<'a>(self) -> Verdict<'a> {
        Verdict::Barred { reasons: self.reasons, by_person: !self.not_by_person }
    }
}

fn is_flag_set_after(grant: &Grant, opt_out: &OptOut) -> bool {
    grant.kind == GrantKind::Flag && grant.at.is_some_and(|at| at > opt_out.at)
}

/// Finds the grant that lists this holder, or everything that bars it.
fn examine<'a>(
    contact: &'a Contact,
    holder: &'a Holder,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<&'a Grant, Bars> {
    let mut bars = bars_of_person(holder, policy, now);
    match basis(contact, holder, policy) {
        Ok(grant) if bars.is_empty() => return Ok(grant),
        Ok(_) => {}
        Err(found) => bars.merge(found),
    }
    Err(bars)
}

/// What bars the person whatever was granted.
fn bars_of_person(holder: &Holder, policy: &Policy, now: DateTime<Utc>) -> Bars {
    let record = &holder.patient.record;
    let mut bars = Bars::default();
    if record.restricted {
        bars.add(Reason::Restricted);
    }
    if record.privacy_policy == Some(false) {
        bars.add(Reason::PolicyRejected);
    }
    if coming_of_age(holder, policy).is_some_and(|day| now.date_naive() < day) {
        bars.add(Reason::UnderAge);
    }
    if !policy.selector.matches(&record.tags) {
        bars.add(Reason::NotSelected);
    }
    if holder.withdrawn_in_record {
        bars.add(Reason::WithdrawnInRecord);
    }
    bars
}

/// Finds a live basis: the oldest grant that nothing outranks.
fn basis<'a>(contact: &'a Contact, holder: &'a Holder, policy: &Policy) -> Result<&'a Grant, Bars> {
    let mut bars = Bars::default();
    let mut best: Option<&Grant> = None;
    for grant in holder.standing.grants.iter().chain(&contact.standing.grants) {
        let found = bars_of_grant(grant, contact, holder, policy);
        if !found.is_empty() {
            bars.merge(found);
        } else if best.is_none_or(|known| age_of(grant) < age_of(known)) {
            best = Some(grant);
        }
    }
    if let Some(grant) = best {
        return Ok(grant);
    }
    if holder.standing.grants.is_empty() && contact.standing.grants.is_empty() {
        for opt_out in opt_outs(contact, holder) {
            bars.opt_out(None, opt_out);
        }
    }
    if bars.is_empty() {
        bars.add(Reason::NoBasis);
    }
    Err(bars)
}

fn age_of(grant: &Grant) -> (DateTime<Utc>, crate::domain::EventId) {
    (grant.at.unwrap_or(grant.recorded_at), grant.event)
}

fn bars_of_grant(grant: &Grant, contact: &Contact, holder: &Holder, policy: &Policy) -> Bars {
    let mut bars = Bars::default();
    if grant.purpose.is_some() && grant.purpose != policy.purpose {
        bars.add(Reason::OtherPurpose);
    }
    if grant.kind == GrantKind::SoftOptIn && policy.soft_opt_in == SoftOptInEntry::Refuse {
        bars.add(Reason::SoftOptInRefused);
    }
    let given = grant.at.unwrap_or(grant.recorded_at).date_naive();
    if coming_of_age(holder, policy).is_some_and(|day| given < day) {
        bars.add(Reason::GrantUnderAge);
    }
    let unlifted = |standing: &Standing, bars: &mut Bars| {
        for opt_out in standing.unlifted(grant) {
            bars.opt_out(Some(grant), opt_out);
        }
    };
    unlifted(&contact.standing, &mut bars);
    unlifted(&holder.standing, &mut bars);
    bars
}

fn opt_outs<'a>(contact: &'a Contact, holder: &'a Holder) -> impl Iterator<Item = &'a OptOut> {
    contact.standing.opt_outs.iter().chain(&holder.standing.opt_outs)
}

fn listed<'a>(
    contact: &'a Contact,
    holder: &'a Holder,
    grant: &'a Grant,
    policy: &Policy,
    shared: bool,
) -> Wanted<'a> {
    let never_opted_out = opt_outs(contact, holder).next().is_none();
    let proof = contact
        .standing
        .proof
        .as_ref()
        .filter(|proof| opt_outs(contact, holder).all(|opt_out| proof.outranks(opt_out)));
    let single = match grant.kind {
        GrantKind::SoftOptIn => policy.soft_opt_in == SoftOptInEntry::Direct,
        GrantKind::Explicit | GrantKind::Flag => !policy.double_opt_in,
    };
    let undeliverable = contact
        .standing
        .bounce
        .as_ref()
        .is_some_and(|bounce| grant.kind != GrantKind::Explicit || !grant.outranks(bounce));
    Wanted { holder, grant, proof, direct: single && never_opted_out, undeliverable, shared }
}

/// Returns the day the holder comes of age, where the birth date is known.
fn coming_of_age(holder: &Holder, policy: &Policy) -> Option<NaiveDate> {
    let born = holder.patient.record.birth_date?;
    let year = born.year() + i32::from(policy.age_of_consent);
    // Born on 29 February: of age on 1 March of a common year.
    born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
}
