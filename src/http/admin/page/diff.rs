//! A run's plan as a diff: who leaves, who enters, and why.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::Admin;
use super::super::paging::Page;
use super::super::plans::PlanView;
use super::super::problem::Problem;
use super::super::runs::Change;
use super::frame::Frame;
use super::parts::{count, op_state, verb, when};
use crate::domain::{Act, LinkId, RunId};
use crate::store::{PlanReason, ShownLink};

/// Changes of a run, and whom each is about.
pub(super) struct Diff {
    run: RunId,
    reasons: Vec<PlanReason>,
    pub(super) changes: Page<Change>,
    people: BTreeMap<LinkId, ShownLink>,
}

impl Diff {
    pub(super) async fn of(
        admin: &Admin,
        frame: &Frame,
        run: RunId,
        changes: Page<Change>,
    ) -> Result<Self, Problem> {
        let (clinic, _) = frame.permit.clinic()?;
        let links: Vec<LinkId> = changes.items.iter().map(|change| change.link).collect();
        let reasons = admin.store.plan_reasons(clinic, run).await?;
        let people = admin.store.links_shown(clinic, &links).await?;
        Ok(Self { run, reasons, changes, people })
    }

    /// Says what is done how often and why, then each change.
    pub(super) fn view(&self, frame: &Frame) -> Result<Markup, Problem> {
        let (base, zone) = (frame.path("/contacts/")?, frame.permit.clinic()?.1.time_zone);
        Ok(html! {
            @if self.reasons.is_empty() {
                p.quiet { "Nothing was to be changed." }
            } @else {
                ul.why {
                    @for reason in &self.reasons {
                        @let (sign, words) = verb(reason.verb);
                        li class=(tone(sign)) {
                            b { (sign) " " (reason.count) " " (words) } " "
                            (reason.reason.sentence()) " " span.law { (reason.reason.law()) }
                        }
                    }
                }
                table.stack.diff {
                    caption.hidden { "Each change, with whom it is about, masked" }
                    thead { tr {
                        th scope="col" { "Change" } th scope="col" { "Who" } th scope="col" { "Why" }
                        th scope="col" { "State" }
                    } }
                    tbody { @for change in &self.changes.items { (self.row(change, &base, zone)) } }
                }
            }
        })
    }

    fn row(&self, change: &Change, base: &str, zone: Tz) -> Markup {
        let (sign, words) = verb(change.verb);
        html! {
            tr class=(tone(sign)) {
                td data-l="Change" { b { (sign) " " (words) } }
                td data-l="Who" { (who(self.people.get(&change.link), base, zone)) }
                td data-l="Why" { (change.reason) " " span.law { (change.law) } }
                td data-l="State" { (op_state(change.state)) }
            }
        }
    }

    /// Returns the forms that decide about the plan, for whoever may.
    pub(super) fn decide(&self, frame: &Frame, plan: &PlanView) -> Result<Markup, Problem> {
        let waiting: u64 = plan.changes.iter().filter(|c| waits(c.state)).map(|c| c.count).sum();
        let all: u64 = plan.changes.iter().map(|c| c.count).sum();
        let others = all - waiting;
        let base = frame.path(&format!("/plans/{}", self.run))?;
        let hours = frame.permit.config().run.approval_lasts.num_hours();
        let approve = html! {
            label for="hours" { "Approval holds for, in hours" }
            input #hours type="number" name="hours" min="1" max="720" value=(hours) required;
            label for="because" { "Why, if you like; names nobody" }
            input #because name="reason" maxlength="500" autocomplete="off";
            button.main { "Approve " (count(waiting, "change", "changes")) }
        };
        let refuse = html! {
            label for="reason" { "Why not; names nobody" }
            input #reason name="reason" required minlength="3" maxlength="500" autocomplete="off";
            button.bad { "Refuse" }
        };
        Ok(html! {
            p.note.wait {
                (count(waiting, "change waits", "changes wait")) " for an admin and "
                @if waiting == 1 { "is" } @else { "are" } " not made before."
                @if others > 0 {
                    " " (count(others, "other change", "other changes"))
                    " of this run " @if others == 1 { "does" } @else { "do" } " not wait: each says below how far it is."
                }
            }
            @if frame.may(Act::Operate) {
                div.decide {
                    (frame.form(&format!("{base}/approve"), &approve))
                    (frame.form(&format!("{base}/refuse"), &refuse))
                }
            } @else {
                p.quiet { "A token of the role operator or owner decides." }
            }
        })
    }
}

fn waits(state: crate::store::OpState) -> bool {
    matches!(state, crate::store::OpState::Waiting | crate::store::OpState::Braked)
}

fn tone(sign: &str) -> &'static str {
    match sign {
        "+" => "enters",
        "−" => "leaves",
        _ => "stays",
    }
}

/// Names whom a link is about, masked, and leads to why.
pub(super) fn who(person: Option<&ShownLink>, base: &str, zone: Tz) -> Markup {
    html! {
        @match person {
            None => span.quiet { "nobody any more" },
            Some(ShownLink { contact: None, joined_at, .. }) => span.quiet {
                "a member whom the clinic never knew"
                @if let Some(at) = joined_at { ", there since " (when(*at, zone)) }
            },
            Some(ShownLink { contact: Some(contact), address, .. }) => a href={ (base) (contact) } {
                @match address { Some(address) => (address), None => "an erased address" }
            },
        }
    }
}
