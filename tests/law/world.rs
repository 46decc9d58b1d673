//! A world of one address on one list, built in a sentence.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use listwarden::domain::operation::Counted;
use listwarden::domain::policy::{
    Brake, CleanedMembers, FieldMapping, LeaveBy, PatientField, ReturnBy, SharedFields,
    SoftOptInEntry, UnknownMembers, UnprovenMembers,
};
use listwarden::domain::{
    Actor, Address, Base, By, Channel, Class, Consent, Contact, ContactFacts, ContactId, Draft,
    Entry, Event, EventId, EventKind, Holder, Intent, Invitation, Link, LinkId, ListId,
    MemberStatus, Observed, OptOutKind, Patient, PatientId, PatientRecord, PatientStatus, Personal,
    Policy, Reason, Selector, Standing, TimeSource, Verb,
};
use listwarden::plan::payload::digest;
use listwarden::plan::{Decision, ListFacts, Verdict, decide, judge};
use uuid::Uuid;

/// Noon of a day of the world's calendar; today is day 100.
pub fn day(number: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).unwrap() + TimeDelta::days(number)
}

/// The day on which every world is decided.
pub const TODAY: i64 = 100;

/// One address on one list, with all that is known of it.
#[derive(Debug, Clone)]
pub struct World {
    pub facts: ContactFacts,
    pub link: Link,
    pub policy: Policy,
    pub confirms_sign_ups: bool,
    pub now: DateTime<Utc>,
    next: u128,
}

/// An address that nobody holds yet, never seen on the list, under the default policy.
pub fn world() -> World {
    let contact = Contact {
        id: ContactId(Uuid::from_u128(1)),
        channel: Channel::Email,
        address: Address::email("ann@mail.test").ok(),
        standing: Standing::default(),
    };
    World {
        facts: ContactFacts {
            contact: Some(contact),
            holders: Vec::new(),
            suppressed: None,
            asked: Vec::new(),
        },
        link: Link {
            id: LinkId(Uuid::from_u128(2)),
            observed: None,
            base: None,
            invitation: None,
            intent: None,
            removed_there: None,
            moved_there: None,
            moved_told: None,
        },
        policy: policy(),
        confirms_sign_ups: true,
        now: day(TODAY),
        next: 1000,
    }
}

/// A member whom the clinic never knew.
pub fn stranger() -> World {
    let mut world = world();
    world.facts.contact = None;
    world
}

/// Ann, an active patient who consented explicitly on day 1.
pub fn ann() -> World {
    world().patient("ann").grants("ann", 1)
}

/// Ann, invited on day 2 and confirmed on day 3, in step ever since.
pub fn ann_listed() -> World {
    ann().invited(2).confirms(3).base(MemberStatus::Subscribed, By::Them, 3)
}

/// The policy that a careful clinic starts with.
pub fn policy() -> Policy {
    Policy {
        channel: Channel::Email,
        purpose: None,
        selector: Selector::default(),
        double_opt_in: true,
        soft_opt_in: SoftOptInEntry::Refuse,
        age_of_consent: 16,
        unknown: UnknownMembers::Report,
        unproven: UnprovenMembers::Hold,
        on_drop: LeaveBy::Archive,
        on_return: ReturnBy::Invite,
        cleaned: CleanedMembers::Report,
        shared_fields: SharedFields::None,
        grandfather_before: None,
        invitation_expires: TimeDelta::days(30),
        asking: None,
        unadopted_after: TimeDelta::days(30),
        fields: Vec::new(),
        tags: std::collections::BTreeMap::new(),
        brake: Brake::default(),
        freshness: TimeDelta::hours(24),
        retiring: false,
    }
}

/// A patient's record without any answer about marketing.
pub fn record(name: &str) -> PatientRecord {
    PatientRecord {
        source_id: name.to_owned(),
        given_name: Personal::new(name),
        family_name: Personal::new("Lee"),
        email: Address::email("ann@mail.test").ok(),
        mobile: None,
        birth_date: None,
        status: PatientStatus::Active,
        restricted: false,
        tags: BTreeSet::new(),
        privacy_policy: None,
        email_consent: Consent::default(),
        sms_consent: Consent::default(),
        updated_at: day(0),
    }
}

