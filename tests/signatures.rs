//! The verifiers of deliveries against vectors that the providers' own libraries made or judged.
//!
//! `bash tests/signature_vectors/generate.sh` makes the vectors anew.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use listwarden::providers::signatures::{
    Delivery, Forged, Klaviyo, Mailchimp, MailerLite, Mandrill, MessageBird, Plivo, SendGrid,
    Signature, Sinch, StandardWebhooks, Telnyx, Twilio, Verified, Vonage,
};
use proptest::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;

/// The fewest vectors a provider may have: none may get lost unseen.
const FEWEST: &[(&str, usize)] = &[
    ("bird", 30),
    ("klaviyo", 25),
    ("mailchimp", 30),
    ("mailerlite", 15),
    ("mandrill", 20),
    ("messagebird", 35),
    ("plivo", 35),
    ("sendgrid", 30),
    ("sinch", 30),
    ("standard", 30),
    ("telnyx", 30),
    ("twilio", 55),
    ("vonage", 40),
];

/// How many of the vectors a provider's own library must have judged.
const FEWEST_JUDGED: usize = 330;

#[derive(Deserialize)]
struct Vector {
    provider: String,
    name: String,
    setting: Option<String>,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    secrets: Vec<String>,
    now: i64,
    window: Option<i64>,
    expect: String,
    unique: Option<String>,
    signed_at: Option<i64>,
    official: Option<Official>,
    stricter: Option<String>,
    looser: Option<String>,
}

#[derive(Deserialize)]
struct Official {
    accepts: bool,
}

impl Vector {
    fn title(&self) -> String {
        format!("{}: {}", self.provider, self.name)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(bytes)) => STANDARD.decode(bytes).unwrap(),
            _ => panic!("{}: one body", self.title()),
        }
    }

    fn verifier(&self) -> Box<dyn Signature> {
        let window = self.window.map(TimeDelta::seconds);
        verifier(&self.provider, self.setting.as_deref(), window)
    }

    fn verify_with(&self, secrets: &[SecretString]) -> Result<Verified, Forged> {
        let (method, headers, body) =
            (Method::from_bytes(self.method.as_bytes()).unwrap(), self.headers(), self.body());
        let delivery = Delivery { method: &method, url: &self.url, headers: &headers, body: &body };
        self.verifier().verify(&delivery, secrets, at(self.now))
    }

    fn verify(&self) -> Result<Verified, Forged> {
        self.verify_with(&secrets(&self.secrets))
    }

    fn expected(&self) -> Result<Verified, Forged> {
        let forged = match self.expect.as_str() {
            "ok" => {
                let signed_at = self.signed_at.map(at);
                return Ok(Verified { unique: self.unique.clone(), signed_at });
            }
            "Missing" => Forged::Missing,
            "Repeated" => Forged::Repeated,
            "Malformed" => Forged::Malformed,
            "Unsupported" => Forged::Unsupported,
            "Stale" => Forged::Stale,
            "Mismatch" => Forged::Mismatch,
            "Secret" => Forged::Secret,
            other => panic!("{}: {other}", self.title()),
        };
        Err(forged)
    }
}

fn verifier(
    provider: &str,
    setting: Option<&str>,
    window: Option<TimeDelta>,
) -> Box<dyn Signature> {
    macro_rules! within {
        ($scheme:ident) => {
            Box::new(window.map_or_else($scheme::default, |window| $scheme { window }))
        };
    }
    match (provider, setting) {
        ("bird" | "standard", None) => within!(StandardWebhooks),
        ("klaviyo", None) => within!(Klaviyo),
        ("mailchimp", None) => within!(Mailchimp),
        ("mailerlite", None) => Box::new(MailerLite),
        ("mandrill", None) => Box::new(Mandrill),
        ("messagebird", None) => Box::new(MessageBird),
        ("plivo", None) => Box::new(Plivo),
        ("sendgrid", None) => within!(SendGrid),
        ("sinch", None) => within!(Sinch),
        ("telnyx", None) => within!(Telnyx),
        ("twilio", Some("auth_token")) => Box::new(Twilio::AuthToken),
        ("twilio", Some("shared_key")) => Box::new(Twilio::SharedKey),
        ("vonage", None) => within!(Vonage),
        other => panic!("no verifier for {other:?}"),
    }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("signature_vectors/vectors.json")).unwrap()
}

