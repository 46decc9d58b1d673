//! What an admin does, from the first look to a clean list.

use listwarden::domain::{Channel, Role};
use serde_json::json;

use crate::browser::Browser;
use crate::served::Served;
use crate::world::{ADDRESS, Engine};

async fn a_braked_plan_is_read_and_approved_and_the_list_is_clean(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Operator).await;
    browser.sees("Not clean").await;
    browser.follows("news").await;
    browser.sees("9 changes wait").await;
    browser.sees("− 9 archive The clinic has archived the patient. L9").await;
    browser.sees("a***@p***").await;
    assert!(!browser.text().await.contains("ann4@"), "addresses are masked");
    browser.types("#because", "Spring cleaning, as agreed").await;
    browser.presses("Approve 9 changes").await;
    browser.sees("Approved.").await;
    browser.goes(&format!("{}/clinics/riverside/lists/news", served.url)).await;
    browser.presses("Resync").await;
    browser.sees("of the list news").await;
    browser.sees("in step").await;
    browser.follows("Where news stands now").await;
    browser.sees("Clean").await;
    let text = browser.text().await;
    assert!(!text.contains("Not clean") && !text.contains("The plan that waits"), "{text}");
    assert_eq!(browser.console().await, [""; 0]);
    let log = served.world.store.audit_page(None, i64::MAX, 50).await.unwrap();
    let approved =
        log.iter().find(|line| line.reason.as_deref() == Some("Spring cleaning, as agreed"));
    assert_eq!(approved.unwrap().what, "POST /clinics/{clinic}/plans/{run}/approve");
    browser.end().await;
    served.end().await;
}

async fn a_person_is_found_and_why_is_read_and_the_address_shown_on_record(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Owner).await;
    browser.goes(&format!("{}/clinics/riverside/person", served.url)).await;
    browser.types("#who", "ann5@post.test").await;
    browser.presses("Find").await;
    browser.sees("The clinic has archived the patient. L9").await;
    browser.sees("held by the brake").await;
    assert!(!browser.text().await.contains("ann5@post.test"), "masked until it is shown");
    assert!(!browser.path().await.contains("post"), "never in a link");
    browser.presses("Show").await;
    browser.sees("ann5@post.test").await;
    browser.follows("the timeline").await;
    browser.sees("Consent given, by the person").await;
    browser.goes(&format!("{}/clinics/riverside/audit", served.url)).await;
    browser.sees("Shows an address in full.").await;
    assert_eq!(browser.console().await, [""; 0]);
    browser.end().await;
    served.end().await;
}

async fn a_viewer_is_refused_and_sees_no_button_that_would_be(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Viewer).await;
    browser.follows("news").await;
    browser.sees("A token of the role operator or owner decides.").await;
    let buttons = browser.runs("return document.querySelectorAll('main button').length").await;
    assert_eq!(buttons, json!(0));
    browser.goes(&format!("{}/clinics/riverside/audit", served.url)).await;
    browser.sees("the role viewer may not see the audit log").await;
    let path = format!("/clinics/riverside/contacts/{}", served.world.riverside.contact);
    browser.goes(&format!("{}{path}", served.url)).await;
    let text = browser.text().await;
    assert!(!text.contains("Show") && !text.contains(ADDRESS), "{text}");
    browser.end().await;
    served.end().await;
}

async fn a_run_that_goes_on_is_watched_to_its_end(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Viewer).await;
    let (store, clinic) = (&served.world.store, served.world.riverside.id);
    let list = store.list_ensure(clinic, "news", Channel::Email).await.unwrap();
    let run = store.run_begin(&list, "reconcile").await.unwrap();
    browser.goes(&format!("{}/clinics/riverside/runs/{run}", served.url)).await;
    browser.sees("under way").await;
    browser.runs("window.here = true").await;
    store.run_end(run, "in_step", "{}").await.unwrap();
    browser.sees("in step").await;
    assert_eq!(browser.runs("return window.here || false").await, json!(false), "shown anew");
    assert_eq!(browser.console().await, [""; 0]);
    browser.end().await;
    served.end().await;
}

async fn it_is_read_and_used_without_scripts(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Operator).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let path = format!("/clinics/riverside/contacts/{}", served.world.riverside.contact);
    browser.goes(&format!("{}{path}", served.url)).await;
    browser.presses("Show").await;
    browser.sees(ADDRESS).await;
    browser.goes(&format!("{}/clinics/riverside/lists/news", served.url)).await;
    browser.presses("Resync").await;
    browser.sees("Look again").await;
    browser.end().await;
    served.end().await;
}

