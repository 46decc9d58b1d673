//! Lists longer than a page are read whole (L22, L26).

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use listwarden::domain::Class;
use listwarden::providers::Transport;
use listwarden::providers::transport::{HttpTransport, TransportError};

use crate::stage::Stage;
use crate::world::World;

/// More than fits on a page of any provider.
const MANY: usize = 1_500;

/// A transport under which staff take one more off the list after each read: rows shift between
/// the pages of one reading.
struct Drift<S> {
    inner: HttpTransport,
    stage: Arc<S>,
    leaving: Mutex<Vec<String>>,
}

impl<S> fmt::Debug for Drift<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drift").finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Stage> Transport for Drift<S> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let reads = request.method() == Method::GET;
        let answer = self.inner.send(request).await;
        let next = if reads { self.leaving.lock().unwrap().pop() } else { None };
        if let Some(address) = next {
            self.stage.staff_remove(&address);
        }
        answer
    }
}

impl<S: Stage> World<S> {
    /// How many members the list is said to hold without a basis.
    async fn without_basis(&self) -> u64 {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let attested = self.deployment.reconciler().attest(id, &lists).await.unwrap().remove(0);
        let classes = attested.classes.unwrap_or_default();
        classes.get(&Class::HeldWithoutBasis).copied().unwrap_or_default()
    }
}

for_every_list! {
    async fn l26_a_list_of_many_pages_is_read_whole(world) {
        world.staff_add(100..100 + MANY);
        world.listed(0..1).await;
        assert_eq!(world.without_basis().await, MANY as u64);
        assert!(world.receives(100 + MANY - 1).await, "strangers are left alone");
    }

    async fn l26_rows_that_move_between_pages_are_not_overlooked(world) {
        world.staff_add(100..100 + MANY);
        world.listed(0..1).await;
        let leaving: Vec<String> = (100..110).map(|n| world.address(n)).collect();
        let drift = Arc::new(Drift {
            inner: HttpTransport::new().unwrap(),
            stage: world.stage.clone(),
            leaving: Mutex::new(leaving),
        });
        let elsewhere = world.process_over(drift.clone()).await;
        world.run_of(&elsewhere).await;
        let gone = 10 - drift.leaving.lock().unwrap().len();
        assert!(gone > 0, "somebody left while the list was read");
        world.runs().await;
        assert_eq!(world.without_basis().await, (MANY - gone) as u64);
        assert!(world.receives(0).await);
        assert_eq!((world.asked(0), world.told(0).await), (1, vec!["confirmed".to_owned()]));
    }
}

for_every_provider! {
    async fn a_stage_has_a_list_where_its_provider_says_so(world) {
        assert_eq!(world.keeps_a_list(), crate::WITH_A_LIST.contains(&S::NAME));
    }
}
