//! Who signs in to the page by `OpenID` Connect, and as what: the section `[serve.oidc]`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use toml_edit::Item;

use super::notify::is_here;
use super::section::{Section, place_of};
use super::{ClinicConfig, Problem};
use crate::domain::Role;

/// Where the provider leads people back to, below the page's URL.
pub const RETURN: &str = "/sign-in/oidc/return";

/// Who signs in by `OpenID` Connect, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// The name of the secret that the provider knows us by.
    pub client_secret: String,
    /// Where admins reach the page.
    pub page_url: String,
    /// What is asked of the provider beside `openid`.
    pub scopes: Vec<String>,
    /// The claim of the ID token that names groups.
    pub groups_claim: String,
    /// How long somebody stays signed in.
    pub session: TimeDelta,
    /// What each group may do.
    pub roles: BTreeMap<String, Grant>,
}

/// What somebody may be, and for which clinics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub role: Role,
    /// For these clinics; none is for all.
    pub clinics: Option<BTreeSet<String>>,
}

impl OidcSettings {
    /// Returns the URL that the provider leads people back to.
    #[must_use]
    pub fn redirect(&self) -> String {
        format!("{}{RETURN}", self.page_url)
    }

    /// Returns the provider's host, for people.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        url::Url::parse(&self.issuer).ok()?.host_str().map(ToOwned::to_owned)
    }

    /// Returns what being in `groups` gives: the strongest role, for the clinics of the groups that
    /// give that role. A weaker role for other clinics is not added: nobody has two roles at once.
    #[must_use]
    pub fn grant(&self, groups: &[String]) -> Option<Grant> {
        let given: Vec<&Grant> = groups.iter().filter_map(|group| self.roles.get(group)).collect();
        let role = given.iter().map(|grant| grant.role).max()?;
        let strongest = given.into_iter().filter(|grant| grant.role == role);
        let clinics: Option<Vec<BTreeSet<String>>> =
            strongest.map(|grant| grant.clinics.clone()).collect();
        Some(Grant { role, clinics: clinics.map(|sets| sets.into_iter().flatten().collect()) })
    }
}

/// Reads the section; none where it is not there, or not sound.
pub(super) fn read(section: Section<'_>) -> Option<OidcSettings> {
    let settings = section.is_there().then(|| settings(&section)).flatten();
    section.end();
    settings
}

fn settings(section: &Section<'_>) -> Option<OidcSettings> {
    const ISSUER: &str = "Write the issuer as the provider itself does (`issuer` in its .well-known/openid-configuration), such as \"https://login.clinic.example/realms/staff\"";
    const PAGE: &str = "Write where admins reach the page, such as \"https://lists.clinic.example\", without a path";
    const CLIENT: &str = "Write the id that the provider gave this client";
    let issuer = url(section, "issuer", ISSUER);
    let page_url = url(section, "page_url", PAGE);
    if page_url.as_ref().is_some_and(|url| url.path() != "/") {
        section.problem("page_url", "has a path", PAGE);
    }
    let client_id = section.required("client_id", CLIENT);
    let client_secret = match section.item("client_secret") {
        None => Some("oidc_client_secret".to_owned()),
        Some(_) => section.secret_name("client_secret"),
    };
    let groups_claim = section.text("groups_claim").unwrap_or_else(|| "groups".to_owned());
    let scopes = section.texts("scopes");
    let session = section.duration("session", "8h", "5m");
    let roles = roles(section);
    Some(OidcSettings {
        issuer: issuer.and(section.text("issuer"))?,
        client_id: client_id?,
        client_secret: client_secret?,
        page_url: page_url?.as_str().trim_end_matches('/').to_owned(),
        scopes,
        groups_claim,
        session,
        roles,
    })
}

/// Codes and tokens go there: by https, or on this machine.
fn url(section: &Section<'_>, key: &str, cure: &str) -> Option<url::Url> {
    let text = section.required(key, cure)?;
    let sound = url::Url::parse(&text).ok().filter(|url| {
        let here = url.host_str().is_some_and(is_here);
        let kept = url.scheme() == "https" || (url.scheme() == "http" && here);
        kept && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
    });
    if sound.is_none() {
        section.problem(key, "is no plain https URL, nor one of this machine", cure);
    }
    sound
}