async fn a_patient_is_exported_restricted_and_erased_and_the_receipt_is_read(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Owner).await;
    let path = format!("/clinics/riverside/contacts/{}", served.world.riverside.contact);
    browser.goes(&format!("{}{path}", served.url)).await;
    browser.follows("patient 1").await;
    browser.sees("Rights of a patient").await;
    let zip = browser.awaits(EXPORT).await;
    assert_eq!(zip, json!(["application/zip", "PK"]), "the form gives a zip file");
    browser.types("#restrict-evidence", "letter of 3 March").await;
    browser.presses("Take down: restriction").await;
    browser.sees("Taken down.").await;
    browser.types("#erase-reason", "letter of 4 March").await;
    browser.types("#erase-confirm", "Riverside").await;
    browser.presses("Erase this patient").await;
    browser.sees("nothing was done").await;
    browser
        .goes(&format!(
            "{}/clinics/riverside/patients/{}",
            served.url, served.world.riverside.patient
        ))
        .await;
    assert!(!browser.text().await.contains("The receipt"), "a mistyped name erases nobody");
    browser.types("#erase-reason", "letter of 4 March").await;
    browser.types("#erase-confirm", "riverside").await;
    browser.presses("Erase this patient").await;
    browser.sees("Receipt of an erasure").await;
    browser.sees("letter of 4 March").await;
    browser.sees("erased").await;
    let there = served.world.simulator.member(&served.world.audience, ADDRESS);
    assert!(there.is_none(), "{there:?}");
    browser.follows("Back to the patient").await;
    browser.sees("The receipt").await;
    browser.goes(&format!("{}{path}", served.url)).await;
    browser.sees("The address was erased").await;
    let log = served.world.store.audit_page(None, i64::MAX, 50).await.unwrap();
    for (what, reason) in [("restrict", "letter of 3 March"), ("erase", "letter of 4 March")] {
        let line = log.iter().find(|line| line.what.ends_with(what) && line.reason.is_some());
        assert_eq!(line.unwrap().reason.as_deref(), Some(reason), "{what}");
    }
    assert!(log.iter().any(|line| line.what.ends_with("/export")));
    browser.end().await;
    served.end().await;
}

/// Sends the form that exports as the browser would, and says what comes back.
const EXPORT: &str = "const form = document.querySelector('form[action$=\"/export\"]');
    const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return [answer.headers.get('content-type'), String.fromCharCode(bytes[0], bytes[1])];";

async fn an_opt_out_by_hand_is_lifted_only_for_whoever_types_the_clinics_name(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Owner).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let path = format!("/clinics/riverside/contacts/{}", served.world.riverside.contact);
    browser.goes(&format!("{}{path}", served.url)).await;
    browser.types("#suppress-reason", "told the front desk").await;
    browser.presses("Put the opt-out down").await;
    browser.sees("The opt-out is on record").await;
    browser.sees("Consent was withdrawn for this address").await;
    for (confirm, then) in [("elsewhere", "nothing was done"), ("riverside", "not newer")] {
        browser.goes(&format!("{}{path}", served.url)).await;
        for (field, text) in [
            ("#lift-method", "on paper"),
            ("#lift-wording", "v3"),
            ("#lift-at", "01/02/2026\u{e004}09:00AM"),
            ("#lift-reason", "asked anew in person"),
            ("#lift-confirm", confirm),
        ] {
            browser.types(field, text).await;
        }
        browser.presses("Lift every opt-out").await;
        browser.sees(then).await;
    }
    browser.end().await;
    served.end().await;
}

async fn who_may_not_sees_no_button_of_a_right(engine: Engine) {
    let (served, browser) = (Served::new(engine).await, Browser::new().await);
    served.signs_in(&browser, Role::Auditor).await;
    let path = format!("/clinics/riverside/contacts/{}", served.world.riverside.contact);
    browser.goes(&format!("{}{path}", served.url)).await;
    assert!(!browser.text().await.contains("Lift"));
    browser.follows("patient 1").await;
    browser.sees("A copy of everything").await;
    let buttons = "return [...document.querySelectorAll('main button')].map(b => b.textContent)";
    assert_eq!(browser.runs(buttons).await, json!(["Export"]));
    browser.end().await;
    served.end().await;
}

each_on_both_engines! {
    a_braked_plan_is_read_and_approved_and_the_list_is_clean
    a_person_is_found_and_why_is_read_and_the_address_shown_on_record
    a_viewer_is_refused_and_sees_no_button_that_would_be
    a_run_that_goes_on_is_watched_to_its_end
    it_is_read_and_used_without_scripts
    a_patient_is_exported_restricted_and_erased_and_the_receipt_is_read
    an_opt_out_by_hand_is_lifted_only_for_whoever_types_the_clinics_name
    who_may_not_sees_no_button_of_a_right
}
