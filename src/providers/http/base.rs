//! Where an API is.

use url::Url;

/// Returns the URL without a slash at its end; none where it is no plain http(s) URL to add paths
/// to: one with a user, a query or a fragment would send the credential astray.
pub fn base_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let sound = plain && matches!(url.scheme(), "https" | "http") && url.host().is_some();
    sound.then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_url_is_a_base() {
        assert_eq!(base_url("http://127.0.0.1:9/3.0/").as_deref(), Some("http://127.0.0.1:9/3.0"));
        for text in
            ["ftp://x.test", "https://me:pw@x.test", "https://x.test/?k=1", "https://x#a", "x"]
        {
            assert_eq!(base_url(text), None, "{text}");
        }
    }
}
