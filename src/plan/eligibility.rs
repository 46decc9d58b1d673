//! Who may be listed (L6 to L9): the clinic's records and the ledger, judged for one list.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::domain::policy::SoftOptInEntry;
use crate::domain::{
    Answer, Channel, Contact, ContactFacts, EventId, Grant, GrantKind, Holder, OptOut, OptOutKind,
    PatientRecord, PatientStatus, Policy, Proof, Reason,
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
        /// Whether the person's own opt-out is enough to bar (then the brake does not count, L23).
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted<'a> {
    /// The wanted holder whose fields are used: the oldest grant, then the id (L7).
    pub holder: &'a Holder,
    /// Since when that holder has a grant that still lives.
    pub since: DateTime<Utc>,
    /// The strongest grant that still lives, by whichever holder: explicit, then the newest.
    pub grant: &'a Grant,
    /// Proof that the address asked, newer than every opt-out (L10).
    pub proof: Option<&'a Proof>,
    /// That proof, if it lets them in again without asking: it is of a wanted holder, and not from
    /// before the address was somebody else's, or nobody's (L8, L13).
    pub readmits: Option<&'a Proof>,
    /// Whether it enters subscribed at once: single opt-in, and never opted out (L11).
    pub direct: bool,
    /// Whether the address is undeliverable: no invitation (L14).
    pub undeliverable: bool,
    /// Whether several active patients share the address.
    pub shared: bool,
}

impl Wanted<'_> {
    /// Joins two grounds for listing one address: the fields of the elder, the best of both.
    fn beside(self, other: Self) -> Self {
        let seniority = |wanted: &Self| (wanted.since, wanted.holder.patient.id);
        let elder = if seniority(&other) < seniority(&self) { &other } else { &self };
        Self {
            holder: elder.holder,
            since: elder.since,
            grant: if strength(other.grant) > strength(self.grant) {
                other.grant
            } else {
                self.grant
            },
            proof: self.proof.or(other.proof),
            readmits: self.readmits.or(other.readmits),
            direct: self.direct || other.direct,
            undeliverable: self.undeliverable && other.undeliverable,
            // Told once all holders are counted.
            shared: self.shared,
        }
    }
}

fn strength(grant: &Grant) -> (bool, Option<DateTime<Utc>>, EventId) {
    (grant.kind == GrantKind::Explicit, grant.at, grant.event)
}

/// Judges one contact for one list.
#[must_use]
pub fn judge<'a>(facts: &'a ContactFacts, policy: &Policy, now: DateTime<Utc>) -> Verdict<'a> {
    judge_as(facts.contact.as_ref(), facts, policy, now)
}

/// Judges `contact`, who may have learned more than the facts tell, with the facts' holders.
pub(super) fn judge_as<'a>(
    contact: Option<&'a Contact>,
    facts: &'a ContactFacts,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Verdict<'a> {
    let Some(contact) = contact else {
        return Verdict::Unknown { suppressed: facts.suppressed };
    };
    // Nobody ever held it: a stranger who said no, and whom the opt-out is all that is known of.
    if facts.holders.is_empty() {
        let recorded = contact.standing.opt_outs.iter().map(|opt_out| opt_out.kind);
        return Verdict::Unknown { suppressed: recorded.chain(facts.suppressed).max() };
    }
    let mut active = 0;
    let mut wanted: Option<Wanted<'a>> = None;
    let mut barred: Option<Bars> = None;
    for holder in facts.holders.iter().filter(|holder| is_active(holder)) {
        active += 1;
        match examine(contact, holder, policy, now) {
            Ok(found) => wanted = Some(joined(wanted, found, Wanted::beside)),
            Err(bars) => barred = Some(joined(barred, bars, Bars::beside)),
        }
    }
    match (wanted, barred) {
        _ if active == 0 => Verdict::Dropped { reasons: dropped_because(contact, &facts.holders) },
        // An admin ordered it: the brake does not count it (L20, L23).
        (Some(_), _) if policy.retiring => {
            Verdict::Barred { reasons: vec![Reason::ListRetired], by_person: true }
        }
        (Some(wanted), _) => match unrecorded(contact, facts.suppressed) {
            None => {
                let readmits = readmits(contact, &facts.holders, &wanted);
                Verdict::Wanted(Wanted { shared: active > 1, readmits, ..wanted })
            }
            Some(kind) => {
                Verdict::Barred { reasons: vec![Reason::opted_out(kind)], by_person: false }
            }
        },
        (None, bars) => bars.unwrap_or_default().verdict(),
    }
}

fn joined<T>(known: Option<T>, new: T, join: impl FnOnce(T, T) -> T) -> T {
    match known {
        None => new,
        Some(known) => join(known, new),
    }
}

