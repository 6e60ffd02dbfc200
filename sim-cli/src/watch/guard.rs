//! Who may ask: a page of this server, or a person who opens it.
//!
//! The server listens on the loopback interface only. That keeps other machines out, but not other pages
//! of the same browser: one may give its own name this address, or send requests here unseen. The
//! first has a foreign `Host`, the second says in `Sec-Fetch-Site` where it comes from.

use tiny_http::{Method, Request};

/// A state of two hundred changes is shorter.
const URL_MAX: usize = 64 << 10;

/// Why a request is refused: a status, and what to say.
pub type Refusal = (u16, &'static str);

/// What counts of a request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Path and query.
    pub url: &'a str,
    /// Whom it means.
    pub host: Option<&'a str>,
    /// From what page it comes, where the browser says so.
    pub site: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Reads a request.
    pub fn of(request: &'a Request) -> Asked<'a> {
        let header = |name: &'static str| {
            let own = request.headers().iter().find(|header| header.field.equiv(name));
            own.map(|header| header.value.as_str())
        };
        Asked {
            method: request.method(),
            url: request.url(),
            host: header("Host"),
            site: header("Sec-Fetch-Site"),
        }
    }

    /// Refuses who may not ask a server at this port.
    ///
    /// # Errors
    /// What to answer instead.
    pub fn check(self, port: u16) -> Result<(), Refusal> {
        let known = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        // Port 80 goes without saying.
        let bare = |host: &str| port == 80 && ["127.0.0.1", "localhost", "[::1]"].contains(&host);
        let is_own = |host: &str| known.iter().any(|own| own == host) || bare(host);
        // A link on a foreign page may lead to the page itself.
        let is_page = self.url == "/" || self.url.starts_with("/?");
        let is_same = self.site.is_none_or(|site| matches!(site, "same-origin" | "none"));
        match () {
            () if !self.host.is_some_and(is_own) => Err((403, "this page has another name")),
            () if *self.method != Method::Get => Err((405, "it answers GET")),
            () if self.url.len() > URL_MAX => Err((414, "the address is too long")),
            () if !is_same && !is_page => Err((403, "another page may not ask")),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Asked<'_> = Asked {
        method: &Method::Get,
        url: "/run/1?seed=7",
        host: Some("127.0.0.1:7700"),
        site: Some("same-origin"),
    };

    #[test]
    fn a_page_of_this_server_may_ask() {
        for host in ["127.0.0.1:7700", "localhost:7700", "[::1]:7700"] {
            assert_eq!(Asked { host: Some(host), ..OWN }.check(7700), Ok(()), "{host}");
        }
        assert_eq!(Asked { site: None, ..OWN }.check(7700), Ok(()), "a tool says nothing");
        let link = Asked { url: "/?seed=7", site: Some("cross-site"), ..OWN };
        assert_eq!(link.check(7700), Ok(()), "a link is followed");
    }

    #[test]
    fn who_means_another_or_comes_from_another_is_refused() {
        let status = |asked: Asked<'_>| asked.check(7700).map_err(|(status, _)| status);
        for host in
            [None, Some(""), Some("evil.example:7700"), Some("127.0.0.1"), Some("localhost:80")]
        {
            assert_eq!(status(Asked { host, ..OWN }), Err(403), "{host:?}");
        }
        assert_eq!(status(Asked { site: Some("cross-site"), ..OWN }), Err(403));
        assert_eq!(status(Asked { site: Some("same-site"), ..OWN }), Err(403), "another port");
        assert_eq!(status(Asked { method: &Method::Post, ..OWN }), Err(405));
        let url = format!("/?set={}", "x".repeat(URL_MAX));
        assert_eq!(status(Asked { url: &url, ..OWN }), Err(414));
    }
}
