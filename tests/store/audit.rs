use listwarden::clock::Clock;
use listwarden::domain::{Because, Clinics, Role};
use listwarden::store::{AuditOutcome, BadToken, NewAudit, NewToken, Verified};
use secrecy::ExposeSecret;

use crate::world::{World, at};

async fn three_lines(world: &World) {
    for outcome in [AuditOutcome::Begun, AuditOutcome::Done, AuditOutcome::Refused] {
        let line = NewAudit {
            request: world.clock.id(),
            token: None,
            who: "test".to_owned(),
            what: "POST /resyncs".to_owned(),
            clinic: Some(world.clinic),
            subject: Some("newsletter".to_owned()),
            outcome,
            reason: Because::parse("because we say so").ok(),
        };
        world.store.audit(&line).await.unwrap();
    }
}

async fn first_bad(world: &World) -> Option<i64> {
    world.store.audit_verify().await.unwrap().first_bad
}

stories! {
    async fn an_unchanged_audit_log_is_whole(world: World) {
        three_lines(world).await;
        let whole = Verified { lines: 3, erased: 0, first_bad: None };
        assert_eq!(world.store.audit_verify().await.unwrap(), whole);
        let newest = world.store.audit_page(Some(world.clinic), i64::MAX, 2).await.unwrap();
        assert_eq!(newest.iter().map(|line| line.seq).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(world.store.audit_page(None, 2, 9).await.unwrap().len(), 1);
    }

    async fn a_changed_line_of_the_audit_log_is_noticed(world: World) {
        three_lines(world).await;
        world.tampers("UPDATE audit SET who = 'somebody else' WHERE seq = 2").await;
        assert_eq!(first_bad(world).await, Some(2));
    }

    async fn a_line_taken_out_of_the_audit_log_is_noticed_also_at_its_end(world: World) {
        three_lines(world).await;
        world.tampers("DELETE FROM audit WHERE seq = 3").await;
        assert_eq!(first_bad(world).await, Some(3));
        world.tampers("DELETE FROM audit WHERE seq = 1").await;
        assert_eq!(first_bad(world).await, Some(2));
    }

    async fn a_token_is_found_by_its_text_until_it_expires_or_is_revoked(world: World) {
        let new = NewToken {
            name: "page".to_owned(),
            role: Role::Viewer,
            clinics: Clinics::Some([world.clinic].into()),
            expires_at: Some(at(10)),
            by: "test".to_owned(),
        };
        let (id, text) = world.store.token_create(&new).await.unwrap();
        assert!(text.expose_secret().starts_with(&format!("lw_{}_", id.simple())));
        let found = world.store.token_by_text(&text).await.unwrap().unwrap();
        assert_eq!((found.id, found.clinics), (id, new.clinics.clone()));
        let other = format!("{}x", text.expose_secret()).into();
        assert_eq!(world.store.token_by_text(&other).await.unwrap(), Err(BadToken::Unknown));
        world.clock.advance(std::time::Duration::from_mins(10));
        assert_eq!(world.store.token_by_text(&text).await.unwrap(), Err(BadToken::Expired(id)));
        world.store.token_revoke(id).await.unwrap();
        assert_eq!(world.store.token_by_text(&text).await.unwrap(), Err(BadToken::Revoked(id)));
        assert!(world.store.tokens().await.unwrap()[0].used_at.is_some());
    }

    async fn a_resync_is_taken_up_once_and_again_when_its_worker_fell_silent_or_left_it(world: World) {
        let store = &world.store;
        let id = store.resync_ask(world.clinic, None, false).await.unwrap();
        let taken = store.resync_take().await.unwrap().unwrap();
        assert_eq!(taken.id, id);
        assert_eq!(store.resync_take().await.unwrap(), None);
        world.clock.advance(std::time::Duration::from_mins(3));
        let silent = taken;
        let taken = store.resync_take().await.unwrap().unwrap();
        assert_eq!(taken.id, id);
        store.resync_end(&silent, "in_step").await.unwrap();
        assert_eq!(store.resync(world.clinic, id).await.unwrap().ended_at, None, "another has it");
        // Left to others, because somebody else has the list in hand.
        store.resync_leave(&taken, chrono::TimeDelta::seconds(15)).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(14));
        assert_eq!(store.resync_take().await.unwrap(), None);
        world.clock.advance(std::time::Duration::from_secs(2));
        let taken = store.resync_take().await.unwrap().unwrap();
        assert_eq!(taken.id, id);
        // Asked to read more meanwhile, it is not through.
        store.resync_ask(world.clinic, None, true).await.unwrap();
        store.resync_end(&taken, "in_step").await.unwrap();
        let more = store.resync_take().await.unwrap().unwrap();
        assert_eq!((more.id, more.whole), (id, true));
        store.resync_end(&more, "in_step").await.unwrap();
        assert_eq!(store.resync_take().await.unwrap(), None);
        assert_ne!(store.resync_ask(world.clinic, None, true).await.unwrap(), id);
    }
}