/// Returns the proof if it is surely of a wanted holder: nobody else ever had the address, or the
/// consent was given for it before. What became undeliverable since may have another owner.
fn readmits<'a>(contact: &Contact, holders: &[Holder], wanted: &Wanted<'a>) -> Option<&'a Proof> {
    let bounce = contact.standing.bounce.as_ref();
    let own = if holders.len() == 1 { wanted.proof } else { wanted.readmits };
    own.filter(|proof| bounce.is_none_or(|bounce| bounce.at < proof.at))
}

/// A suppression of the address that its standing does not tell of: nothing can lift it (L6).
fn unrecorded(contact: &Contact, suppressed: Option<OptOutKind>) -> Option<OptOutKind> {
    suppressed.filter(|kind| contact.standing.opt_outs.iter().all(|known| known.kind != *kind))
}

fn is_active(holder: &Holder) -> bool {
    holder.holds_now && holder.patient.record.status == PatientStatus::Active
}

/// Says why nobody active holds the address: what became of those who hold it, else of those who
/// held it.
fn dropped_because(contact: &Contact, holders: &[Holder]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if is_erased(contact, holders) {
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

/// Tells whether an erasure stands that no newer grant has lifted since (L11).
fn is_erased(contact: &Contact, holders: &[Holder]) -> bool {
    let standings = || holders.iter().map(|h| &h.standing).chain([&contact.standing]);
    let lifted = |erased: &OptOut| {
        standings().any(|standing| standing.grants.iter().any(|grant| grant.lifts(erased)))
    };
    let mut erasures = contact.standing.opt_outs.iter().filter(|o| o.kind == OptOutKind::Erased);
    erasures.any(|erased| !lifted(erased))
}

fn push(reasons: &mut Vec<Reason>, reason: Reason) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// What bars a grant or a holder.
#[derive(Debug, Default)]
struct Bars {
    reasons: Vec<Reason>,
    /// Whether the person's own opt-out is enough to bar, whatever else does (L23).
    by_person: bool,
}

impl Bars {
    fn because(reason: Reason) -> Self {
        Self { reasons: vec![reason], by_person: false }
    }

    /// Joins the bars of two grants, or two holders: either would have listed the address.
    fn beside(mut self, other: Self) -> Self {
        self.by_person &= other.by_person;
        for reason in other.reasons {
            push(&mut self.reasons, reason);
        }
        self
    }

    fn opt_out(&mut self, reason: Reason, opt_out: &OptOut) {
        self.by_person |= opt_out.by_person;
        push(&mut self.reasons, reason);
    }

    fn verdict<'a>(self) -> Verdict<'a> {
        Verdict::Barred { reasons: self.reasons, by_person: self.by_person }
    }
}

/// Finds the ground on which this holder lists the address, or everything that bars it.
fn examine<'a>(
    contact: &'a Contact,
    holder: &'a Holder,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Wanted<'a>, Bars> {
    let reasons = bars_of_person(holder, policy, now);
    match basis(contact, holder, policy) {
        Ok(wanted) if reasons.is_empty() => Ok(wanted),
        Ok(_) => Err(Bars { reasons, by_person: false }),
        Err(bars) => {
            let by_person = bars.by_person;
            Err(Bars { reasons, by_person }.beside(bars))
        }
    }
}

/// What bars the person whatever was granted.
fn bars_of_person(holder: &Holder, policy: &Policy, now: DateTime<Utc>) -> Vec<Reason> {
    let record = &holder.patient.record;
    let under_age = || coming_of_age(holder, policy).is_some_and(|day| now.date_naive() < day);
    [
        (record.restricted || holder.standing.is_restricted(), Reason::Restricted),
        (record.privacy_policy == Some(false), Reason::PolicyRejected),
        (under_age(), Reason::UnderAge),
        (!policy.selector.matches(&record.tags), Reason::NotSelected),
        (holder.withdrawn_in_record && says_no(record, policy.channel), Reason::WithdrawnInRecord),
    ]
    .into_iter()
    .filter_map(|(bars, reason)| bars.then_some(reason))
    .collect()
}

/// Tells whether the record gives no basis on `channel`, or objects on any.
fn says_no(record: &PatientRecord, channel: Channel) -> bool {
    let yes = matches!(record.consent(channel).answer, Answer::Granted | Answer::SoftOptIn);
    !yes || Channel::ALL.iter().any(|other| record.consent(*other).answer == Answer::Objected)
}

/// Joins every grant that nothing outranks, or else everything that bars them.
fn basis<'a>(
    contact: &'a Contact,
    holder: &'a Holder,
    policy: &Policy,
) -> Result<Wanted<'a>, Bars> {
    let mut live: Option<Wanted<'a>> = None;
    let mut refused: Option<Bars> = None;
    for grant in holder.standing.grants.iter().chain(&contact.standing.grants) {
        let bars = bars_of_grant(grant, contact, holder, policy);
        if bars.reasons.is_empty() {
            live = Some(joined(live, listed(contact, holder, grant, policy), Wanted::beside));
        } else {
            refused = Some(joined(refused, bars, Bars::beside));
        }
    }
    live.ok_or_else(|| refused.unwrap_or_else(|| never_granted(contact, holder)))
}

