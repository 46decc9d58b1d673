//! What a notice says: the line of the ledger that it becomes where it is an opt-out.

use chrono::{DateTime, Utc};

use super::{ManagedList, Practice};
use crate::domain::Channel;
use crate::domain::policy::OptOutScope;
use crate::plan::reply::{Meaning, meaning};
use crate::providers::{Keyword, Notice, Word};
use crate::store::{ProvenOptOut, Store};

/// Any opt-out on record explains one that the provider holds.
pub(super) const EVER: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;
/// How an opt-out is known that only shows by being held.
const HELD: &str = "the provider holds an opt-out";

/// Tells what a reply means; none where the notice is none. What the provider took for STOP is one.
pub(super) fn says(notice: &Notice) -> Option<Meaning> {
    let Word::Replied { text, taken_for } = &notice.word else { return None };
    Some(match (taken_for, meaning(text.expose())) {
        (Some(Keyword::Stop), _) => Meaning::OptOut { own_words: false },
        // The provider has answered.
        (Some(Keyword::Help), Meaning::Help) => Meaning::Other,
        (_, meaning) => meaning,
    })
}

/// Tells whether a notice is an opt-out.
pub(super) fn is_opt_out(notice: &Notice) -> bool {
    matches!(notice.word, Word::OptedOut { .. } | Word::HoldsOptOut { .. })
        || matches!(says(notice), Some(Meaning::OptOut { .. }))
}

/// Returns what names a text message at its provider.
pub(super) fn evidence(notice: &Notice) -> Option<String> {
    notice.id.as_ref().map(|id| format!("text message {id}"))
}

/// Returns the opt-out that a notice tells; none where it tells none, or of nobody.
///
/// It is one on its channel, or by text on every channel where the clinic decided so. `otherwise`
/// names it where the provider does not.
pub fn opt_out(
    store: &Store,
    practice: &Practice,
    list: &ManagedList,
    notice: &Notice,
    otherwise: impl FnOnce() -> String,
    now: DateTime<Utc>,
) -> Option<ProvenOptOut> {
    let address = notice.address.as_ref()?;
    let (complained, method, told) = match (&notice.word, says(notice)) {
        (Word::OptedOut { complained, evidence }, _) => {
            (*complained, "told by the provider at once", evidence.clone())
        }
        (Word::HoldsOptOut { evidence, .. }, _) => (false, HELD, evidence.clone()),
        (_, Some(Meaning::OptOut { own_words: true })) => {
            (false, "asked to stop in own words, by text", evidence(notice))
        }
        (_, Some(Meaning::OptOut { .. })) => (false, "replied STOP", evidence(notice)),
        _ => return None,
    };
    let of_list = (list.row.id, list.row.slug.as_str());
    let channel = list.row.channel;
    let mut draft = crate::plan::opt_out(of_list, channel, complained, notice.at, now);
    if channel == Channel::Sms && practice.opt_out_scope == OptOutScope::All {
        draft.channel = None;
    }
    draft.method = Some(method.to_owned());
    draft.evidence = told;
    draft.unique = notice.id.as_ref().map_or_else(otherwise, |id| format!("notice/{id}"));
    Some(ProvenOptOut {
        clinic: practice.id,
        channel,
        hashes: store.address_hashes(practice.id, address),
        // What the provider gives an id, is that act.
        at: notice.at.filter(|_| notice.id.is_none()),
        held_since: matches!(notice.word, Word::HoldsOptOut { .. }).then_some(EVER),
        draft,
    })
}
