//! What a clinic decided, as its file has it. Nothing is changed here, and no secret is shown.

use axum::response::Response;
use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::route::Route;
use super::frame::{Frame, Tab};
use crate::config::{ListConfig, SourceKind};
use crate::domain::Act;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/clinics/{clinic}/settings",
        Act::Read,
        "Shows what a clinic decided.",
        settings,
    )]
}

async fn settings(frame: Frame) -> Result<Response, Problem> {
    let (_, clinic) = frame.permit.clinic()?;
    let source = match clinic.source.kind {
        SourceKind::Sql => "its own database, by the view listwarden_patients",
        SourceKind::Reference => "the reference tables",
    };
    let view = html! {
        p.quiet { "As the clinic's file has it: clinics/" (clinic.slug) ".toml. It is changed there." }
        h2 { "Clinic" }
        dl.facts {
            dt { "Time zone" } dd { (clinic.time_zone.name()) }
            dt { "Country" } dd { (clinic.country.as_deref().unwrap_or("not said")) }
            dt { "Patients from" } dd { (source) }
            dt { "An opt-out by text reaches" }
            dd { @if clinic.opt_out_scope.word() == "all" { "every channel" } @else { "its channel" } }
        }
        @for list in &clinic.lists { (of_list(list)) }
    };
    Ok(frame.page(Tab::Settings, "Settings", &view))
}

fn of_list(list: &ListConfig) -> Markup {
    let (policy, brake) = (&list.policy, &list.policy.brake);
    let fields: Vec<&str> = policy.fields.iter().map(|field| field.field.as_str()).collect();
    let tags: Vec<&str> = policy.tags.values().map(String::as_str).collect();
    let or_none =
        |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    html! {
        h2 { "List " (list.slug) }
        dl.facts {
            dt { "Channel" } dd { (policy.channel) }
            dt { "Account" } dd { (list.account) }
            dt { "Purpose" } dd { (policy.purpose.as_deref().unwrap_or("any")) }
            dt { "Enters" }
            dd { @if policy.double_opt_in { "only by confirming" } @else { "at once, by a recorded consent" } }
            dt { "Soft opt-in" } dd { (policy.soft_opt_in) }
            dt { "Age of consent" } dd { (policy.age_of_consent) }
            dt { "Members nobody knows" } dd { (policy.unknown) }
            dt { "Members without proof" } dd { (policy.unproven) }
            dt { "Whoever is dropped leaves by" } dd { (policy.on_drop) }
            dt { "Whoever comes back" } dd { (policy.on_return) }
            dt { "An invitation lapses after" } dd { (policy.invitation_expires.num_days()) " days" }
            dt { "The brake stops" }
            dd {
                "more than " (brake.percent) " % of the list (at least " (brake.at_least) ", at most "
                (brake.at_most) ") removed, or " (brake.invitations) " invited, in a day"
            }
            dt { "A count is known for" } dd { (policy.freshness.num_hours()) " hours" }
            dt { "Fields that leave" } dd { (or_none(fields)) }
            dt { "Tags that leave" } dd { (or_none(tags)) }
        }
    }
}