fn never_granted(contact: &Contact, holder: &Holder) -> Bars {
    let mut bars = Bars::default();
    for opt_out in opt_outs(contact, holder) {
        bars.opt_out(Reason::opted_out(opt_out.kind), opt_out);
    }
    if bars.reasons.is_empty() { Bars::because(Reason::NoBasis) } else { bars }
}

fn bars_of_grant(grant: &Grant, contact: &Contact, holder: &Holder, policy: &Policy) -> Bars {
    let mut bars = Bars::default();
    let purpose = grant.purpose.as_ref().or_else(|| narrowed(grant, contact, holder, policy));
    if purpose.is_some() && purpose != policy.purpose.as_ref() {
        push(&mut bars.reasons, Reason::OtherPurpose);
    }
    if let Some(said) = holder.standing.refused(policy.purpose.as_deref(), grant) {
        bars.opt_out(Reason::PurposeRefused, said);
    }
    if grant.kind == GrantKind::SoftOptIn && policy.soft_opt_in == SoftOptInEntry::Refuse {
        push(&mut bars.reasons, Reason::SoftOptInRefused);
    }
    if coming_of_age(holder, policy).is_some_and(|day| given(grant).date_naive() < day) {
        push(&mut bars.reasons, Reason::GrantUnderAge);
    }
    for opt_out in opt_outs(contact, holder).filter(|opt_out| !lifts(grant, opt_out, contact)) {
        let parked = opt_out.kind == OptOutKind::Withdrawn
            && grant.kind == GrantKind::Flag
            && grant.outranks(opt_out);
        let reason = if parked { Reason::FlagAfterOptOut } else { Reason::opted_out(opt_out.kind) };
        bars.opt_out(reason, opt_out);
    }
    bars
}

/// Tells whether the grant lifts an opt-out: of the address, or of a holder.
fn lifts(grant: &Grant, opt_out: &OptOut, contact: &Contact) -> bool {
    if contact.standing.opt_outs.contains(opt_out) {
        grant.lifts_at(contact.id, opt_out)
    } else {
        grant.lifts(opt_out)
    }
}

/// The purpose that the holder's record has come to limit an older, general grant to.
fn narrowed<'a>(
    grant: &Grant,
    contact: &Contact,
    holder: &'a Holder,
    policy: &Policy,
) -> Option<&'a String> {
    let says = holder.patient.record.consent(policy.channel);
    let theirs = || contact.standing.grants.iter().any(|there| there.event == grant.event);
    says.purpose.as_ref().filter(|_| says.answer == Answer::Granted && !theirs())
}

/// Returns when a grant was given: by its own time, else when it was first seen.
fn given(grant: &Grant) -> DateTime<Utc> {
    grant.at.unwrap_or(grant.recorded_at)
}

fn opt_outs<'a>(contact: &'a Contact, holder: &'a Holder) -> impl Iterator<Item = &'a OptOut> {
    contact.standing.opt_outs.iter().chain(&holder.standing.opt_outs)
}

fn listed<'a>(
    contact: &'a Contact,
    holder: &'a Holder,
    grant: &'a Grant,
    policy: &Policy,
) -> Wanted<'a> {
    let never_opted_out = opt_outs(contact, holder).next().is_none();
    let same_address = grant.contact == Some(contact.id);
    let proven = |proof: &&Proof| opt_outs(contact, holder).all(|o| proof.outranks(o));
    let single = match grant.kind {
        GrantKind::SoftOptIn => policy.soft_opt_in == SoftOptInEntry::Direct,
        GrantKind::Explicit | GrantKind::Flag => !policy.double_opt_in,
    };
    let proof = contact.standing.proof.as_ref().filter(proven);
    let recovered = |bounce: &OptOut| grant.kind == GrantKind::Explicit && grant.outranks(bounce);
    Wanted {
        holder,
        since: given(grant),
        grant,
        proof,
        readmits: proof.filter(|proof| same_address && given(grant) <= proof.at),
        direct: single && never_opted_out && same_address,
        undeliverable: contact.standing.undeliverable().is_some_and(|b| !recovered(b)),
        shared: false,
    }
}

/// Returns the day the holder comes of age, where the birth date is known.
fn coming_of_age(holder: &Holder, policy: &Policy) -> Option<NaiveDate> {
    let born = holder.patient.record.birth_date?;
    let year = born.year() + i32::from(policy.age_of_consent);
    // Born on 29 February: of age on 1 March of a common year.
    born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
}
