//! A route: what may be asked, how, and by whom at least. There is no other way to add one.

use std::fmt;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::{Method, StatusCode};
use utoipa::ToSchema;

use super::Admin;
use super::openapi::Shape;
use super::paging::Page;
use crate::domain::Act;

/// One route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path below `/api/v1`.
    pub path: &'static str,
    /// What whoever asks must be allowed to do.
    pub act: Act,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// Whether it concerns every clinic, and so is for tokens that are for all.
    pub everywhere: bool,
    pub(super) streams: bool,
    /// What its query may name.
    pub(super) asks: &'static [&'static str],
    pub(super) takes: Option<Shape>,
    pub(super) answers: Option<Shape>,
    /// What kind of file it answers with.
    pub(super) file: Option<&'static str>,
    pub(super) status: StatusCode,
    /// Whether it may also begin what goes on after the answer.
    pub(super) may_go_on: bool,
    pub(super) handler: MethodRouter<Arc<Admin>>,
}

impl Route {
    fn new<H, T>(
        method: Method,
        path: &'static str,
        act: Act,
        what: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<Admin>>,
        T: 'static,
    {
        let filter = if method == Method::GET { MethodFilter::GET } else { MethodFilter::POST };
        Self {
            method,
            path,
            act,
            what,
            everywhere: false,
            streams: false,
            asks: &[],
            takes: None,
            answers: None,
            file: None,
            may_go_on: false,
            status: StatusCode::OK,
            handler: on(filter, handler),
        }
    }

    /// A route that looks.
    pub(super) fn get<H, T>(path: &'static str, act: Act, what: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Admin>>,
        T: 'static,
    {
        Self::new(Method::GET, path, act, what, handler)
    }

    /// A route that acts, or is asked with what belongs into no URL.
    pub(super) fn post<H, T>(path: &'static str, act: Act, what: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Admin>>,
        T: 'static,
    {
        Self::new(Method::POST, path, act, what, handler)
    }

    /// It takes a body like that.
    pub(super) fn takes<T: ToSchema>(self) -> Self {
        Self { takes: Some(Shape::of::<T>()), ..self }
    }

    /// It answers like that.
    pub(super) fn answers<T: ToSchema>(self) -> Self {
        Self { answers: Some(Shape::of::<T>()), ..self }
    }

    /// It answers with pages of these.
    pub(super) fn pages<T: ToSchema>(self) -> Self
    where
        Page<T>: ToSchema,
    {
        let answers = Some(Shape::of::<Page<T>>().around::<T>());
        Self { asks: &["cursor", "limit"], answers, ..self }
    }

    /// Its query may name these.
    pub(super) fn asks(self, names: &'static [&'static str]) -> Self {
        Self { asks: names, ..self }
    }

    /// What it begins goes on after the answer.
    pub(super) fn accepts(self) -> Self {
        Self { status: StatusCode::ACCEPTED, ..self }
    }

    /// It answers with a file of that kind.
    pub(super) fn answers_file(self, kind: &'static str) -> Self {
        Self { file: Some(kind), ..self }
    }

    /// What it begins may go on after the answer.
    pub(super) fn may_go_on(self) -> Self {
        Self { may_go_on: true, ..self }
    }

    /// Its answer goes on as things do.
    pub(super) fn streams(self) -> Self {
        Self { streams: true, ..self }
    }

    /// It concerns every clinic.
    pub(super) fn everywhere(self) -> Self {
        Self { everywhere: true, ..self }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
