//! The proxies that a system's settings name.
//!
//! A program that a person starts finds them in its environment. A service has none of anybody's, so it looks where they are set for
//! all of a machine, or for whoever is logged in.

use hyper_util::client::proxy::matcher::Matcher;
use std::env;

/// The variables that name a proxy for a relay, in the order in which they count.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// What is set, the first to be asked first.
pub(super) fn matchers() -> Vec<Matcher> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    match VARIABLES.into_iter().any(is_set) {
        true => vec![Matcher::from_env()],
        false => imp::matchers(),
    }
}

#[cfg(not(windows))]
mod imp {
    use super::{Matcher, of_environment_file};

    /// What pam_env(8) gives to everybody who logs in.
    pub(super) fn matchers() -> Vec<Matcher> {
        let file = std::fs::read_to_string("/etc/environment").unwrap_or_default();
        vec![of_environment_file(&file)]
    }
}

#[cfg(windows)]
mod imp {
    use super::{Matcher, of_windows};
    use windows_registry::{CURRENT_USER, Key, USERS};

    const SETTINGS: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";

    /// What this user has set, then what others have who are logged in: the service is nobody of them.
    pub(super) fn matchers() -> Vec<Matcher> {
        let own = CURRENT_USER.open(SETTINGS).ok();
        let names = USERS.keys().into_iter().flatten();
        let others = names.filter_map(|user| USERS.open(format!("{user}\\{SETTINGS}")).ok());
        let settings: Vec<_> = own.into_iter().chain(others).collect();
        settings.iter().filter_map(of).collect()
    }

    fn of(settings: &Key) -> Option<Matcher> {
        if settings.get_u32("ProxyEnable").unwrap_or(0) == 0 {
            return None;
        }
        let server = settings.get_string("ProxyServer").ok()?;
        let bypass = settings.get_string("ProxyOverride").unwrap_or_default();
        Some(of_windows(&server, &bypass))
    }
}

/// What lines such as `https_proxy="http://proxy:3128"` say.
#[cfg(any(test, not(windows)))]
fn of_environment_file(file: &str) -> Matcher {
    let lines = file.lines().map(str::trim);
    let lines = lines.map(|line| line.strip_prefix("export ").unwrap_or(line));
    let set: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
    let value = |names: &[&str]| {
        let found = names.iter().find_map(|wanted| {
            let (_, value) = set.iter().rev().find(|(name, _)| name == wanted)?;
            Some(value.trim_matches(['"', '\'']).to_owned())
        });
        found.unwrap_or_default()
    };
    Matcher::builder()
        .https(value(&VARIABLES))
        .no(value(&["NO_PROXY", "no_proxy"]))
        .build()
}

/// What Windows' internet settings say: `HOST:PORT` for everything or `http=HOST:PORT;https=HOST:PORT`, and hosts that need none
/// like `10.*;*.example.net;<local>`.
#[cfg(any(test, windows))]
fn of_windows(server: &str, bypass: &str) -> Matcher {
    let mut each = server.split(';').filter_map(|part| part.split_once('='));
    let https = each.find(|(scheme, _)| scheme.trim().eq_ignore_ascii_case("https"));
    let https = match (server.contains('='), https) {
        (false, _) => server,
        (true, Some((_, server))) => server,
        (true, None) => "",
    };
    let bypass: Vec<_> = bypass.split(';').filter_map(without_stars).collect();
    Matcher::builder()
        .https(https.trim().to_owned())
        .no(bypass.join(","))
        .build()
}

/// A pattern of Windows as others write it: `10.*` is `10.0.0.0/8`, `*.example.net` is that domain.
#[cfg(any(test, windows))]
fn without_stars(pattern: &str) -> Option<String> {
    let pattern = pattern.trim();
    if pattern == "*" {
        return Some(pattern.to_owned());
    }
    if let Some(network) = pattern
        .strip_suffix(".*")
        .map(|it| it.trim_end_matches(".*"))
    {
        let bytes: Result<Vec<u8>, _> = network.split('.').map(str::parse).collect();
        let mut bytes = bytes.ok().filter(|bytes| bytes.len() < 4)?;
        let prefix = 8 * bytes.len();
        bytes.resize(4, 0);
        let address = bytes
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(".");
        return Some(format!("{address}/{prefix}"));
    }
    let host = pattern.trim_start_matches('*').trim_start_matches('.');
    // `<local>` are names without a dot, which no relay has.
    let is_host = !host.is_empty() && !host.contains(['*', '<']);
    is_host.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Proxy;
    use super::*;

    fn towards(matcher: &Matcher, host: &str) -> Option<String> {
        let relay = format!("https://{host}/").parse().unwrap();
        Some(Proxy::of(&matcher.intercept(&relay)?)?.to_string())
    }

    #[test]
    fn what_is_set_for_all_of_a_machine_is_read_as_pam_reads_it() {
        let of = |file: &str| towards(&of_environment_file(file), "relay.example");
        let proxy = Some("proxy:3128".to_owned());
        assert_eq!(of("PATH=/bin\nhttps_proxy=\"http://proxy:3128\"\n"), proxy);
        assert_eq!(of("export ALL_PROXY='http://proxy:3128'"), proxy);
        assert_eq!(of("https_proxy=old:1\nhttps_proxy=proxy:3128"), proxy);
        assert_eq!(of("# https_proxy=proxy:3128"), None);
        assert_eq!(of("http_proxy=proxy:3128"), None, "for other pages");
        assert_eq!(of("https_proxy=proxy:3128\nno_proxy=.example"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn windows_names_one_proxy_or_one_for_each_kind_of_page() {
        let of = |server: &str| towards(&of_windows(server, ""), "relay.example");
        assert_eq!(of("proxy:8080").as_deref(), Some("proxy:8080"));
        assert_eq!(of("http://proxy:8080").as_deref(), Some("proxy:8080"));
        let each = "ftp=a:1;http=b:2;https=proxy:3;socks=c:4";
        assert_eq!(of(each).as_deref(), Some("proxy:3"));
        assert_eq!(of("socks=c:4"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn windows_hosts_without_a_proxy_have_none() {
        let bypass = "10.*;192.168.*.*;*.example.net; exact.example ;<local>;fe80*;1.2.3.4.*";
        let matcher = of_windows("proxy:8080", bypass);
        for host in ["10.1.2.3", "192.168.7.7", "a.example.net", "exact.example"] {
            assert_eq!(towards(&matcher, host), None, "{host}");
        }
        for host in ["11.1.2.3", "192.169.7.7", "example.org", "1.2.3.4"] {
            assert!(towards(&matcher, host).is_some(), "{host}");
        }
        assert_eq!(
            towards(&of_windows("proxy:8080", "*"), "relay.example"),
            None
        );
    }
}
