//! The door that webhooks come in by: the real receiver of a serving process.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use listwarden::commands::webhook;
use listwarden::http::{Receiver, router};
use listwarden::reconcile::Reconciler;
use listwarden::simulator::{Answer, Attempt, WebhookSender};
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

use crate::stage::Stage;
use crate::world::World;

/// A serving process without its clockwork: it attends when it is told to.
#[derive(Clone)]
pub struct Door {
    routes: Router,
    reconciler: Reconciler,
}

impl<S: Stage> World<S> {
    /// Registers webhooks, by hand where the provider has no API for it.
    pub async fn registers_webhooks(&self) -> Door {
        let deployment = self.another_process().await;
        let roster = deployment.roster().await;
        let (_, told) = watch::channel(roster.clone());
        let (store, wake) = (deployment.store.clone(), Arc::new(Notify::new()));
        let receiver = Receiver::start(store, self.clock.clone(), "http://hooks.test", told, wake);
        let reconciler = deployment.reconciler().attending(roster);
        let door = Door { routes: router(Arc::new(receiver)), reconciler };
        self.stage.reaches(Arc::new(door.clone()));
        for line in webhook::register(&self.deployment, None).await.unwrap() {
            if let Some(url) = line.split_whitespace().find(|word| word.starts_with("http")) {
                self.stage.is_told_where(url).await;
            }
        }
        door
    }
}

impl Door {
    /// Attends to all that was delivered.
    pub async fn attends(&self) {
        assert!(self.reconciler.attend().await.unwrap().is_nothing(), "nobody else holds anything");
    }

    async fn answers(&self, request: Request<Body>) -> Answer {
        let status: StatusCode = self.routes.clone().oneshot(request).await.unwrap().status();
        Answer::Status(status.as_u16())
    }
}

#[async_trait]
impl WebhookSender for Door {
    async fn post(&self, attempt: &Attempt) -> Answer {
        let mut request = Request::post(&attempt.url);
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        let answer = self.answers(request.body(Body::from(attempt.body.clone())).unwrap()).await;
        assert_eq!(answer, Answer::Status(200), "a genuine delivery is taken");
        answer
    }

    async fn check(&self, url: &str, _user_agent: &str) -> Answer {
        self.answers(Request::get(url).body(Body::empty()).unwrap()).await
    }
}
