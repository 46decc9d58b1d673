//! Outcomes: what became of operations that were sent, and what their links are after it.

use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, id_rows, json, millis};
use super::db::{Tx, again};
use super::error::Result;
use super::invited::invited_add;
use super::leases::Lease;
use super::parked::{PARKED_AFTER, PARKED_CLEAR, Park, ParkAfter};
use super::sql::statements;
use super::words::OpState;
use crate::domain::{Base, ClinicId, Invitation, LinkId, MemberKey, MemberStatus};

/// What became of one operation. What is none stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The operation.
    pub id: Uuid,
    /// Its link.
    pub link: LinkId,
    /// How it ended.
    pub state: OpState,
    /// What clinic and list agree on now.
    pub base: Option<Base>,
    /// What the provider says of the member now.
    pub observed: Option<(MemberStatus, Option<MemberKey>)>,
    /// The invitation that went out.
    pub invitation: Option<Invitation>,
    /// Whether an open invitation was voided (L12).
    pub void_invitation: bool,
    /// Whether nothing is in doubt any more.
    pub clear_intent: bool,
    /// Digest of the mapped fields and tags the member holds now.
    pub digest: Option<i64>,
    /// When to try again what could not be made.
    pub parked: Option<Park>,
    /// Whether what was parked is done.
    pub unpark: bool,
}

impl Recorded {
    /// Ends an operation in `state` and leaves its link as it was.
    #[must_use]
    pub const fn new(id: Uuid, link: LinkId, state: OpState) -> Self {
        Self {
            id,
            link,
            state,
            base: None,
            observed: None,
            invitation: None,
            void_invitation: false,
            clear_intent: false,
            digest: None,
            parked: None,
            unpark: false,
        }
    }
}

#[derive(Serialize)]
struct RecordedPut<'a> {
    id: Uuid,
    link: Uuid,
    state: &'static str,
    base_status: Option<&'static str>,
    base_by: Option<&'static str>,
    base_at: Option<i64>,
    status: Option<&'static str>,
    member_key: Option<&'a str>,
    invitation_key: Option<&'a str>,
    invitation_at: Option<i64>,
    invitation_voided: Option<bool>,
    invitation_wording: Option<&'a str>,
    clear_intent: bool,
    digest: Option<i64>,
}

statements! {
    // Also what was set aside while it was under way, by a restore say: it was made at the provider all
    // the same, and the brake counts what was made.
    OPERATIONS_SETTLED (given: id uuid, state text) = {
        "UPDATE operations SET state = g.state, payload = NULL, settled_at = $3
         FROM given g WHERE operations.clinic_id = $2 AND operations.id = g.id"
    }
    // A key that the provider now gives to one link is no other's any more.
    MEMBERS_TAKEN_OVER (given: link uuid, member_key text) = {
        "UPDATE links SET member_key = NULL, status = 'absent', seen = NULL, stale = TRUE,
            version = links.version + 1
         WHERE clinic_id = $2 AND id IN (SELECT o.id FROM given g
            JOIN links k ON k.clinic_id = $2 AND k.id = g.link
            JOIN links o ON o.clinic_id = $2 AND o.list_id = k.list_id
                AND o.member_key = g.member_key AND o.id <> k.id)"
    }
    // What was seen while the change was under way is older or newer than it, nobody knows: the link
    // stays in doubt, and is as if not seen since.
    LINKS_RECORDED (given: link uuid, base_status text, base_by text, base_at bigint,
        status text, member_key text, invitation_key text, invitation_at bigint,
        invitation_voided boolean, invitation_wording text, clear_intent boolean,
        digest bigint) = {
        "UPDATE links SET base_status = COALESCE(g.base_status, links.base_status),
            base_by = COALESCE(g.base_by, links.base_by),
            base_at = COALESCE(g.base_at, links.base_at),
            status = COALESCE(g.status, links.status),
            member_key = COALESCE(g.member_key, links.member_key), seen = NULL,
            entry = CASE WHEN g.status IS NULL THEN links.entry
                ELSE COALESCE(links.entry, 'api') END,
            seen_at = CASE WHEN links.seen_at > links.intent_at THEN links.intent_at - 1
                WHEN g.status IS NULL THEN links.seen_at ELSE $3 END,
            digest = COALESCE(g.digest, links.digest),
            invitation_key = COALESCE(g.invitation_key, links.invitation_key),
            invitation_at = COALESCE(g.invitation_at, links.invitation_at),
            invitation_voided = COALESCE(g.invitation_voided, links.invitation_voided),
            invitation_wording = CASE WHEN g.invitation_key IS NULL
                THEN links.invitation_wording ELSE g.invitation_wording END,
            invitation_confirmed = CASE WHEN g.invitation_key IS NULL
                THEN links.invitation_confirmed ELSE FALSE END,
            intent_verb = CASE WHEN g.clear_intent
                AND NOT COALESCE(links.seen_at > links.intent_at, FALSE)
                THEN NULL ELSE links.intent_verb END,
            intent_from = CASE WHEN g.clear_intent
                AND NOT COALESCE(links.seen_at > links.intent_at, FALSE)
                THEN NULL ELSE links.intent_from END,
            intent_at = CASE WHEN g.clear_intent
                AND NOT COALESCE(links.seen_at > links.intent_at, FALSE)
                THEN NULL ELSE links.intent_at END,
            stale = TRUE, version = links.version + 1
         FROM given g WHERE links.clinic_id = $2 AND links.id = g.link"
    }
}