fn roles(section: &Section<'_>) -> BTreeMap<String, Grant> {
    const CURE: &str = "Write what each group may do, such as roles = { \"list-admins\" = \"owner\", \"front-desk\" = { role = \"operator\", clinics = [\"riverside\"] } }";
    let groups = section.item("roles").and_then(Item::as_table_like);
    let names: Vec<&str> = groups.iter().flat_map(|groups| groups.iter()).map(|(k, _)| k).collect();
    if names.is_empty() {
        section.missing("roles", CURE);
    }
    let table = section.section("roles");
    let grants = names.into_iter().map(|name| (name.to_owned(), grant(&table, name)));
    grants.filter_map(|(name, grant)| Some((name, grant?))).collect()
}

fn grant(table: &Section<'_>, name: &str) -> Option<Grant> {
    const ROLES: &str = "Use one of: viewer, operator, auditor, owner";
    const CLINICS: &str = "Name clinics, or leave it out: then it is for all";
    if table.item(name).is_some_and(Item::is_str) {
        return table.choice(name, ROLES).map(|role| Grant { role, clinics: None });
    }
    let section = table.section(name);
    let role = section.choice("role", ROLES);
    let clinics = section.item("clinics").map(|_| section.text_set("clinics"));
    if clinics.as_ref().is_some_and(BTreeSet::is_empty) {
        section.problem("clinics", "names none", CLINICS);
    }
    section.end();
    role.map(|role| Grant { role, clinics })
}

/// Finds clinics that a group is let in for and that are not there.
pub(super) fn check(
    settings: &OidcSettings,
    file: &std::path::Path,
    clinics: &[ClinicConfig],
    problems: &mut Vec<Problem>,
) {
    for (group, grant) in &settings.roles {
        for slug in grant.clinics.iter().flatten() {
            if clinics.iter().all(|clinic| clinic.slug != *slug) {
                problems.push(Problem {
                    file: file.to_owned(),
                    place: place_of(file, &["serve", "oidc", "roles", group]),
                    key: format!("serve.oidc.roles.{group}.clinics"),
                    what: format!("names `{slug}`, which is no clinic"),
                    cure: "Write the names of files in clinics_dir, without .toml".to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OidcSettings {
        let of = |role, clinics: &[&str]| {
            let some = clinics.iter().map(|slug| (*slug).to_owned()).collect();
            Grant { role, clinics: (!clinics.is_empty()).then_some(some) }
        };
        let roles = [
            ("all", of(Role::Viewer, &[])),
            ("desk", of(Role::Operator, &["riverside"])),
            ("desk at oak", of(Role::Operator, &["oak"])),
            ("desks", of(Role::Operator, &[])),
            ("boss", of(Role::Owner, &["oak"])),
        ];
        OidcSettings {
            issuer: "https://login.test".to_owned(),
            client_id: "us".to_owned(),
            client_secret: "oidc_client_secret".to_owned(),
            page_url: "https://lists.test".to_owned(),
            scopes: Vec::new(),
            groups_claim: "groups".to_owned(),
            session: TimeDelta::hours(8),
            roles: roles.map(|(name, grant)| (name.to_owned(), grant)).into(),
        }
    }

    /// A role, and for which clinics if not for all.
    type Given = Option<(Role, Option<&'static [&'static str]>)>;

    /// What being in these groups gives.
    const TABLE: &[(&[&str], Given)] = &[
        (&[], None),
        (&["strangers", "ALL"], None),
        (&["all", "strangers"], Some((Role::Viewer, None))),
        // The strongest role counts, for the clinics of the groups that give it alone.
        (&["all", "desk"], Some((Role::Operator, Some(&["riverside"])))),
        (&["desk", "desk at oak"], Some((Role::Operator, Some(&["oak", "riverside"])))),
        (&["desk", "desks"], Some((Role::Operator, None))),
        (&["desks", "boss"], Some((Role::Owner, Some(&["oak"])))),
    ];

    #[test]
    fn groups_give_the_strongest_role_for_the_clinics_of_the_groups_that_give_it() {
        for (groups, given) in TABLE {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            let grant = settings().grant(&groups);
            let given = given.map(|(role, clinics)| Grant {
                role,
                clinics: clinics.map(|some| some.iter().map(|slug| (*slug).to_owned()).collect()),
            });
            assert_eq!(grant, given, "{groups:?}");
        }
    }
}
