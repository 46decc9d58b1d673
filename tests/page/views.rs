//! Every view: nothing for axe to find, nothing to scroll sideways, nothing on the console.

use listwarden::domain::Role;
use listwarden::store::AskedBy;
use serde_json::json;

use crate::browser::Browser;
use crate::served::Served;
use crate::world::Engine;

/// Every view, by its name and its path.
fn views(served: &Served) -> Vec<(&'static str, String)> {
    let names = &served.world.riverside;
    let clinic = "/clinics/riverside";
    vec![
        ("overview", "/".to_owned()),
        ("clinic", clinic.to_owned()),
        ("list", format!("{clinic}/lists/news")),
        ("held", format!("{clinic}/lists/news/held")),
        ("exposure", format!("{clinic}/exposure")),
        ("first-plan", "/clinics/oak/lists/tips".to_owned()),
        ("runs", format!("{clinic}/runs")),
        ("run", format!("{clinic}/runs/{}", names.run)),
        ("resync", format!("{clinic}/resyncs/{}", names.resync)),
        ("search", format!("{clinic}/person")),
        ("person", format!("{clinic}/contacts/{}", names.contact)),
        ("timeline", format!("{clinic}/contacts/{}/ledger", names.contact)),
        ("rights", format!("{clinic}/patients/{}", names.patient)),
        ("receipt", format!("{clinic}/patients/{}/erasure", names.patient)),
        ("parked", format!("{clinic}/parked")),
        ("parked-there", "/clinics/oak/parked".to_owned()),
        ("webhooks", format!("{clinic}/webhooks")),
        ("audit", format!("{clinic}/audit")),
        ("whole-audit", "/audit".to_owned()),
        ("settings", format!("{clinic}/settings")),
        ("nothing", "/nothing".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_is_fit_for_everybody() {
    let (served, browser) = (Served::new(Engine::Sqlite).await, Browser::new().await);
    browser.goes(&format!("{}/sign-in", served.url)).await;
    looked_at(&browser, "sign-in").await;
    served.signs_in(&browser, Role::Owner).await;
    let asked = AskedBy { by: "desk", reason: "letter of 3 March" };
    let of = &served.world.riverside;
    served.world.store.erasure_ask(of.id, of.patient, asked).await.unwrap();
    for (name, path) in views(&served) {
        browser.goes(&format!("{}{path}", served.url)).await;
        looked_at(&browser, name).await;
        let errors = browser.console().await;
        let lost = errors.iter().all(|error| error.contains("404")) && name == "nothing";
        assert!(errors.is_empty() || lost, "{name}: {errors:?}");
    }
    browser.end().await;
    served.end().await;
}

/// Looks at a view in light and dark, wide and on the narrowest telephone.
async fn looked_at(browser: &Browser, name: &str) {
    for scheme in ["light", "dark"] {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        for (size, width) in [("wide", 1200), ("narrow", 320)] {
            let metrics =
                json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
            assert_eq!(browser.axe().await, [""; 0], "{name}, {scheme}, {size}");
            let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            let wider = browser.runs(wide).await.as_i64().unwrap();
            assert!(wider <= 0, "{name}, {size}: {wider} px too wide");
            browser.pictures(&format!("{name}-{size}-{scheme}")).await;
        }
    }
}

/// Where the focus is, as a number in the order of the document.
const FOCUSED: &str =
    "const all = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')];
    return all.indexOf(document.activeElement)";
/// What can be focused: not what lies in details that are closed.
const CAN_BE: &str =
    "const all = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')];
    return all.map((e, i) => [e, i]).filter(([e]) => e.checkVisibility()).map(([, i]) => i)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tab_key_goes_through_a_view_in_its_order() {
    let (served, browser) = (Served::new(Engine::Sqlite).await, Browser::new().await);
    served.signs_in(&browser, Role::Owner).await;
    for path in ["/", "/clinics/riverside/lists/news", "/clinics/oak/parked"] {
        browser.goes(&format!("{}{path}", served.url)).await;
        let can_be = browser.runs(CAN_BE).await;
        let mut went = Vec::new();
        for _ in can_be.as_array().unwrap() {
            browser.press_tab().await;
            went.push(browser.runs(FOCUSED).await);
            let shown = "const box = document.activeElement.getBoundingClientRect();
                return box.width > 0 && box.height > 0 && box.right > 0";
            assert_eq!(
                browser.runs(shown).await,
                json!(true),
                "{path}: what has the focus is seen"
            );
        }
        assert_eq!(json!(went), can_be, "{path}");
    }
    browser.goes(&format!("{}/clinics/riverside/lists/news", served.url)).await;
    browser.press_tab().await;
    let first = browser.runs("return document.activeElement.textContent").await;
    assert_eq!(first, "To the content");
    browser.end().await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_of_the_api_is_browsed_and_asks_nobody_elsewhere() {
    let (served, browser) = (Served::new(Engine::Sqlite).await, Browser::new().await);
    browser.goes(&format!("{}/api/docs/?url=http://elsewhere.test/x.json", served.url)).await;
    browser.sees("What an admin may see and do.").await;
    browser.sees("/clinics/{clinic}/lists/{list}").await;
    let asked = browser.runs("return performance.getEntries().map(e => e.name)").await;
    let asked = asked.as_array().unwrap();
    let asked: Vec<&str> = asked.iter().filter_map(|name| name.as_str()).collect();
    let elsewhere =
        asked.iter().find(|name| name.contains("://") && !name.starts_with(&served.url));
    assert_eq!(elsewhere, None, "{asked:?}");
    assert!(asked.iter().any(|name| name.ends_with("/api/openapi.json")), "{asked:?}");
    assert_eq!(browser.console().await, [""; 0]);
    browser.pictures("api-docs").await;
    browser.end().await;
    served.end().await;
}
