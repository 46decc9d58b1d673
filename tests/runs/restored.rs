//! A store that was put back to an older state (docs/decisions/0010): L3, L12, L14, L20.

use std::fs;

use chrono::TimeDelta;
use listwarden::domain::{PatientRecord, PatientStatus, Reason};
use listwarden::reconcile::{Chain, ListState};
use listwarden::simulator::mailchimp::{Fault, Rule, Status};
use listwarden::store::{AuditOutcome, NewAudit};
use sqlx::{Connection, SqliteConnection};

use crate::world::{Engine, World, address, state};

/// What lies in the store's folder for it.
const FILES: [&str; 3] = ["listwarden.db", "listwarden.db-wal", "listwarden.db-shm"];

impl World {
    /// An admin says that the store was put back.
    pub async fn is_said_to_be_put_back(&self) {
        let clinic = self.deployment.clinics().next().unwrap();
        let (id, _) = self.deployment.known_lists(clinic).await.unwrap();
        self.deployment.reconciler().restored(id, &clinic.slug).await.unwrap();
    }

    /// A world that keeps a register beside its store.
    async fn with_a_register() -> Self {
        let mut world = Self::new(Engine::Sqlite, "").await;
        let path = world.folder.path().join("listwarden.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[store]", "[store]\nregister = \"register\"")).unwrap();
        world.deployment = world.another_process().await;
        world
    }

    async fn is_backed_up(&self) {
        let folder = self.folder.path();
        let store = format!("sqlite://{}", folder.join(FILES[0]).display());
        let mut connection = SqliteConnection::connect(&store).await.unwrap();
        let sql = format!("VACUUM INTO '{}'", folder.join("backup.db").display());
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn is_put_back(&mut self) {
        let folder = self.folder.path().to_owned();
        self.deployment.store.close().await;
        for file in FILES {
            fs::remove_file(folder.join(file)).unwrap_or_default();
        }
        fs::copy(folder.join("backup.db"), folder.join(FILES[0])).unwrap();
        self.deployment = self.another_process().await;
    }

    /// The first run after it, which changes nothing, and its approval.
    async fn begins_anew(&self) {
        let before = self.writes();
        let outcome = self.try_run(false).await;
        assert_eq!(self.writes(), before, "nothing is written before an admin looked (L20)");
        if state(&outcome) == ListState::Waiting {
            self.approves(outcome.lists[0].run.unwrap()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l14_who_asked_to_be_erased_is_erased_again_although_the_clinic_keeps_them() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    assert!(world.erases("ann").await.done);
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.begins_anew().await;
    world.runs().await;
    assert_eq!(world.there("ann"), None);
    let records = world.store_says("SELECT record FROM patients").await.concat();
    assert!(!records.contains("Givenann"), "{records}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l20_a_store_put_back_begins_anew_and_finds_every_opt_out_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann", "ben"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    world.unsubscribes("ben");
    world.runs().await;
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.consenting("eve").await;
    world.begins_anew().await;
    assert_eq!(world.invitations("eve"), 0, "she waits for the admin");
    world.runs().await;
    assert_eq!(world.invitations("eve"), 1);
    assert_eq!(world.there("ann"), Some(Status::Subscribed));
    assert_eq!(world.there("ben"), Some(Status::Unsubscribed));
    assert!(
        world.reasons("ben").await.contains(&Reason::Withdrawn),
        "{:?}",
        world.reasons("ben").await
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l11_who_came_back_and_left_since_the_backup_stays_out() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.unsubscribes("ann");
    world.runs().await;
    world.is_backed_up().await;
    world.pass(TimeDelta::days(1));
    world.consents_now("ann").await;
    world.runs().await;
    world.confirms("ann");
    world.pass(TimeDelta::days(1));
    world.runs().await;
    world.unsubscribes("ann");
    world.pass(TimeDelta::hours(1));
    world.runs().await;
    let asked = world.invitations("ann");
    world.is_put_back().await;
    world.begins_anew().await;
    world.runs().await;
    assert_eq!(world.invitations("ann"), asked, "her last no is newer than her last yes");
    assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l15_a_no_that_only_the_clinics_record_still_tells_of_is_learned_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    // By the hand of staff, who bring her back: the list shows nothing of her no.
    world.staff().unsubscribe(&address("ann")).unwrap();
    world.runs().await;
    assert!(world.told("ann").await.contains(&"withdrawn".to_owned()));
    world.pass(TimeDelta::hours(1));
    world.staff().archive(&address("ann")).unwrap();
    world.staff_import("ann");
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.begins_anew().await;
    world.runs().await;
    assert!(
        world.reasons("ann").await.contains(&Reason::Withdrawn),
        "{:?}",
        world.reasons("ann").await
    );
    assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_who_was_asked_since_the_backup_is_not_asked_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    world.consenting("eve").await;
    world.runs().await;
    assert_eq!(world.invitations("eve"), 1);
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.begins_anew().await;
    world.runs().await;
    assert_eq!((world.invitations("eve"), world.there("eve")), (1, Some(Status::Pending)));
    world.confirms("eve");
    world.runs().await;
    assert_eq!(world.there("eve"), Some(Status::Subscribed), "and her answer counts");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l12_who_was_asked_since_the_backup_and_never_answers_is_not_asked_again_either() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    world.consenting("eve").await;
    world.runs().await;
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.begins_anew().await;
    world.pass(TimeDelta::days(40));
    world.runs().await;
    assert_eq!((world.invitations("eve"), world.there("eve")), (1, Some(Status::Archived)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_who_was_asked_since_the_backup_and_is_in_no_page_is_not_asked_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    world.consenting("eve").await;
    world.runs().await;
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    let path = format!("/3.0/lists/{}/members", world.audience);
    let hides = Fault::ShrunkPage { drop: 9 };
    world.simulator.script(Rule::next(hides).on("GET", &path).times(2));
    world.begins_anew().await;
    world.simulator.clear_faults();
    world.pass(TimeDelta::days(40));
    world.runs().await;
    assert_eq!((world.invitations("eve"), world.there("eve")), (1, Some(Status::Archived)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_who_was_asked_since_the_backup_after_a_sign_up_of_before_is_not_asked_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.enters(world.somebody("eve")).await;
    world.runs().await;
    world.contact("eve").sign_up().unwrap();
    world.is_backed_up().await;
    world.pass(TimeDelta::days(31));
    world.consents_now("eve").await;
    world.runs().await;
    assert_eq!(world.invitations("eve"), 2, "by the form, and by us once that lapsed");
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.begins_anew().await;
    world.runs().await;
    assert_eq!((world.invitations("eve"), world.there("eve")), (2, Some(Status::Pending)));
    world.pass(TimeDelta::days(40));
    world.runs().await;
    assert_eq!((world.invitations("eve"), world.there("eve")), (2, Some(Status::Archived)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l18_who_signed_up_there_since_the_backup_needs_no_word_of_the_clinic() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.enters(world.somebody("eve")).await;
    world.runs().await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    world.contact("eve").sign_up().unwrap();
    world.pass(TimeDelta::hours(1));
    // Her fields are filled in: the provider shows that she changed after she signed up.
    world.runs().await;
    world.is_put_back().await;
    world.pass(TimeDelta::hours(1));
    world.begins_anew().await;
    world.runs().await;
    assert_eq!(world.there("eve"), Some(Status::Pending));
    world.confirms("eve");
    world.runs().await;
    assert_eq!(world.there("eve"), Some(Status::Subscribed));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l14_who_was_erased_since_the_backup_is_erased_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann", "ben", "cat", "dan"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    let erased = PatientRecord {
        status: PatientStatus::Deleted,
        updated_at: world.now(),
        ..world.somebody("ann")
    };
    world.clinic.upsert(&[erased]).await.unwrap();
    world.runs().await;
    assert_eq!(world.there("ann"), None);
    let register = world.folder.path().join("register/riverside.erased");
    let register = fs::read_to_string(register).unwrap();
    assert!(register.contains("address") && register.contains("patient"));
    assert!(!register.contains("ann"), "it names nobody");
    world.clinic.vanish("ann").await.unwrap();
    world.is_put_back().await;
    assert_eq!(held(&world).await, 4, "the backup holds her again");
    world.staff_import("ann");
    world.begins_anew().await;
    world.runs().await;
    assert_eq!(world.there("ann"), None, "she is taken off again");
    assert_eq!(held(&world).await, 3, "and forgotten here");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l14_a_deleted_patient_whose_row_is_gone_before_the_erasure_is_erased_all_the_same() {
    let world = World::with_a_register().await;
    world.listed(&["ann", "ben", "cat", "dan"]).await;
    let deleted = PatientRecord {
        status: PatientStatus::Deleted,
        updated_at: world.now(),
        ..world.somebody("ann")
    };
    world.clinic.upsert(&[deleted]).await.unwrap();
    world.deployment.reconciler().stop.ask();
    world.try_run(true).await;
    world.clinic.vanish("ann").await.unwrap();
    let process = world.another_process().await;
    for _ in 0..3 {
        world.pass(TimeDelta::days(1));
        crate::world::run_on(&process, true).await;
    }
    assert_eq!(world.there("ann"), None);
    assert_eq!(held(&world).await, 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l20_without_a_register_an_admin_says_that_the_store_was_put_back() {
    let world = World::new(Engine::Sqlite, "").await;
    world.listed(&["ann"]).await;
    world.consenting("eve").await;
    world.is_said_to_be_put_back().await;
    world.begins_anew().await;
    assert_eq!(world.invitations("eve"), 0);
    world.runs().await;
    assert_eq!((world.invitations("ann"), world.invitations("eve")), (1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_taken_off_the_end_of_a_chain_are_missed_until_an_admin_says_that_it_was_put_back() {
    let world = World::with_a_register().await;
    world.listed(&["ann", "eve"]).await;
    let clinic = world.deployment.clinics().next().unwrap();
    let (id, _) = world.deployment.known_lists(clinic).await.unwrap();
    let line = NewAudit {
        request: id.0,
        token: None,
        who: "test".to_owned(),
        what: "GET /".to_owned(),
        clinic: None,
        subject: None,
        outcome: AuditOutcome::Done,
        reason: None,
    };
    world.deployment.store.audit(&line).await.unwrap();
    let reconciler = world.deployment.reconciler();
    let chains = [Chain::Ledger(id, &clinic.slug), Chain::Audit];
    for chain in chains {
        assert_eq!(reconciler.verify(chain).await.unwrap().first_bad, None);
    }
    let (last, _) = world.deployment.store.ledger_end(id).await.unwrap();
    let url = format!("sqlite://{}", world.folder.path().join(FILES[0]).display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let cut = format!(
        "PRAGMA foreign_keys = OFF;
         DELETE FROM ledger WHERE seq = {last};
         UPDATE ledger_heads SET seq = {last} - 1,
            mac = (SELECT mac FROM ledger WHERE seq = {last} - 1);
         DELETE FROM audit;
         UPDATE audit_head SET seq = 0, mac = '';"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(cut)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for (chain, missing) in chains.into_iter().zip([last, 1]) {
        let found = reconciler.verify(chain).await.unwrap().first_bad;
        assert_eq!(found, Some(missing), "{chain:?}");
    }
    let other = NewAudit { who: "somebody else".to_owned(), ..line };
    world.deployment.store.audit(&other).await.unwrap();
    assert_eq!(
        reconciler.remember_end(Chain::Audit).await.unwrap(),
        Some(1),
        "also once it grew again"
    );
    let kept = "SELECT COUNT(*) || '' FROM clinics WHERE ledger_bad_line IS NOT NULL";
    assert_eq!(world.store_says(kept).await, ["1"]);
    assert_eq!(world.deployment.store.audit_bad_line().await.unwrap(), Some(1));
    // Whoever did it also made the store look put back: that alone forgets nothing.
    let register = world.folder.path().join("register/riverside.run");
    fs::write(register, uuid::Uuid::max().to_string()).unwrap();
    world.try_run(false).await;
    let waits = "SELECT slug FROM lists WHERE approved_at IS NULL";
    assert_eq!(world.store_says(waits).await, ["newsletter"]);
    assert_eq!(reconciler.verify(Chain::Audit).await.unwrap().first_bad, Some(1));
    assert!(reconciler.verify(chains[0]).await.unwrap().first_bad.is_some());
    reconciler.restored(id, &clinic.slug).await.unwrap();
    for chain in chains {
        assert_eq!(reconciler.verify(chain).await.unwrap().first_bad, None);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_a_store_that_is_put_back_again_before_any_run_is_recognised_again() {
    let mut world = World::with_a_register().await;
    world.listed(&["ann"]).await;
    world.is_backed_up().await;
    world.pass(TimeDelta::hours(1));
    world.consenting("eve").await;
    world.runs().await;
    world.is_put_back().await;
    world.is_said_to_be_put_back().await;
    world.is_put_back().await;
    world.pass(TimeDelta::days(40));
    world.begins_anew().await;
    world.runs().await;
    assert_eq!((world.invitations("eve"), world.there("eve")), (1, Some(Status::Pending)));
    world.end().await;
}

/// How many addresses our own store holds.
async fn held(world: &World) -> usize {
    world.store_says("SELECT hash FROM contacts WHERE address IS NOT NULL").await.len()
}
