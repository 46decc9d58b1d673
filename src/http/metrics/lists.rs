//! Figures of lists: where they stand, each by itself, or by clinic where there are very many.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::exposition::Family;
use crate::domain::{Class, MemberStatus};
use crate::store::{Links, ListFigures};

/// One list, and what is known of it now.
pub(super) struct Standing {
    /// What the store has of it.
    pub(super) row: ListFigures,
    /// Its links; none where they were not counted yet.
    pub(super) links: Option<Links>,
    /// Since when the oldest opt-out is on its way to it, or to the clinic's record.
    pub(super) opt_out: Option<DateTime<Utc>>,
    /// How old a reading of either side may be, for nobody held to mean that nobody is.
    pub(super) freshness: TimeDelta,
}

/// What lists amount to under one name.
#[derive(Default)]
struct Sum {
    out_of_step: Option<u64>,
    held_but_dropped: Option<u64>,
    opt_out_seconds: i64,
    in_step_seconds: Option<i64>,
    /// None of them has got beyond its first plan.
    only_first_plans: Option<bool>,
    held: Option<u64>,
    parked: Option<u64>,
    credential_refused: bool,
}

const OUT_OF_STEP: &[Class] =
    &[Class::Due, Class::Waiting, Class::Braked, Class::Parked, Class::HeldButDropped];

impl Standing {
    /// Nobody held counts only where both sides were read whole lately (L26); somebody always does.
    fn held_but_dropped(&self, now: DateTime<Utc>) -> Option<u64> {
        let links = self.links.as_ref()?;
        let held = of_classes(links, &[Class::HeldButDropped]);
        let fresh = |at: Option<DateTime<Utc>>| at.is_some_and(|at| now - at <= self.freshness);
        let known = fresh(self.row.swept_at) && fresh(self.row.source_swept_at);
        (known || held > 0).then_some(held)
    }
}

fn of_classes(links: &Links, classes: &[Class]) -> u64 {
    links.links.iter().filter(|(class, ..)| classes.contains(class)).map(|(.., n)| n).sum()
}

impl Sum {
    fn take_in(&mut self, list: &Standing, now: DateTime<Utc>) {
        let links = list.links.as_ref();
        let more = |sum: &mut Option<u64>, n: Option<u64>| {
            if let Some(n) = n {
                *sum = Some(sum.unwrap_or_default() + n);
            }
        };
        more(&mut self.out_of_step, links.map(|links| of_classes(links, OUT_OF_STEP)));
        more(&mut self.held_but_dropped, list.held_but_dropped(now));
        more(&mut self.held, links.map(|links| links.held));
        more(&mut self.parked, links.map(|links| links.parked));
        let waits = list.opt_out.map_or(0, |since| (now - since).num_seconds().max(0));
        self.opt_out_seconds = self.opt_out_seconds.max(waits);
        // The one that was not in step for the longest, or never, counts for all; of those whose first
        // plan waits nobody expects it.
        let awaits = list.row.awaits_approval;
        if !awaits {
            let in_step = seconds(list.row.in_step_at);
            self.in_step_seconds = Some(self.in_step_seconds.map_or(in_step, |at| at.min(in_step)));
        }
        self.only_first_plans = Some(self.only_first_plans.unwrap_or(true) && awaits);
        self.credential_refused |= list.row.credential_refused_at.is_some();
    }
}

/// Returns the families of lists. Of more than `most` each clinic's are one, and the members of all.
pub(super) fn families(lists: &[Standing], most: u32, now: DateTime<Utc>) -> Vec<Family> {
    let apart = lists.len() <= usize::try_from(most).unwrap_or(usize::MAX);
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for list in lists {
        let ListFigures { clinic, list: slug, .. } = &list.row;
        let name = if apart { format!("{clinic}/{slug}") } else { format!("{clinic}/*") };
        sums.entry(name).or_default().take_in(list, now);
    }
    let mut families = vec![members(lists, apart)];
    families.extend(of_sums(&sums));
    families
}

fn members(lists: &[Standing], apart: bool) -> Family {
    let mut members = Family::gauge(
        "listwarden_members",
        "Links by class of the report and by state at the provider.",
    );
    let mut counted: BTreeMap<(String, Class, Option<MemberStatus>), u64> = BTreeMap::new();
    if !apart && lists.iter().any(|list| list.links.is_none()) {
        return members;
    }
    for list in lists {
        let ListFigures { clinic, list: slug, .. } = &list.row;
        let name = if apart { format!("{clinic}/{slug}") } else { "*".to_owned() };
        for (class, status, n) in list.links.iter().flat_map(|links| &links.links) {
            *counted.entry((name.clone(), *class, *status)).or_default() += n;
        }
    }
    for ((list, class, status), n) in counted {
        let status = status.map_or("unseen", MemberStatus::word);
        members.add(&[("list", &list), ("class", class.word()), ("status", status)], n);
    }
    members
}

