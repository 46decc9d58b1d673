//! A route: what may be asked, how, and by whom at least. There is no other way to add one.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use std::sync::Arc;

use super::Admin;
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

    pub(super) fn streams(mut self) -> Self {
        self.streams = true;
        self
    }

    pub(super) fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
