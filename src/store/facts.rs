//! Facts: links with all that the planner needs to know of their contacts, page by page.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Store;
use super::asked::Asked;
use super::columns::{MaybeAt, args, from_json, id_rows, text_rows};
use super::error::{Result, StoreError};
use super::lists::ListRow;
use super::parked::Parked;
use super::patients::{PatientColumns, is_no};
use super::sql::statements;
use crate::domain::{
    Address, Answer, Base, By, Channel, Class, ClinicId, Contact, ContactFacts, ContactId, Entry,
    Holder, Intent, Invitation, Link, LinkId, ListId, MemberKey, MemberStatus, Observed,
    OptOutKind, Reason, Said, Standing, Verb,
};
use crate::keys::AddressHash;

/// Which links of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that somebody waits for.
    Urgent,
    /// Every one.
    All,
    /// Those whose facts changed since they were planned, or that are due by `now`.
    Stale {
        /// The present.
        now: DateTime<Utc>,
    },
}

/// One link with all that is known of its contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Its number on the list, from 1.
    pub ordinal: i64,
    /// The link.
    pub link: Link,
    /// What is known of its contact.
    pub facts: ContactFacts,
    /// What each holder's record said when it was last turned into events, in their order.
    pub said: Vec<Option<Said>>,
    /// The operation that could not be made, if any.
    pub parked: Option<Parked>,
    /// Whether its facts changed since it was planned.
    pub stale: bool,
    /// Counts the changes of its facts.
    pub version: i64,
    /// Where it stood when last planned, and why.
    pub planned: Option<(Class, Reason)>,
    /// When to look at it again.
    pub due_at: Option<DateTime<Utc>>,
    /// The list.
    pub list_id: ListId,
    /// The list's channel.
    pub channel: Channel,
}

