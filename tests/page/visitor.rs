//! Somebody with a browser of their own, without the browser: what is sent and answered.

use std::net::Ipv4Addr;

use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::redirect::Policy;

use crate::world::World;

/// What was answered.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn leads_to(&self) -> &str {
        self.headers.get("location").map_or("", |to| to.to_str().unwrap())
    }

    pub fn cookie(&self) -> Option<&str> {
        Some(self.headers.get(SET_COOKIE)?.to_str().unwrap())
    }

    /// Tells whether its cookie lasts for so many seconds, but for those that the answer took.
    pub fn cookie_lasts(&self, seconds: u32) -> bool {
        let lasts = self.cookie().and_then(|cookie| cookie.split("; Max-Age=").nth(1));
        let lasts = lasts.and_then(|rest| rest.split(';').next()?.parse::<u32>().ok());
        lasts.is_some_and(|lasts| (seconds - 60..=seconds).contains(&lasts))
    }
}

/// Somebody with a browser of their own.
pub struct Visitor<'a> {
    world: &'a World,
    from: Ipv4Addr,
    pub cookie: Option<String>,
    pub form_code: String,
}

impl<'a> Visitor<'a> {
    pub fn new(world: &'a World, host: u8) -> Self {
        let from = Ipv4Addr::new(127, 0, 7, host);
        Self { world, from, cookie: None, form_code: String::new() }
    }

    pub async fn signed_in(world: &'a World, host: u8, token: &str) -> Self {
        let mut visitor = Self::new(world, host);
        let said = visitor.brings(token).await;
        assert_eq!((said.status, said.leads_to()), (303, "/"), "{said:?}");
        visitor.takes(&said);
        let overview = visitor.gets("/").await;
        visitor.form_code = form_code(&overview.text);
        visitor
    }

    pub fn takes(&mut self, said: &Answered) {
        let cookie = said.cookie().unwrap().split(';').next().unwrap();
        self.cookie = Some(cookie.to_owned());
    }

    pub async fn brings(&mut self, token: &str) -> Answered {
        let form = self.gets("/sign-in").await;
        self.takes(&form);
        self.form_code = form_code(&form.text);
        self.posts("/sign-in", &[("token", token)]).await
    }

    pub async fn gets(&self, path: &str) -> Answered {
        self.asks("GET", path, &[]).await
    }

    pub async fn posts(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        self.asks("POST", path, fields).await
    }

    pub async fn asks(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answered {
        let client = reqwest::Client::builder().redirect(Policy::none());
        let client = client.local_address(std::net::IpAddr::from(self.from)).build().unwrap();
        let mut request = client.request(method.parse().unwrap(), self.world.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if method == "POST" {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields).append_pair("form_code", &self.form_code);
            let kind = "application/x-www-form-urlencoded";
            request = request.header("content-type", kind).body(form.finish());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answered { status, headers, text: answer.text().await.unwrap() }
    }
}

fn form_code(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form_code\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}