fn of_sums(sums: &BTreeMap<String, Sum>) -> Vec<Family> {
    let mut out_of_step = Family::gauge(
        "listwarden_links_out_of_step",
        "Links that something is still to be done about.",
    );
    let mut held_but_dropped = Family::gauge(
        "listwarden_held_but_dropped",
        "People on the list whom the clinic has dropped.",
    );
    let mut opt_out = Family::gauge(
        "listwarden_opt_out_oldest_unpropagated_seconds",
        "How long the oldest opt-out has been waiting to be on the list or in the clinic's record.",
    );
    let mut in_step = Family::gauge(
        "listwarden_last_success_timestamp_seconds",
        "When the list was last brought in step by a run.",
    );
    let mut first_plan = Family::gauge(
        "listwarden_first_plan_waiting",
        "1 if the list's first plan waits for an admin; until then no run brings it in step.",
    );
    let mut held = Family::gauge("listwarden_brake_waiting", "Changes that wait for an admin.");
    let mut parked = Family::gauge("listwarden_parked", "Changes that could not be made yet.");
    let mut credential =
        Family::gauge("listwarden_credential_refused", "1 if the provider refuses the API key.");
    for (list, sum) in sums {
        let labels = &[("list", list.as_str())];
        let counts = [
            (&mut out_of_step, sum.out_of_step),
            (&mut held_but_dropped, sum.held_but_dropped),
            (&mut held, sum.held),
            (&mut parked, sum.parked),
        ];
        for (family, count) in counts {
            if let Some(count) = count {
                family.add(labels, count);
            }
        }
        opt_out.add(labels, sum.opt_out_seconds);
        in_step.add(labels, sum.in_step_seconds.unwrap_or_default());
        first_plan.add(labels, u8::from(sum.only_first_plans.unwrap_or_default()));
        credential.add(labels, u8::from(sum.credential_refused));
    }
    vec![out_of_step, held_but_dropped, opt_out, in_step, first_plan, held, parked, credential]
}

/// Seconds since 1970; 0 for never.
pub(super) fn seconds(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClinicId, ListId};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// A list that was read whole at 1,000 and brought in step at `in_step`.
    fn list(clinic: &str, list: &str, in_step: Option<i64>, links: Option<Links>) -> Standing {
        let row = ListFigures {
            clinic_id: ClinicId(uuid::Uuid::nil()),
            clinic: clinic.to_owned(),
            list_id: ListId(uuid::Uuid::nil()),
            list: list.to_owned(),
            turned_at: None,
            in_step_at: in_step.map(at),
            awaits_approval: false,
            credential_refused_at: None,
            swept_at: Some(at(1_000)),
            source_swept_at: Some(at(1_000)),
        };
        Standing { row, links, opt_out: None, freshness: TimeDelta::seconds(100) }
    }

    fn holds(held: u64) -> Links {
        let links = vec![
            (Class::InStep, Some(MemberStatus::Subscribed), 7),
            (Class::HeldButDropped, None, held),
        ];
        Links { links, held: 2, parked: 1 }
    }

    fn says(lists: &[Standing], most: u32, now: i64) -> Vec<String> {
        let families = families(lists, most, at(now));
        let text: String = families.iter().map(ToString::to_string).collect();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn of_many_lists_a_clinic_shows_one_and_the_worst_of_them_counts() {
        let lists = [
            list("a", "x", Some(900), Some(holds(0))),
            list("a", "y", Some(950), Some(holds(3))),
            list("b", "x", None, Some(holds(0))),
        ];
        let said = says(&lists, 2, 1_000);
        assert!(said.contains(&"listwarden_held_but_dropped{list=\"a/*\"} 3".to_owned()));
        let since = "listwarden_last_success_timestamp_seconds";
        assert!(said.contains(&format!("{since}{{list=\"a/*\"}} 900")), "{said:?}");
        assert!(said.contains(&format!("{since}{{list=\"b/*\"}} 0")), "{said:?}");
        let all = "listwarden_members{list=\"*\",class=\"in_step\",status=\"subscribed\"} 21";
        assert!(said.contains(&all.to_owned()), "{said:?}");
        assert_eq!(said.len(), 2 + 2 * 8, "{said:?}");
        assert!(says(&lists, 3, 1_000).iter().all(|line| !line.contains('*')));
    }

    #[test]
    fn two_thousand_clinics_of_three_lists_each_are_eight_series_a_clinic() {
        let lists: Vec<Standing> = (0..6_000)
            .map(|n| {
                let (clinic, slug) = (format!("c{}", n / 3), format!("l{}", n % 3));
                list(&clinic, &slug, Some(900), Some(holds(0)))
            })
            .collect();
        assert_eq!(says(&lists, 1_000, 1_000).len(), 2_000 * 8 + 2);
    }

    #[test]
    fn a_list_whose_first_plan_waits_is_not_taken_for_one_that_no_run_brings_in_step() {
        let mut new = list("a", "x", None, Some(holds(0)));
        new.row.awaits_approval = true;
        let says = |lists: &[Standing], family: &str| {
            let said = says(lists, 0, 1_000);
            said.into_iter().find(|line| line.starts_with(family)).unwrap()
        };
        let (since, waits) =
            ("listwarden_last_success_timestamp_seconds", "listwarden_first_plan_waiting");
        let alone = [new];
        assert!(says(&alone, waits).ends_with(" 1") && says(&alone, since).ends_with(" 0"));
        let [new] = alone;
        let both = [new, list("a", "y", Some(900), Some(holds(0)))];
        assert!(says(&both, waits).ends_with(" 0") && says(&both, since).ends_with(" 900"));
    }

    #[test]
    fn nobody_held_is_not_said_of_lists_that_were_not_read_lately_and_somebody_is() {
        let said = |held| {
            let said = says(&[list("a", "x", None, Some(holds(held)))], 9, 1_101);
            said.into_iter().find(|line| line.starts_with("listwarden_held"))
        };
        assert_eq!(said(0), None);
        assert_eq!(said(2).unwrap(), "listwarden_held_but_dropped{list=\"a/x\"} 2");
    }

    #[test]
    fn members_of_all_lists_are_not_added_up_before_all_are_counted() {
        let lists = [list("a", "x", None, Some(holds(0))), list("b", "x", None, None)];
        assert!(says(&lists, 1, 1_000).iter().all(|line| !line.starts_with("listwarden_members")));
        assert!(says(&lists, 2, 1_000).iter().any(|line| line.starts_with("listwarden_members")));
    }
}
