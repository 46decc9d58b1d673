//! A new master key: everything sealed under the old one is sealed anew, and the old one may go.

use listwarden::domain::{Address, Origin};
use listwarden::store::{Endpoint, NewDelivery, NewEndpoint, Resealed, Store, StoreError};
use secrecy::ExposeSecret;

use crate::world::{Killed, World, keyring, record};

/// More than are sealed anew at a time.
const BODIES: usize = 501;

impl World {
    /// The old key, the new one, or both, as another process has them.
    async fn with_keys(&self, keys: &[u8]) -> Store {
        self.another_process(keyring(keys)).await
    }

    async fn signed_endpoint(&self) -> Endpoint {
        let new = NewEndpoint {
            clinic: self.clinic,
            account: "main".to_owned(),
            audience: None,
            origin: Origin::Contact,
        };
        let endpoint = self.store.endpoint_add(&new).await.unwrap();
        let secret = "shown once".to_owned().into();
        self.store.endpoint_hooked(&endpoint, "hook", Some(&secret)).await.unwrap();
        self.store.endpoint(self.clinic, endpoint.id).await.unwrap()
    }

    fn body(&self, endpoint: &Endpoint, number: usize) -> NewDelivery {
        NewDelivery {
            clinic: self.clinic,
            endpoint: endpoint.id,
            key: number.to_string(),
            body: format!("body {number}").into_bytes(),
            media_type: "text/plain".to_owned(),
            proven: false,
            opt_outs: Vec::new(),
        }
    }

    /// Everything that is sealed opens with the keys that `store` has, and everybody is recognised.
    async fn is_whole(&self, store: &Store, endpoint: &Endpoint) {
        store.check_keys().await.unwrap();
        let read = store.endpoint(self.clinic, endpoint.id).await.unwrap();
        assert_eq!(read.token.expose_secret(), endpoint.token.expose_secret());
        assert_eq!(read.secret.unwrap().expose_secret(), "shown once");
        let nobody = uuid::Uuid::nil();
        let waiting = store.deliveries_waiting(self.clinic, "main", nobody, 1_000).await.unwrap();
        let mut bodies: Vec<_> =
            waiting.into_iter().map(|delivery| delivery.body.unwrap()).collect();
        bodies.sort();
        let mut sent: Vec<_> =
            (0..BODIES).map(|number| format!("body {number}").into_bytes()).collect();
        sent.sort();
        assert!(bodies == sent, "{} of {BODIES} bodies are as they were sent", bodies.len());
        let ann = Address::email("ann@mail.test").unwrap();
        assert!(store.contact_find(self.clinic, &ann).await.unwrap().is_some());
        assert_eq!(store.ledger_verify(self.clinic).await.unwrap().first_bad, None);
    }
}

