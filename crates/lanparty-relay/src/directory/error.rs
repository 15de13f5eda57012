//! What is wrong between this relay and etcd, one sentence each.

/// Why etcd gives no answer that counts.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// No connection.
    #[error(
        "etcd at {endpoint} cannot be reached: {cause}; see whether it runs there and lets this machine in"
    )]
    Unreachable {
        /// Which.
        endpoint: String,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// Nothing in time.
    #[error(
        "etcd at {endpoint} has not answered within 1.5 seconds; see whether it runs, and whether its disk and network keep up"
    )]
    Late {
        /// Which, or all of them.
        endpoint: String,
    },
    /// It shows a certificate that is not trusted.
    #[error(
        "the certificate of etcd at {endpoint} is not accepted: {cause}; give the authority that signed it with `ca=FILE`, \
         and call etcd by a name that is in it"
    )]
    Certificate {
        /// Which.
        endpoint: String,
        /// What TLS says.
        #[source]
        cause: rustls::Error,
    },
    /// It does not like ours, or our having none.
    #[error(
        "etcd at {endpoint} refuses this relay's certificate: {cause}; give one that etcd's authority signed with `cert=FILE&key=FILE`"
    )]
    OwnCertificate {
        /// Which.
        endpoint: String,
        /// What TLS says.
        #[source]
        cause: rustls::Error,
    },
    /// One side speaks TLS and the other does not, or they find no common version.
    #[error(
        "TLS with etcd at {endpoint} has failed: {cause}; an etcd without TLS is written without `tls` and `ca`"
    )]
    Tls {
        /// Which.
        endpoint: String,
        /// What TLS says.
        #[source]
        cause: rustls::Error,
    },
    /// It closed the connection where it should have answered, as one with TLS does to those who come without.
    #[error(
        "etcd at {endpoint} has hung up before it answered: {cause}; an etcd with TLS is written with `?ca=FILE` or `?tls`"
    )]
    HungUp {
        /// Which.
        endpoint: String,
        /// What HTTP says.
        #[source]
        cause: hyper::Error,
    },
    /// The user or its password is wrong.
    #[error(
        "etcd refuses the user {user} or its password; see --directory-password-file, and `etcdctl user get {user}`"
    )]
    UserRefused {
        /// The user.
        user: String,
    },
    /// It wants to know who asks.
    #[error(
        "etcd asks who this is; write the user in front of the name, as in etcd://USER@etcd.example.net:2379, and give --directory-password-file"
    )]
    NoUser,
    /// The user may not.
    #[error(
        "etcd does not let {user} read and write below {prefix}; `etcdctl role grant-permission ROLE readwrite --prefix=true {prefix}` lets it"
    )]
    Forbidden {
        /// Who.
        user: String,
        /// Where.
        prefix: String,
    },
    /// It is something else.
    #[error(
        "{endpoint} answers, but not as etcd's JSON gateway does (HTTP {status}); give the address for clients of an etcd of version 3.4 or later"
    )]
    NotEtcd {
        /// Which.
        endpoint: String,
        /// HTTP's status.
        status: u16,
    },
    /// Too few of its members are there.
    #[error(
        "etcd at {endpoint} has no leader; more than half of its members must run and reach each other"
    )]
    NoLeader {
        /// Which.
        endpoint: String,
    },
    /// Anything else that it says.
    #[error("etcd at {endpoint} says: {said}; see its log")]
    Says {
        /// Which.
        endpoint: String,
        /// Its words, made safe to show.
        said: lanparty_ctrl::Text,
    },
}

impl DirectoryError {
    /// Whether it stays so until somebody changes something; the others may pass by themselves.
    pub fn is_final(&self) -> bool {
        match self {
            DirectoryError::Certificate { .. }
            | DirectoryError::OwnCertificate { .. }
            | DirectoryError::Tls { .. }
            | DirectoryError::UserRefused { .. }
            | DirectoryError::NoUser
            | DirectoryError::Forbidden { .. }
            | DirectoryError::NotEtcd { .. } => true,
            DirectoryError::Unreachable { .. }
            | DirectoryError::Late { .. }
            | DirectoryError::HungUp { .. }
            | DirectoryError::NoLeader { .. }
            | DirectoryError::Says { .. } => false,
        }
    }

    /// Whether another etcd of the same cluster may do better.
    pub(super) fn is_of_endpoint(&self) -> bool {
        !matches!(
            self,
            DirectoryError::UserRefused { .. }
                | DirectoryError::NoUser
                | DirectoryError::Forbidden { .. }
        )
    }
}