#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "one field a column")]
struct LinkColumns {
    id: LinkId,
    clinic_id: ClinicId,
    list_id: ListId,
    channel: Channel,
    ordinal: i64,
    contact_id: Option<ContactId>,
    address: Option<String>,
    standing: Option<String>,
    suppressed: Option<OptOutKind>,
    status: Option<MemberStatus>,
    member_key: Option<MemberKey>,
    #[sqlx(try_from = "MaybeAt")]
    last_changed: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    signed_up_at: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    opted_in_at: Option<DateTime<Utc>>,
    entry: Option<Entry>,
    complained: bool,
    digest: i64,
    #[sqlx(try_from = "MaybeAt")]
    seen_at: Option<DateTime<Utc>>,
    base_status: Option<MemberStatus>,
    base_by: Option<By>,
    #[sqlx(try_from = "MaybeAt")]
    base_at: Option<DateTime<Utc>>,
    invitation_key: Option<String>,
    #[sqlx(try_from = "MaybeAt")]
    invitation_at: Option<DateTime<Utc>>,
    invitation_voided: bool,
    invitation_confirmed: bool,
    invitation_wording: Option<String>,
    intent_verb: Option<Verb>,
    intent_from: Option<MemberStatus>,
    intent_invitation: Option<String>,
    #[sqlx(try_from = "MaybeAt")]
    intent_at: Option<DateTime<Utc>>,
    under_way: bool,
    #[sqlx(try_from = "MaybeAt")]
    removed_there: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    moved_there: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    moved_told: Option<DateTime<Utc>>,
    class: Option<Class>,
    reason: Option<Reason>,
    #[sqlx(try_from = "MaybeAt")]
    due_at: Option<DateTime<Utc>>,
    stale: bool,
    version: i64,
    parked_verb: Option<Verb>,
    parked_reason: Option<String>,
    tries: Option<i64>,
    #[sqlx(try_from = "MaybeAt")]
    next_try: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    since: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct HolderColumns {
    contact_id: ContactId,
    channel: Channel,
    #[sqlx(flatten)]
    patient: PatientColumns,
    consents: String,
    applied: Option<String>,
    standing: Option<String>,
    holds_now: bool,
}

// `|| ''` keeps an engine from finding a link's operation among all that are open, and `LIMIT` one from
// reading all operations there are into a table of its own.
macro_rules! link_columns {
    () => {
        "SELECT k.id, k.clinic_id, k.list_id, l.channel, k.ordinal, k.contact_id, c.address,
            c.standing, k.suppressed, k.status, k.member_key, k.last_changed, k.signed_up_at,
            k.opted_in_at, k.entry, k.complained, k.digest, k.seen_at, k.base_status, k.base_by,
            k.base_at, k.invitation_key, k.invitation_at, k.invitation_voided,
            k.invitation_confirmed, k.invitation_wording, k.intent_verb,
            k.intent_from, k.intent_invitation, k.intent_at,
            k.intent_verb IS NOT NULL AND EXISTS (SELECT 1 FROM operations o
                WHERE o.clinic_id = k.clinic_id AND o.link_id = k.id AND o.state || '' = 'submitted'
                LIMIT 1 OFFSET 0)
                AS under_way, k.removed_there, k.moved_there,
            k.moved_told, k.class, k.reason, k.due_at, k.stale, k.version, p.verb AS parked_verb, p.reason AS parked_reason,
            p.tries, p.next_try, p.since
         FROM "
    };
}

macro_rules! link_joins {
    () => {
        " JOIN lists l ON l.clinic_id = k.clinic_id AND l.id = k.list_id
         LEFT JOIN contacts c ON c.clinic_id = k.clinic_id AND c.id = k.contact_id
         LEFT JOIN parked p ON p.clinic_id = k.clinic_id AND p.link_id = k.id "
    };
}

statements! {
    LINKS_PAGE = {
        link_columns!(), "links k", link_joins!(),
        "WHERE k.clinic_id = $1 AND k.list_id = $2 AND k.ordinal > $3 ORDER BY k.ordinal LIMIT $4"
    }
    // Two arms, so that each reads its own partial index; CROSS JOIN keeps SQLite from walking the
    // whole list in the order asked for and looking each link up among the few that are due.
    LINKS_PAGE_STALE = {
        link_columns!(),
        "(SELECT ordinal FROM (SELECT ordinal FROM links
            WHERE clinic_id = $1 AND list_id = $2 AND ordinal > $3 AND stale
            ORDER BY ordinal LIMIT $4) AS stale
          UNION SELECT ordinal FROM links
            WHERE clinic_id = $1 AND list_id = $2 AND ordinal > $3 AND due_at <= $5) AS due
         CROSS JOIN links k",
        link_joins!(),
        "WHERE k.clinic_id = $1 AND k.list_id = $2 AND k.ordinal = due.ordinal
         ORDER BY k.ordinal LIMIT $4"
    }
    LINKS_PAGE_URGENT = {
        link_columns!(), "links k", link_joins!(),
        "WHERE k.clinic_id = $1 AND k.list_id = $2 AND k.ordinal > $3 AND k.urgent
            AND NOT EXISTS (SELECT 1 FROM operations o
                WHERE o.clinic_id = $1 AND o.link_id = k.id AND o.state = 'submitted')
         ORDER BY k.ordinal LIMIT $4"
    }
    LINKS_IN_DOUBT = {
        link_columns!(), "links k", link_joins!(),
        "WHERE k.clinic_id = $1 AND k.list_id = $2 AND k.ordinal > $3 AND k.intent_verb IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM operations o
                WHERE o.clinic_id = $1 AND o.link_id = k.id AND o.state = 'submitted')
         ORDER BY k.ordinal LIMIT $4"
    }
    LINKS_BY_MEMBER (given: text text) = {
        link_columns!(), "given g CROSS JOIN links k", link_joins!(),
        "WHERE k.clinic_id = $2 AND k.list_id = $3 AND k.member_key = g.text"
    }
    LINKS_BY_CONTACT (given: id uuid) = {
        link_columns!(), "given g CROSS JOIN links k", link_joins!(),
        "WHERE k.clinic_id = $2 AND k.contact_id = g.id AND k.list_id = $3"
    }
    LINKS_BY_HASH (given: text text) = {
        link_columns!(), "given g CROSS JOIN links k", link_joins!(),
        "WHERE k.clinic_id = $2 AND k.list_id = $3 AND k.address_hash = g.text LIMIT 1"
    }
    LINKS_BY_ID (given: id uuid) = {
        link_columns!(), "given g CROSS JOIN links k", link_joins!(),
        "WHERE k.clinic_id = $2 AND k.id = g.id ORDER BY k.list_id, k.ordinal"
    }
    LINKS_OF_CONTACT = {
        link_columns!(), "links k", link_joins!(),
        "WHERE k.clinic_id = $1 AND k.contact_id = $2 ORDER BY l.slug"
    }
    HOLDERS (given: id uuid) = {
        "SELECT h.contact_id, c.channel, p.id, p.status, p.record, p.consents, p.applied,
            s.standing, h.holds_now
         FROM given g CROSS JOIN contacts c CROSS JOIN holders h CROSS JOIN patients p
         LEFT JOIN patient_standings s ON s.clinic_id = $2 AND s.patient_id = p.id
            AND s.channel = c.channel
         WHERE c.clinic_id = $2 AND c.id = g.id AND h.clinic_id = $2 AND h.contact_id = g.id
            AND p.clinic_id = $2 AND p.id = h.patient_id
         ORDER BY p.id"
    }
    CONTACT = { "SELECT channel, address, standing FROM contacts WHERE clinic_id = $1 AND id = $2" }
}

