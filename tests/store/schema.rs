use listwarden::store::{Store, StoreError};

use crate::world::{Engine, postgres_database};

stories! {
    async fn both_engines_understand_every_statement(world: World) {
        let statements = world.store.statements_prepare().await.unwrap();
        assert!(statements > 80, "{statements}");
    }

    async fn tables_that_are_not_migrated_are_refused_with_the_cure(world: World) {
        let url = match world.engine {
            Engine::Sqlite => "sqlite::memory:".to_owned(),
            Engine::Postgres => postgres_database().await,
        };
        let store = Store::open(&url, world.keys.clone(), world.clock.clone()).await.unwrap();
        let refused = store.check_schema().await.unwrap_err();
        assert!(matches!(refused, StoreError::Behind), "{refused}");
        assert!(refused.to_string().contains("listwarden migrate"), "{refused}");
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        store.check_schema().await.unwrap();
    }

    async fn a_newer_schema_is_used_as_long_as_it_says_that_we_fit(world: World) {
        world.tampers(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        ).await;
        world.store.migrate().await.unwrap();
        world.tampers("UPDATE schema_fits SET oldest_binary = '99.0.0'").await;
        let refused = world.store.check_schema().await.unwrap_err();
        assert!(matches!(refused, StoreError::Ahead { .. }), "{refused}");
    }

    async fn a_fault_names_the_statement_and_no_value(world: World) {
        world.tampers("INSERT INTO clinics (clinic_id, slug) SELECT clinic_id, 'x' FROM clinics \
            WHERE FALSE").await;
        world.tampers("DROP TABLE parked").await;
        let fault = world.store.parked_list(world.clinic).await.unwrap_err();
        assert!(fault.to_string().contains("PARKED_LIST"), "{fault}");
        assert!(!fault.is_transient());
    }
}

#[tokio::test]
async fn an_address_of_neither_engine_is_refused() {
    let clock = std::sync::Arc::new(listwarden::clock::SystemClock);
    let refused = Store::open("mysql://x", crate::world::keyring(&[1]), clock).await;
    assert!(matches!(refused, Err(StoreError::Address)));
}