impl Store {
    /// Records what became of operations, with their links, which are planned again; what they
    /// carried is wiped. Fenced.
    pub async fn operations_recorded(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        recorded: &[Recorded],
    ) -> Result<()> {
        // Each touches its operation, its link and at times a parked row.
        for recorded in recorded.chunks(self.db.chunk() / 3) {
            again!(self, {
                let mut tx = self.begin_under(lease).await?;
                self.record_chunk(&mut tx, clinic, recorded).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    async fn record_chunk(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        recorded: &[Recorded],
    ) -> Result<()> {
        let now = self.clock.now();
        let puts: Vec<_> = recorded.iter().map(recorded_put).collect();
        let rows = json(&puts)?;
        tx.execute(OPERATIONS_SETTLED, args![rows.clone(), clinic, now]).await?;
        tx.execute(MEMBERS_TAKEN_OVER, args![rows.clone(), clinic]).await?;
        tx.execute(LINKS_RECORDED, args![rows, clinic, now]).await?;
        let sent = recorded.iter().filter_map(|r| Some((r.link, r.invitation.as_ref()?)));
        invited_add(tx, clinic, sent).await?;
        let done = recorded.iter().filter(|r| r.unpark).map(|r| r.link.0);
        tx.execute(PARKED_CLEAR, args![id_rows(done)?, clinic]).await?;
        let parked: Vec<_> = recorded
            .iter()
            .filter_map(|r| Some(ParkAfter::new(r.id, r.parked.as_ref()?)))
            .collect();
        tx.execute(PARKED_AFTER, args![json(&parked)?, clinic, now]).await.map(drop)
    }
}

fn recorded_put(recorded: &Recorded) -> RecordedPut<'_> {
    let (status, key) = match &recorded.observed {
        Some((status, key)) => (Some(status.word()), key.as_ref().map(|key| key.0.as_str())),
        None => (None, None),
    };
    let invitation = recorded.invitation.as_ref();
    RecordedPut {
        id: recorded.id,
        link: recorded.link.0,
        state: recorded.state.word(),
        base_status: recorded.base.map(|base| base.status.word()),
        base_by: recorded.base.map(|base| base.by.word()),
        base_at: recorded.base.map(|base| millis(base.at)),
        status,
        member_key: key,
        invitation_key: invitation.map(|invitation| invitation.key.as_str()),
        invitation_at: invitation.map(|invitation| millis(invitation.sent_at)),
        invitation_voided: invitation
            .map(|invitation| invitation.voided)
            .or_else(|| recorded.void_invitation.then_some(true)),
        invitation_wording: invitation.and_then(|invitation| invitation.wording.as_deref()),
        clear_intent: recorded.clear_intent,
        digest: recorded.digest,
    }
}