impl Store {
    /// Returns a page of the list's links by ordinal, with their facts.
    pub async fn links_page(
        &self,
        list: &ListRow,
        after_ordinal: i64,
        limit: u32,
        which: Which,
    ) -> Result<Vec<LinkRow>> {
        let args = args![list.clinic, list.id, after_ordinal, limit];
        let rows = match which {
            Which::All => self.db.rows(LINKS_PAGE, args).await?,
            Which::Urgent => self.db.rows(LINKS_PAGE_URGENT, args).await?,
            Which::Stale { now } => {
                let args = args.into_iter().chain(args![now]).collect();
                self.db.rows(LINKS_PAGE_STALE, args).await?
            }
        };
        self.with_facts(rows).await
    }

    /// Returns links whose last operation is in doubt, by ordinal (L17).
    pub async fn links_in_doubt(
        &self,
        list: &ListRow,
        after_ordinal: i64,
        limit: u32,
    ) -> Result<Vec<LinkRow>> {
        let args = args![list.clinic, list.id, after_ordinal, limit];
        let rows = self.db.rows(LINKS_IN_DOUBT, args).await?;
        self.with_facts(rows).await
    }

    /// Returns the list's links that hold the members, in no order.
    pub async fn links_by_member(
        &self,
        list: &ListRow,
        keys: &[MemberKey],
    ) -> Result<Vec<LinkRow>> {
        let rows = text_rows(keys.iter().map(|key| key.0.as_str()))?;
        let rows = self.db.rows(LINKS_BY_MEMBER, args![rows, list.clinic, list.id]).await?;
        self.with_facts(rows).await
    }

    /// Returns the list's links of the contacts, in no order.
    pub async fn links_by_contact(
        &self,
        list: &ListRow,
        contacts: &[ContactId],
    ) -> Result<Vec<LinkRow>> {
        let rows = id_rows(contacts.iter().map(|id| id.0))?;
        let rows = self.db.rows(LINKS_BY_CONTACT, args![rows, list.clinic, list.id]).await?;
        self.with_facts(rows).await
    }

    /// Finds the link of a member whom the clinic never knew, by any hash of its address.
    pub async fn link_by_address(
        &self,
        list: &ListRow,
        hashes: &[AddressHash],
    ) -> Result<Option<LinkRow>> {
        let rows = text_rows(hashes.iter().map(|hash| hash.hash.as_str()))?;
        let rows = self.db.rows(LINKS_BY_HASH, args![rows, list.clinic, list.id]).await?;
        Ok(self.with_facts(rows).await?.pop())
    }