/// An event of `kind`, at noon of `at` by the clock of `clock`, recorded at once.
pub fn event(kind: EventKind, at: i64, clock: TimeSource) -> Event {
    let mut draft = Draft::new(kind, Actor::Person, clock, "test");
    draft.occurred_at = Some(day(at));
    draft.channel = Some(Channel::Email);
    draft.into_event(EventId(Uuid::from_u128(u128::try_from(at).unwrap_or(0))), day(at))
}

/// The same event but for what `change` does to it.
pub fn but(mut event: Event, change: impl FnOnce(&mut Draft)) -> Event {
    change(&mut event.draft);
    event
}

impl World {
    fn id(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u128(self.next)
    }

    pub fn contact(&mut self) -> &mut Contact {
        self.facts.contact.as_mut().unwrap()
    }

    pub fn holder(&mut self, name: &str) -> &mut Holder {
        let named = |holder: &&mut Holder| holder.patient.record.source_id == name;
        self.facts.holders.iter_mut().find(named).unwrap()
    }

    // --- The clinic ------------------------------------------------------------------------

    pub fn patient(mut self, name: &str) -> Self {
        let patient = Patient { id: PatientId(self.id()), record: record(name) };
        self.facts.holders.push(Holder {
            patient,
            standing: Standing::default(),
            withdrawn_in_record: false,
            holds_now: true,
        });
        self
    }

    pub fn with(mut self, name: &str, change: impl FnOnce(&mut PatientRecord)) -> Self {
        change(&mut self.holder(name).patient.record);
        self
    }

    pub fn becomes(self, name: &str, status: PatientStatus) -> Self {
        self.with(name, |record| record.status = status)
    }

    pub fn born(self, name: &str, year: i32, month: u32, of: u32) -> Self {
        self.with(name, |record| record.birth_date = NaiveDate::from_ymd_opt(year, month, of))
    }

    pub fn leaves_the_address(mut self, name: &str) -> Self {
        self.holder(name).holds_now = false;
        self
    }

    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub fn on(mut self, today: i64) -> Self {
        self.now = day(today);
        self
    }

    pub fn maps_the_given_name(self) -> Self {
        self.policy(|p| {
            p.fields =
                vec![FieldMapping { field: "FNAME".to_owned(), from: PatientField::GivenName }];
        })
    }

    // --- The ledger ------------------------------------------------------------------------

    /// Records an event as the store folds it: a patient's grant for that patient alone, anything
    /// else for the address, and an opt-out for everybody who holds the address as well.
    pub fn records(mut self, by: Option<&str>, mut event: Event) -> Self {
        event.id = EventId(self.id());
        event.draft.contact = event.draft.contact.or(Some(self.contact().id));
        let opts_out = matches!(
            event.draft.kind,
            EventKind::Withdrawn | EventKind::Objected | EventKind::Complained | EventKind::Erased
        );
        if by.is_none() || opts_out {
            self.contact().standing.apply(&event);
        }
        for holder in &mut self.facts.holders {
            let acted = by == Some(holder.patient.record.source_id.as_str());
            if acted || (opts_out && holder.holds_now) {
                holder.standing.apply(&event);
            }
        }
        self
    }

    pub fn grants(self, name: &str, at: i64) -> Self {
        let granted = event(EventKind::Granted, at, TimeSource::Clinic);
        self.records(Some(name), but(granted, |it| it.explicit = true))
    }

    pub fn evidence_accepted(self, name: &str, at: i64) -> Self {
        let granted = event(EventKind::Granted, at, TimeSource::Clinic);
        self.records(Some(name), but(granted, |it| (it.explicit, it.accepted) = (true, true)))
    }

    pub fn flagged(self, name: &str, at: i64) -> Self {
        self.records(Some(name), event(EventKind::Granted, at, TimeSource::Clinic))
    }

    pub fn soft_opt_in(self, name: &str, at: i64) -> Self {
        self.records(Some(name), event(EventKind::SoftOptIn, at, TimeSource::Clinic))
    }

    pub fn withdraws(self, name: &str, at: i64) -> Self {
        self.opts_out(name, EventKind::Withdrawn, at)
    }

