//! What every answer tells the browser not to do.

use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName, HeaderValue};
use data_encoding::BASE64;
use ring::digest;

const HEADERS: [(HeaderName, &str); 9] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (HeaderName::from_static("x-robots-tag"), "none"),
];

const PERMISSIONS: &str = "accelerometer=(), camera=(), clipboard-read=(), clipboard-write=(self), display-capture=(), \
    fullscreen=(self), geolocation=(), gyroscope=(), hid=(), microphone=(), midi=(), payment=(), screen-wake-lock=(self), \
    serial=(), usb=()";

/// The headers of every answer, made once.
pub(crate) struct Armour {
    policy: HeaderValue,
}

impl Armour {
    /// For a page with these scripts and styles in it, and no others: each is known by its hash.
    pub(crate) fn new(page: &str) -> Self {
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hashes(page, "script"),
            hashes(page, "style"),
        );
        let policy = HeaderValue::try_from(policy);
        Armour {
            policy: policy.unwrap_or(HeaderValue::from_static(
                "default-src 'none'; frame-ancestors 'none'",
            )),
        }
    }

    /// Puts it on an answer. What would let other pages read it is taken off.
    pub(crate) fn put_on(&self, headers: &mut HeaderMap) {
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
}

/// The sources that stand between the tags of this name.
fn hashes(page: &str, tag: &str) -> String {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let parts = page.split(&open).skip(1);
    let inner = parts.filter_map(|part| part.split_once('>')?.1.split_once(&close));
    let hashes = inner.map(|(text, _)| {
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", BASE64.encode(hash.as_ref()))
    });
    let hashes: Vec<_> = hashes.collect();
    match hashes.is_empty() {
        true => "'none'".to_owned(),
        false => hashes.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_what_stands_in_the_page_and_nothing_else() {
        // As browsers count: the text between the tags (Content Security Policy Level 3, 8.4).
        let page =
            "<style>p{}</style><script>doSomething();</script><script type=module>1</script>";
        let known = "'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc='";
        assert!(
            hashes(page, "script").starts_with(known),
            "{}",
            hashes(page, "script")
        );
        assert_eq!(hashes(page, "script").matches("sha256").count(), 2);
        assert_eq!(hashes(page, "style").matches("sha256").count(), 1);
        assert_eq!(hashes("<p>", "script"), "'none'");
    }

    #[test]
    fn nothing_is_left_open() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        Armour::new("<p>").put_on(&mut headers);
        assert!(
            headers
                .keys()
                .all(|name| !name.as_str().starts_with("access-control"))
        );
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "script-src 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