    /// Returns the links with their facts, by list and ordinal.
    pub async fn link_facts(&self, clinic: ClinicId, links: &[LinkId]) -> Result<Vec<LinkRow>> {
        let rows = id_rows(links.iter().map(|id| id.0))?;
        let rows = self.db.rows(LINKS_BY_ID, args![rows, clinic]).await?;
        self.with_facts(rows).await
    }

    /// Returns the contact's links on all lists, by the lists' names.
    pub async fn links_of_contact(
        &self,
        clinic: ClinicId,
        contact: ContactId,
    ) -> Result<Vec<LinkRow>> {
        let rows = self.db.rows(LINKS_OF_CONTACT, args![clinic, contact]).await?;
        self.with_facts(rows).await
    }

    /// Returns the contact with its holders, whether it is on a list or not.
    pub async fn contact(
        &self,
        clinic: ClinicId,
        contact: ContactId,
    ) -> Result<Option<ContactFacts>> {
        let found: Option<(Channel, Option<String>, String)> =
            self.db.row(CONTACT, args![clinic, contact]).await?;
        let Some((channel, address, standing)) = found else { return Ok(None) };
        let contact = stored_contact(contact, channel, address, &standing)?;
        let holders = self.holders(clinic, [contact.id]).await?.remove(&contact.id);
        Ok(Some(ContactFacts {
            contact: Some(contact),
            holders: holders.unwrap_or_default().holders,
            suppressed: None,
            asked: Vec::new(),
        }))
    }

    async fn with_facts(&self, rows: Vec<LinkColumns>) -> Result<Vec<LinkRow>> {
        let Some(clinic) = rows.first().map(|row| row.clinic_id) else { return Ok(Vec::new()) };
        let contacts = rows.iter().filter_map(|row| row.contact_id);
        let holders = self.holders(clinic, contacts).await?;
        let texted = rows.iter().filter(|row| row.channel == Channel::Sms);
        let asked = self.asked(clinic, texted.filter_map(|row| row.contact_id)).await?;
        rows.into_iter()
            .map(|row| {
                let of_contact = row.contact_id.and_then(|id| holders.get(&id).cloned());
                let asked = row.asked_elsewhere(&asked);
                row.with_holders(of_contact.unwrap_or_default(), asked)
            })
            .collect()
    }

    async fn holders(
        &self,
        clinic: ClinicId,
        contacts: impl IntoIterator<Item = ContactId> + Send,
    ) -> Result<BTreeMap<ContactId, Held>> {
        // A contact on several lists is asked after once, or each holder would count as several.
        let contacts: BTreeSet<ContactId> = contacts.into_iter().collect();
        let rows = id_rows(contacts.into_iter().map(|id| id.0))?;
        let rows: Vec<HolderColumns> = self.db.rows(HOLDERS, args![rows, clinic]).await?;
        let mut held: BTreeMap<ContactId, Held> = BTreeMap::new();
        for row in rows {
            let contact = row.contact_id;
            let (holder, said) = row.holder()?;
            let held = held.entry(contact).or_default();
            // One holds most of them, and a vector that grows makes room for four.
            held.holders.reserve_exact(1);
            held.said.reserve_exact(1);
            held.holders.push(holder);
            held.said.push(said);
        }
        Ok(held)
    }
}

/// Who holds a contact, with what their records said.
#[derive(Debug, Clone, Default)]
struct Held {
    holders: Vec<Holder>,
    said: Vec<Option<Said>>,
}

impl HolderColumns {
    fn holder(self) -> Result<(Holder, Option<Said>)> {
        let standing = self.standing.map(|text| from_json("standing", &text)).transpose()?;
        let unapplied = self.applied.as_ref() != Some(&self.consents);
        let said: Option<Said> =
            self.applied.map(|text| from_json("applied consent", &text)).transpose()?;
        let holder = Holder {
            withdrawn_in_record: unapplied && says_no(said.as_ref(), &self.consents, self.channel)?,
            patient: self.patient.patient()?,
            standing: standing.unwrap_or_default(),
            holds_now: self.holds_now,
        };
        Ok((holder, said))
    }
}