    pub fn opts_out(self, name: &str, kind: EventKind, at: i64) -> Self {
        self.records(Some(name), event(kind, at, TimeSource::Clinic))
    }

    /// An opt-out that came from the address itself, at the provider.
    pub fn address_opts_out(self, kind: EventKind, at: i64) -> Self {
        self.records(None, event(kind, at, TimeSource::Provider))
    }

    pub fn proves(self, at: i64) -> Self {
        self.records(None, event(EventKind::Confirmed, at, TimeSource::Provider))
    }

    pub fn bounces(self, at: i64) -> Self {
        let bounced = event(EventKind::Bounced, at, TimeSource::Provider);
        self.records(None, but(bounced, |it| it.actor = Actor::Provider))
    }

    pub fn suppressed(mut self, kind: OptOutKind) -> Self {
        self.facts.suppressed = Some(kind);
        self
    }

    // --- The provider ----------------------------------------------------------------------

    pub fn seen(mut self, status: MemberStatus, at: i64) -> Self {
        let known = self.link.observed.take();
        let nothing = Observed {
            status,
            member: None,
            last_changed: None,
            signed_up_at: None,
            opted_in_at: None,
            entry: Entry::Api,
            complained: false,
            digest: 0,
            seen_at: day(at),
        };
        self.link.observed = Some(Observed {
            status,
            last_changed: Some(day(at)),
            seen_at: self.now.max(day(at)),
            ..known.unwrap_or(nothing)
        });
        self
    }

    pub fn shows(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(self.link.observed.as_mut().unwrap());
        self
    }

    pub fn base(mut self, status: MemberStatus, by: By, at: i64) -> Self {
        self.link.base = Some(Base { status, by, at: day(at) });
        self
    }

    pub fn intends(mut self, verb: Verb, from: MemberStatus, at: i64) -> Self {
        self.link.intent =
            Some(Intent { verb, from, at: day(at), invitation: None, under_way: false });
        self
    }

    /// Our invitation, sent and seen as pending there.
    pub fn invited(mut self, at: i64) -> Self {
        let grants = self.facts.holders.iter().flat_map(|holder| &holder.standing.grants);
        let key = grants.last().map_or_else(String::new, |grant| grant.event.to_string());
        self.link.invitation = Some(Invitation {
            key,
            sent_at: day(at),
            voided: false,
            confirmed: false,
            wording: None,
        });
        self.seen(MemberStatus::Pending, at).base(MemberStatus::Pending, By::Us, at)
    }

    pub fn voided(mut self) -> Self {
        self.link.invitation.as_mut().unwrap().voided = true;
        self
    }

    /// The click on the link in our invitation, learned and recorded.
    pub fn confirms(mut self, at: i64) -> Self {
        self.link.invitation.as_mut().unwrap().confirmed = true;
        self.seen(MemberStatus::Subscribed, at).shows(|o| o.opted_in_at = Some(day(at))).proves(at)
    }

    /// A sign-up on the provider's own form, still to be confirmed.
    pub fn signs_up_there(self, at: i64) -> Self {
        self.seen(MemberStatus::Pending, at).shows(|observed| {
            observed.entry = Entry::Contact;
            observed.signed_up_at = Some(day(at));
            observed.opted_in_at = None;
        })
    }

    /// A sign-up on the provider's own form, and its confirmation.
    pub fn signed_up_there(self, at: i64) -> Self {
        self.signs_up_there(at)
            .seen(MemberStatus::Subscribed, at)
            .shows(|observed| observed.opted_in_at = Some(day(at) + TimeDelta::minutes(1)))
    }

    pub fn removed_there(mut self, at: i64) -> Self {
        self.link.removed_there = Some(day(at));
        self
    }

    pub fn moved_there(mut self, at: i64) -> Self {
        self.link.moved_there = Some(day(at));
        self
    }

    // --- Deciding --------------------------------------------------------------------------

