//! Routes in one table: each with its method, its path and the roles that may.

use std::collections::BTreeSet;

use listwarden::domain::Role;
use listwarden::http::admin::Route;

use crate::world::Names;

impl Names {
    /// Fills the names into a path.
    pub fn fill(&self, path: &str, clinic: &str) -> String {
        let path = path
            .replace("{clinic}", clinic)
            .replace("{list}", self.list)
            .replace("{run}", &self.run.to_string())
            .replace("{contact}", &self.contact.to_string())
            .replace("{patient}", &self.patient.to_string())
            .replace("{link}", &self.link.to_string())
            .replace("{resync}", &self.resync.to_string())
            .replace("{review}", &self.review.to_string());
        assert!(!path.contains('{'), "{path}");
        path
    }
}

/// Routes in a table, each with its method, its path and the roles that may.
pub type Table = [(&'static str, &'static str, &'static [Role])];

pub const ALL: &[Role] = Role::ALL;
pub const OPERATE: &[Role] = &[Role::Operator, Role::Owner];
pub const AUDIT: &[Role] = &[Role::Auditor, Role::Owner];

/// The table has every route that is served, and no other.
pub fn assert_whole(table: &Table, served: &[Route]) {
    let found: BTreeSet<(String, &str)> =
        served.iter().map(|route| (route.method.to_string(), route.path)).collect();
    let listed: BTreeSet<(String, &str)> =
        table.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    assert_eq!(found, listed);
    assert_eq!(found.len(), served.len());
}

/// What a role of the row, or of none, was answered; whoever came before has settled what some name.
pub fn assert_for_the_row(role: Role, may: &[Role], path: &str, status: u16, what: &str) {
    if !may.contains(&role) {
        return assert_eq!(status, 403, "{what}");
    }
    let settles = ["retry", "dismiss", "close"].iter().any(|end| path.ends_with(end));
    let settled = role == Role::Owner && settles && status == 404;
    // Nobody has asked yet for what a receipt is of.
    let settled = settled || path.ends_with("/erasure") && status == 404;
    assert!(status < 400 || status == 409 || settled, "{what}");
}