fn secrets(texts: &[String]) -> Vec<SecretString> {
    texts.iter().map(|text| SecretString::from(text.as_str())).collect()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

#[test]
fn every_vector_is_judged_as_it_says() {
    let wrong: Vec<_> = vectors()
        .iter()
        .map(|vector| (vector.title(), vector.verify(), vector.expected()))
        .filter(|(_, ours, expected)| match (ours, expected) {
            // Vectors hold whole seconds.
            (Ok(ours), Ok(expected)) => {
                ours.unique != expected.unique
                    || ours.signed_at.map(|time| time.timestamp())
                        != expected.signed_at.map(|time| time.timestamp())
            }
            _ => ours != expected,
        })
        .map(|(title, ours, expected)| format!("{title}: {ours:?}, not {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_providers_own_libraries_agree_but_where_it_is_said_why_not() {
    let mut judged = 0;
    for vector in vectors() {
        let Some(official) = &vector.official else { continue };
        judged += 1;
        let agreed = official.accepts == vector.verify().is_ok();
        let explained = if official.accepts { &vector.stricter } else { &vector.looser };
        assert_eq!(agreed, explained.is_none(), "{}", vector.title());
    }
    assert!(judged >= FEWEST_JUDGED, "only {judged} vectors are judged by a provider's library");
}

#[test]
fn no_provider_has_lost_its_vectors() {
    let mut found = BTreeMap::<String, usize>::new();
    for vector in vectors() {
        *found.entry(vector.provider).or_default() += 1;
    }
    assert_eq!(found.len(), FEWEST.len(), "{found:?}");
    for (provider, fewest) in FEWEST {
        assert!(found[*provider] >= *fewest, "{provider}: {}", found[*provider]);
    }
}

#[test]
fn while_a_secret_is_rotated_either_one_verifies() {
    let vectors = vectors();
    let good: Vec<_> = vectors.iter().filter(|vector| vector.expect == "ok").collect();
    for vector in &good {
        // Another key of the same kind: that of the vector with which the provider refuses it.
        let other = vectors
            .iter()
            .find(|other| other.name == "another secret" && other.provider == vector.provider);
        let other = secrets(&other.unwrap().secrets);
        let own = secrets(&vector.secrets);
        let both: [Vec<_>; 2] = [[own.clone(), other.clone()].concat(), [other, own].concat()];
        for set in both {
            assert!(vector.verify_with(&set).is_ok(), "{}", vector.title());
        }
    }
    assert!(good.len() >= 150);
}

#[test]
fn one_flipped_bit_anywhere_in_the_signed_body_is_noticed() {
    // MessageBird, Vonage hash the body, Klaviyo parses it; all the same none may pass.
    for vector in vectors().iter().filter(|vector| vector.expect == "ok") {
        let (method, headers) =
            (Method::from_bytes(vector.method.as_bytes()).unwrap(), vector.headers());
        let (body, secrets) = (vector.body(), secrets(&vector.secrets));
        let form = headers.get("content-type").is_some_and(|kind| {
            kind.to_str().unwrap().starts_with("application/x-www-form-urlencoded")
        });
        let decodes = ["twilio", "plivo", "mandrill"].contains(&vector.provider.as_str()) && form;
        for place in (0..body.len()).step_by(7) {
            let mut body = body.clone();
            body[place] ^= 1;
            // Another spelling of the same form is the same form: `%2B` and `%2b`, `+` and `%20`.
            let same = decodes && decoded(&body) == decoded(&vector.body());
            let delivery =
                Delivery { method: &method, url: &vector.url, headers: &headers, body: &body };
            let ours = vector.verifier().verify(&delivery, &secrets, at(vector.now));
            assert!(same || ours.is_err(), "{}, byte {place}", vector.title());
        }
    }
}

/// What a form that is signed without separators comes to: sorted names and values in a row.
fn decoded(body: &[u8]) -> String {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(body).into_owned().collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| name + &value).collect()
}

const HEADERS: &[&str] = &[
    "authorization",
    "content-type",
    "klaviyo-signature",
    "klaviyo-timestamp",
    "messagebird-signature-jwt",
    "signature",
    "telnyx-signature-ed25519",
    "telnyx-timestamp",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-mailchimp-signature",
    "x-mandrill-signature",
    "x-plivo-signature-v2",
    "x-plivo-signature-v3",
    "x-plivo-signature-v3-nonce",
    "x-sinch-webhook-signature",
    "x-sinch-webhook-signature-algorithm",
    "x-sinch-webhook-signature-nonce",
    "x-sinch-webhook-signature-timestamp",
    "x-twilio-email-event-webhook-signature",
    "x-twilio-email-event-webhook-timestamp",
    "x-twilio-signature",
    "x-twilio-webhooks-signature-settings",
];

/// Header values: any bytes a header can hold, or nearly right ones.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..200),
        "(t=|v1=|v1,|Bearer |[0-9]{1,20}|[a-zA-Z0-9+/=]{0,90}|[ ,.=]){0,8}".prop_map(String::into_bytes),
        "(eyJhbGciOiJIUzI1NiJ9|eyJhbGciOiJub25lIn0|[A-Za-z0-9_-]{0,40})(\\.[A-Za-z0-9_-]{0,60}){0,3}"
            .prop_map(String::into_bytes),
        Just(b"1767225600".to_vec()),
        Just(b"application/x-www-form-urlencoded".to_vec()),
        Just(b"algorithm=HMAC_SHA256".to_vec()),
    ]
}

