//! Where the directory is, as operators write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Below this everything of a fleet is, unless told otherwise.
const PREFIX: &str = "/lanparty/";
/// etcd's port for clients.
const PORT: u16 = 2379;
/// More are not read.
const MAX_ENDPOINTS: usize = 16;

/// `etcd://[USER@]HOST[:PORT][,HOST[:PORT]…][?tls][&ca=FILE][&cert=FILE&key=FILE][&prefix=TEXT]`. Any of `tls`, `ca` and
/// `cert` asks for TLS; without `ca` those authorities count that the system trusts. The password never stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryAddress {
    pub(super) user: Option<String>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) tls: Option<Tls>,
    pub(super) prefix: String,
}

/// One etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Which certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) ca: Option<PathBuf>,
    /// Ours: chain and key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

/// The text is no directory's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryAddressError {
    /// Not etcd's scheme.
    #[error(
        "a directory is written like etcd://etcd1.example.net:2379,etcd2.example.net:2379?ca=/etc/lanparty/etcd-ca.pem"
    )]
    Scheme,
    /// A password stands in it.
    #[error(
        "the address of the directory has a password in it, which other users of this machine can see; put it into a file for \
         --directory-password-file"
    )]
    Password,
    /// One of the hosts is none.
    #[error(
        "`{0}` in the address of the directory is not HOST or HOST:PORT; write it like etcd1.example.net:2379"
    )]
    Endpoint(String),
    /// An unknown setting.
    #[error(
        "`{0}` in the address of the directory is unknown; known are tls, ca=FILE, cert=FILE, key=FILE and prefix=TEXT"
    )]
    Setting(String),
    /// Half a pair.
    #[error(
        "the address of the directory has only one of cert=FILE and key=FILE; a certificate needs its key"
    )]
    Half,
    /// Not below everything.
    #[error("the prefix of the directory is 1 to 64 letters, digits and `/-_.`, like /lanparty/")]
    Prefix,
}

impl FromStr for DirectoryAddress {
    type Err = DirectoryAddressError;

    fn from_str(text: &str) -> Result<Self, DirectoryAddressError> {
        let rest = text
            .strip_prefix("etcd://")
            .ok_or(DirectoryAddressError::Scheme)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, hosts) = match place.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, place),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(DirectoryAddressError::Password);
        }
        let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
        let hosts = hosts.trim_end_matches('/');
        let endpoints = hosts.split(',').take(MAX_ENDPOINTS).map(endpoint);
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        let (tls, prefix) = settings(query)?;
        Ok(DirectoryAddress {
            user,
            endpoints,
            tls,
            prefix,
        })
    }
}

fn endpoint(text: &str) -> Result<Endpoint, DirectoryAddressError> {
    let address = lanparty_edge::address::RelayAddress::parse(text, PORT)
        .map_err(|_| DirectoryAddressError::Endpoint(text.to_owned()))?;
    Ok(Endpoint {
        host: address.host().to_owned(),
        port: address.port(),
    })
}

fn settings(query: &str) -> Result<(Option<Tls>, String), DirectoryAddressError> {
    let mut tls = None;
    let mut prefix = PREFIX.to_owned();
    let (mut cert, mut key) = (None, None);
    for setting in query.split('&').filter(|setting| !setting.is_empty()) {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        match (name, value) {
            ("tls", "") => {
                tls.get_or_insert_with(Tls::default);
            }
            ("ca", file) if !file.is_empty() => {
                tls.get_or_insert_with(Tls::default).ca = Some(file.into());
            }
            ("cert", file) if !file.is_empty() => cert = Some(PathBuf::from(file)),
            ("key", file) if !file.is_empty() => key = Some(PathBuf::from(file)),
            ("prefix", text) => prefix = prefix_of(text)?,
            _ => return Err(DirectoryAddressError::Setting(setting.to_owned())),
        }
    }
    match (cert, key) {
        (Some(cert), Some(key)) => {
            tls.get_or_insert_with(Tls::default).own = Some((cert, key));
        }
        (None, None) => {}
        _ => return Err(DirectoryAddressError::Half),
    }
    Ok((tls, prefix))
}

fn prefix_of(text: &str) -> Result<String, DirectoryAddressError> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"/-_.".contains(&c);
    let fits = (1..=64).contains(&text.len());
    if !fits || !text.bytes().all(allowed) {
        return Err(DirectoryAddressError::Prefix);
    }
    // `a` must not be a part of `ab`'s fleet.
    let slash = if text.ends_with('/') { "" } else { "/" };
    Ok(format!("{text}{slash}"))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The hosts, as they are named in messages.
impl fmt::Display for DirectoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.endpoints.iter().map(Endpoint::to_string).collect();
        f.write_str(&hosts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_who_where_and_how() {
        let text = "etcd://relay@etcd1:2379,[2001:db8::2]:4001,etcd3?ca=/etc/ca.pem&cert=/a&key=/b&prefix=fleet-7";
        let address: DirectoryAddress = text.parse().unwrap();
        assert_eq!(address.user.as_deref(), Some("relay"));
        assert_eq!(
            address.to_string(),
            "etcd1:2379, [2001:db8::2]:4001, etcd3:2379"
        );
        assert_eq!(address.prefix, "fleet-7/");
        let tls = address.tls.unwrap();
        assert_eq!(tls.ca, Some("/etc/ca.pem".into()));
        assert_eq!(tls.own, Some(("/a".into(), "/b".into())));
        let plain: DirectoryAddress = "etcd://127.0.0.1".parse().unwrap();
        assert_eq!((plain.tls, plain.prefix.as_str()), (None, "/lanparty/"));
        let system: DirectoryAddress = "etcd://etcd.example.net?tls".parse().unwrap();
        assert_eq!(system.tls, Some(Tls::default()));
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        use DirectoryAddressError as No;
        for (text, why) in [
            ("http://etcd1", No::Scheme),
            ("etcd://me:secret@etcd1", No::Password),
            ("etcd://", No::Endpoint(String::new())),
            ("etcd://a,b:x", No::Endpoint("b:x".into())),
            ("etcd://a?tsl", No::Setting("tsl".into())),
            ("etcd://a?ca=", No::Setting("ca=".into())),
            ("etcd://a?cert=/x", No::Half),
            ("etcd://a?prefix=", No::Prefix),
            ("etcd://a?prefix=a%20b", No::Prefix),
        ] {
            assert_eq!(text.parse::<DirectoryAddress>(), Err(why), "{text}");
        }
    }
}