/// Tells whether the record says no on `channel` or objects on any, or no longer says the yes that
/// it said before.
fn says_no(said: Option<&Said>, consents: &str, channel: Channel) -> Result<bool> {
    let record: Said = from_json("consent", consents)?;
    let now = record.consent(channel);
    let said_yes = said.is_some_and(|said| {
        matches!(said.consent(channel).answer, Answer::Granted | Answer::SoftOptIn)
    });
    let objects = Channel::ALL.iter().any(|c| record.consent(*c).answer == Answer::Objected);
    Ok(objects || is_no(now) || (said_yes && now.answer == Answer::NotAsked))
}

fn stored_contact(
    id: ContactId,
    channel: Channel,
    address: Option<String>,
    standing: &str,
) -> Result<Contact> {
    Ok(Contact {
        id,
        channel,
        address: address.map(|text| Address::stored(channel, text)),
        standing: from_json::<Standing>("standing", standing)?,
    })
}

impl LinkColumns {
    fn asked_elsewhere(&self, asked: &Asked) -> Vec<Invitation> {
        let of_contact = self.contact_id.and_then(|contact| asked.get(&contact));
        let elsewhere = of_contact.into_iter().flatten().filter(|(link, _)| *link != self.id);
        elsewhere.map(|(_, invitation)| invitation.clone()).collect()
    }

    fn with_holders(self, held: Held, asked: Vec<Invitation>) -> Result<LinkRow> {
        let contact = match (self.contact_id, &self.standing) {
            (Some(id), Some(standing)) => {
                Some(stored_contact(id, self.channel, self.address.clone(), standing)?)
            }
            (Some(_), None) => return Err(StoreError::Corrupt { what: "contact" }),
            (None, _) => None,
        };
        Ok(LinkRow {
            ordinal: self.ordinal,
            parked: self.parked(),
            stale: self.stale,
            version: self.version,
            planned: self.class.zip(self.reason),
            due_at: self.due_at,
            list_id: self.list_id,
            channel: self.channel,
            facts: ContactFacts {
                contact,
                holders: held.holders,
                suppressed: self.suppressed,
                asked,
            },
            said: held.said,
            link: self.link(),
        })
    }

    fn parked(&self) -> Option<Parked> {
        Some(Parked {
            verb: self.parked_verb?,
            reason: self.parked_reason.clone()?,
            tries: u32::try_from(self.tries?).unwrap_or(u32::MAX),
            next_try: self.next_try?,
            since: self.since?,
        })
    }

    fn link(self) -> Link {
        Link {
            id: self.id,
            base: self.base(),
            invitation: self.invitation(),
            intent: self.intent(),
            removed_there: self.removed_there,
            moved_there: self.moved_there,
            moved_told: self.moved_told,
            observed: self.observed(),
        }
    }

    fn base(&self) -> Option<Base> {
        Some(Base { status: self.base_status?, by: self.base_by?, at: self.base_at? })
    }

    fn invitation(&self) -> Option<Invitation> {
        Some(Invitation {
            key: self.invitation_key.clone()?,
            sent_at: self.invitation_at?,
            voided: self.invitation_voided,
            confirmed: self.invitation_confirmed,
            wording: self.invitation_wording.clone(),
        })
    }

    fn intent(&self) -> Option<Intent> {
        Some(Intent {
            verb: self.intent_verb?,
            from: self.intent_from?,
            at: self.intent_at?,
            invitation: self.intent_invitation.clone(),
            under_way: self.under_way,
        })
    }

    fn observed(self) -> Option<Observed> {
        let status = self.status?;
        Some(Observed {
            status,
            member: self.member_key.filter(|_| status.is_present()),
            last_changed: self.last_changed,
            signed_up_at: self.signed_up_at,
            opted_in_at: self.opted_in_at,
            entry: self.entry.unwrap_or(Entry::Unknown),
            complained: self.complained,
            digest: self.digest,
            seen_at: self.seen_at?,
        })
    }
}