fn url() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(https?://)?[a-z\\[\\]:@.0-9é]{0,20}(/[a-z;%é]{0,9}){0,3}([?#&=;a-zA-Z0-9%]{0,30})",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_nobody_signed_never_verifies_and_never_panics(
        present in proptest::collection::vec((proptest::sample::select(HEADERS), value()), 0..24),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        url in url(),
        post in any::<bool>(),
        now in any::<i64>(),
        extra in any::<String>(),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &present {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let method = if post { Method::POST } else { Method::GET };
        let now = DateTime::from_timestamp(now, 0).unwrap_or(at(1_767_225_600));
        let delivery = Delivery { method: &method, url: &url, headers: &headers, body: &body };
        for vector in vectors().iter().filter(|vector| vector.name == "another secret") {
            let mut keys = secrets(&vector.secrets);
            keys.push(SecretString::from(extra.as_str()));
            prop_assert!(vector.verifier().verify(&delivery, &keys, now).is_err(), "{}", vector.provider);
            prop_assert!(vector.verifier().verify(&delivery, &[], now).is_err(), "{}", vector.provider);
        }
    }

    #[test]
    fn one_bit_of_a_signature_or_of_the_body_makes_it_another(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let vectors = vectors();
        // Of several signatures one is enough: in those vectors a bit of another may be anything.
        let single =
            |vector: &&Vector| vector.expect == "ok" && vector.name.starts_with("an opt-out by");
        let good: Vec<_> = vectors.iter().filter(single).collect();
        let vector = good[which.index(good.len())];
        let (mut headers, mut body) = (vector.headers(), vector.body());
        let mut signed: Vec<(HeaderName, usize)> = headers
            .iter()
            .filter(|(name, _)| name.as_str().contains("signature") || *name == "authorization")
            .map(|(name, value)| (name.clone(), value.len()))
            .collect();
        signed.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        let lengths: usize = signed.iter().map(|(_, length)| length).sum();
        let mut place = place.index(lengths + body.len());
        if place < body.len() {
            body[place] ^= 1 << bit;
        } else {
            place -= body.len();
            let (name, _) = signed.iter().find(|(_, length)| {
                let here = place < *length;
                place -= if here { 0 } else { *length };
                here
            }).unwrap();
            // What only names a scheme may be written in another case.
            let names = name.as_str().ends_with("-algorithm") || name == "authorization" && place < 7;
            prop_assume!(!(names && bit == 5));
            let mut value = headers[name].as_bytes().to_vec();
            value[place] ^= 1 << bit;
            let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            headers.insert(name, value);
        }
        let method = Method::from_bytes(vector.method.as_bytes()).unwrap();
        let delivery = Delivery { method: &method, url: &vector.url, headers: &headers, body: &body };
        let ours = vector.verifier().verify(&delivery, &secrets(&vector.secrets), at(vector.now));
        let form = ["twilio", "plivo", "mandrill"].contains(&vector.provider.as_str());
        let same_form = form && body != vector.body() && decoded(&body) == decoded(&vector.body());
        prop_assert!(same_form || ours.is_err(), "{}, {:?}", vector.title(), ours);
    }

    #[test]
    fn a_good_delivery_with_any_other_header_never_verifies_and_never_panics(
        which in any::<prop::sample::Index>(),
        header in any::<prop::sample::Index>(),
        value in value(),
        now in any::<i64>(),
    ) {
        let vectors = vectors();
        let good: Vec<_> = vectors.iter().filter(|vector| vector.expect == "ok").collect();
        let vector = good[which.index(good.len())];
        let signed: Vec<_> = vector.headers.iter().filter(|(name, _)| name.to_lowercase().contains("signature")).collect();
        // Vonage's token is in `Authorization`.
        let name = match signed.as_slice() {
            [] => "authorization",
            some => some[header.index(some.len())].0.as_str(),
        };
        let mut headers = vector.headers();
        let changed = HeaderValue::from_bytes(&value).unwrap();
        prop_assume!(headers.get(name) != Some(&changed));
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(&name, changed);
        let method = Method::from_bytes(vector.method.as_bytes()).unwrap();
        let body = vector.body();
        let delivery = Delivery { method: &method, url: &vector.url, headers: &headers, body: &body };
        let now = DateTime::from_timestamp(now, 0).unwrap_or(at(vector.now));
        let ours = vector.verifier().verify(&delivery, &secrets(&vector.secrets), now);
        // A header that only names the algorithm may say the same in other words.
        let names = name.as_str().ends_with("-settings") || name.as_str().ends_with("-algorithm");
        prop_assert!(names || ours.is_err(), "{}", vector.title());
    }
}