stories! {
    async fn after_a_rotation_that_is_killed_anywhere_and_begun_again_the_old_key_may_go(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.store.check_keys().await.unwrap();
        world.appends(vec![world.event(listwarden::domain::EventKind::Confirmed, "yes")]).await;
        let endpoint = world.signed_endpoint().await;
        let bodies: Vec<_> = (0..BODIES).map(|number| world.body(&endpoint, number)).collect();
        world.store.deliveries_take(&bodies).await.unwrap();
        let refused = world.with_keys(&[2]).await.check_keys().await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherKey), "{refused}");

        let (mut values, mut statements) = (0, 0);
        loop {
            let rotating = world.with_keys(&[2, 1]).await;
            let rotating = rotating.behind(Killed::after(statements));
            let rotated = async {
                rotating.check_keys().await?;
                rotating.keys_keep().await?;
                rotating.reseal(|_| ()).await
            };
            let rotated = rotated.await;
            world.is_whole(&world.with_keys(&[2, 1]).await, &endpoint).await;
            statements += 1;
            if let Ok(resealed) = rotated {
                values += resealed.values;
                assert_eq!(resealed.damaged, 0);
                break;
            }
        }
        assert!(statements > 8, "{statements}");
        assert!(values < 503, "what was done before a kill is not done again: {values}");
        let again = world.with_keys(&[2, 1]).await.reseal(|_| ()).await.unwrap();
        assert_eq!(again, Resealed::default());
        world.is_whole(&world.with_keys(&[2]).await, &endpoint).await;
    }

    async fn what_a_process_with_the_old_key_seals_behind_it_opens_and_is_found(world: World) {
        world.store.check_keys().await.unwrap();
        let endpoint = world.signed_endpoint().await;
        let rotating = world.with_keys(&[2, 1]).await;
        rotating.check_keys().await.unwrap();
        assert_eq!(rotating.keys_keep().await.unwrap().len(), 1);
        assert_eq!(rotating.reseal(|_| ()).await.unwrap().values, 2);
        world.store.deliveries_take(&[world.body(&endpoint, 0)]).await.unwrap();
        let alone = world.with_keys(&[2]).await;
        alone.check_keys().await.unwrap();
        let nobody = uuid::Uuid::nil();
        let waiting = alone.deliveries_waiting(world.clinic, "main", nobody, 9).await.unwrap();
        assert_eq!(waiting[0].body.as_deref(), Some(&b"body 0"[..]));
        assert_eq!(alone.reseal(|_| ()).await.unwrap().values, 1);
    }

    async fn a_second_rotation_needs_the_first_key_no_more(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.store.check_keys().await.unwrap();
        for keys in [&[2, 1][..], &[3, 2]] {
            let rotating = world.with_keys(keys).await;
            rotating.check_keys().await.unwrap();
            rotating.keys_keep().await.unwrap();
        }
        let alone = world.with_keys(&[3]).await;
        alone.check_keys().await.unwrap();
        let ann = Address::email("ann@mail.test").unwrap();
        assert!(alone.contact_find(world.clinic, &ann).await.unwrap().is_some());
        for keys in [&[2][..], &[1], &[4]] {
            let refused = world.with_keys(keys).await.check_keys().await.unwrap_err();
            assert!(matches!(refused, StoreError::OtherKey), "{refused}");
        }
    }

    async fn a_value_that_was_changed_is_told_and_left(world: World) {
        world.store.check_keys().await.unwrap();
        let _endpoint = world.signed_endpoint().await;
        world.tampers("UPDATE endpoints SET secret = token").await;
        let rotating = world.with_keys(&[2, 1]).await;
        rotating.check_keys().await.unwrap();
        let resealed = rotating.reseal(|_| ()).await.unwrap();
        assert_eq!(resealed, Resealed { values: 1, damaged: 1 });
    }

    async fn what_was_kept_of_a_key_and_is_damaged_is_kept_anew_while_that_key_is_there(world: World) {
        world.store.check_keys().await.unwrap();
        let _endpoint = world.signed_endpoint().await;
        let rotating = world.with_keys(&[2, 1]).await;
        rotating.check_keys().await.unwrap();
        rotating.keys_keep().await.unwrap();
        rotating.reseal(|_| ()).await.unwrap();
        // Sealed under the current key, and something else.
        world
            .tampers("UPDATE keys_used SET kept = (SELECT token FROM endpoints) WHERE kept IS NOT NULL")
            .await;
        let refused = world.with_keys(&[2]).await.check_keys().await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherKey), "{refused}");
        rotating.keys_keep().await.unwrap();
        world.with_keys(&[2]).await.check_keys().await.unwrap();
    }

    async fn long_bodies_are_sealed_anew_a_few_at_a_time(world: World) {
        world.store.check_keys().await.unwrap();
        let endpoint = world.signed_endpoint().await;
        let long = |number| NewDelivery { body: vec![0; 1 << 20], ..world.body(&endpoint, number) };
        let bodies: Vec<_> = (0..8).map(long).collect();
        world.store.deliveries_take(&bodies).await.unwrap();
        let rotating = world.with_keys(&[2, 1]).await;
        rotating.check_keys().await.unwrap();
        let mut steps = vec![0];
        rotating.reseal(|so_far| steps.push(so_far.values)).await.unwrap();
        assert_eq!(steps.last(), Some(&10), "with the endpoint's token and secret");
        let most = steps.windows(2).map(|step| step[1] - step[0]).max();
        assert_eq!(most, Some(3), "{steps:?}");
    }
}