    pub fn list(&self) -> ListFacts<'_> {
        ListFacts {
            id: ListId(Uuid::from_u128(3)),
            slug: "newsletter",
            policy: &self.policy,
            confirms_sign_ups: self.confirms_sign_ups,
        }
    }

    pub fn decide(&self) -> Decision {
        decide(&self.facts, &self.link, &self.list(), self.now)
    }

    pub fn verdict(&self) -> Verdict<'_> {
        judge(&self.facts, &self.policy, self.now)
    }

    pub fn is_wanted(&self) -> bool {
        matches!(self.verdict(), Verdict::Wanted(_))
    }

    /// Asserts that the address is barred or dropped, and why.
    #[track_caller]
    pub fn is_kept_off(&self, because: Reason) {
        match self.verdict() {
            Verdict::Barred { reasons, .. } | Verdict::Dropped { reasons } => {
                assert!(reasons.contains(&because), "{reasons:?} without {because}");
            }
            verdict => panic!("{verdict:?}"),
        }
    }

    /// Asserts the operation, its reason, and what the brake counts it as.
    #[track_caller]
    pub fn does(&self, verb: Verb, reason: Reason, counted: Counted) -> Decision {
        let decision = self.decide();
        let done = decision.operation.as_ref().map(|o| (o.verb, o.reason, o.counted));
        assert_eq!(done, Some((verb, reason, counted)), "{decision:?}");
        decision
    }

    #[track_caller]
    pub fn removes(&self, verb: Verb, reason: Reason) -> Decision {
        self.does(verb, reason, Counted::Removal)
    }

    #[track_caller]
    pub fn invites(&self) -> Decision {
        self.does(Verb::Invite, Reason::Wanted, Counted::Invitation)
    }

    /// Asserts that nothing is done, where the link stands, and why.
    #[track_caller]
    pub fn keeps(&self, class: Class, reason: Reason) -> Decision {
        let decision = self.decide();
        assert_eq!(decision.operation, None, "{decision:?}");
        assert_eq!((decision.class, decision.reason()), (class, reason), "{decision:?}");
        decision
    }

    /// Asserts which events the ledger learns.
    #[track_caller]
    pub fn learns(&self, kinds: &[EventKind]) -> Decision {
        let decision = self.decide();
        let learned: Vec<EventKind> = decision.drafts.iter().map(|draft| draft.kind).collect();
        assert_eq!(learned, kinds, "{decision:?}");
        decision
    }

    // --- Running ---------------------------------------------------------------------------

    /// Carries a decision out: the ledger learns, the link moves, the provider obeys.
    pub fn carry_out(mut self, decision: &Decision) -> Self {
        for draft in decision.drafts.clone() {
            let event = draft.into_event(EventId(Uuid::nil()), self.now);
            self = self.records(None, event);
        }
        self.link = decision.adoption.applied_to(&self.link).into_owned();
        let Some(operation) = &decision.operation else { return self };
        if let Some(key) = &operation.invitation {
            let (key, sent_at) = (key.clone(), self.now);
            self.link.invitation =
                Some(Invitation { key, sent_at, voided: false, confirmed: false, wording: None });
        }
        if operation.verb.removes()
            && let Some(open) = self.link.invitation.as_mut().filter(|open| !open.confirmed)
        {
            open.voided = true;
        }
        let now = self.now;
        if let Some(status) = operation.verb.leads_to() {
            self = self.seen(status, 0).shows(|observed| {
                observed.last_changed = Some(now);
                observed.seen_at = now;
            });
            self.link.base = Some(Base { status, by: By::Us, at: now });
        }
        if let (Some(payload), Some(observed)) = (&operation.payload, &mut self.link.observed) {
            observed.digest = digest(payload);
        }
        self
    }

    /// Carries out all of a decision but its operation, as where that waits for an admin.
    pub fn only_learns(self) -> Self {
        let decision = Decision { operation: None, ..self.decide() };
        self.carry_out(&decision)
    }

    /// Runs until a plan is empty (L24), a minute a turn, and returns where that ended.
    #[track_caller]
    pub fn settles(mut self) -> Self {
        for _ in 0..5 {
            let decision = self.decide();
            if decision.is_settled() {
                return self;
            }
            self = self.carry_out(&decision);
            self.now += TimeDelta::minutes(1);
        }
        panic!("still deciding {:?} in {self:?}", self.decide());
    }

    pub fn status(&self) -> MemberStatus {
        self.link.observed.as_ref().map_or(MemberStatus::Absent, |observed| observed.status)
    }
}
