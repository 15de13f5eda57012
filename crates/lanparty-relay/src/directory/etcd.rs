//! One of several etcds answers: whoever did last, and the next one where it is late.

use super::address::DirectoryAddress;
use super::error::DirectoryError;
use super::line::Lines;
use super::trust::{self, DirectoryTrustError};
use super::wire::{self, Call, Fault, Meaning, Page};
use super::{ANSWER_WITHIN, Password};
use bytes::Bytes;
use lanparty_fleet::{Answer, Request, Revision};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Another etcd is asked too when the first has said nothing for so long; half of the time that there is.
const NEXT_AFTER: Duration = Duration::from_millis(700);
/// Pages of everything that is there may take longer.
pub(super) const PAGE_WITHIN: Duration = Duration::from_secs(10);
/// The same is said once in that time.
const SELDOM: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Etcd {
    address: DirectoryAddress,
    password: Option<Password>,
    lines: Vec<Lines>,
    /// Who answered last.
    preferred: watch::Sender<usize>,
    token: Mutex<Option<String>>,
    /// One asks for a token at a time; the others wait and find it.
    authenticating: tokio::sync::Mutex<()>,
    said: Mutex<HashMap<Discriminant<DirectoryError>, Instant>>,
}

impl Etcd {
    pub(super) fn new(
        address: DirectoryAddress,
        password: Option<Password>,
    ) -> Result<Self, DirectoryTrustError> {
        let tls = address.tls.as_ref().map(trust::client_config).transpose()?;
        let endpoints = address.endpoints.iter().cloned();
        let lines = endpoints.map(|endpoint| Lines::new(endpoint, tls.clone()));
        Ok(Etcd {
            lines: lines.collect(),
            address,
            password,
            preferred: watch::Sender::new(0),
            token: Mutex::default(),
            authenticating: tokio::sync::Mutex::default(),
            said: Mutex::default(),
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.address.prefix
    }

    /// Says whenever another one is preferred.
    pub(super) fn preferred(&self) -> watch::Receiver<usize> {
        self.preferred.subscribe()
    }

    /// This one did not do well; another shall be asked first.
    pub(super) fn prefer_another(self: &Arc<Self>, than: usize) {
        let next = (than + 1) % self.lines.len();
        self.preferred.send_if_modified(|preferred| {
            let is = *preferred == than && next != than;
            if is {
                *preferred = next;
            }
            is
        });
    }

    pub(super) fn line(&self, number: usize) -> &Lines {
        &self.lines[number]
    }

    /// Whether that was not said lately.
    pub(super) fn is_news(&self, error: &DirectoryError) -> bool {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let last = said.insert(discriminant(error), now);
        let is = last.is_none_or(|last| now >= last + SELDOM);
        if let Some(last) = last.filter(|_| !is) {
            said.insert(discriminant(error), last);
        }
        is
    }

    /// Whether everything is as it should be.
    pub(super) async fn check(self: &Arc<Self>) -> Result<(), DirectoryError> {
        self.page(None, Revision(0), 1).await.map(drop)
    }

    /// An answer, in time.
    pub(super) async fn request(
        self: &Arc<Self>,
        request: &Request,
    ) -> Result<Answer, DirectoryError> {
        let call = wire::call(self.prefix(), request);
        match self.call(call, ANSWER_WITHIN).await? {
            (_, Ok(body)) => match wire::answer(request, &body) {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(fault)) if fault.meaning() == Meaning::LeaseGone => Ok(Answer::Gone),
                Some(Err(fault)) => Err(self.lines[0].says(fault.said())),
                None => Err(self.lines[0].says("something that is no answer to this request")),
            },
            (_, Err(fault)) if fault.meaning() == Meaning::LeaseGone => Ok(Answer::Gone),
            (number, Err(fault)) => Err(self.error_of(number, &fault)),
        }
    }

    /// Some keys.
    pub(super) async fn page(
        self: &Arc<Self>,
        after: Option<&[u8]>,
        revision: Revision,
        limit: usize,
    ) -> Result<Page, DirectoryError> {
        let call = wire::page(self.prefix(), after, revision, limit);
        match self.call(call, PAGE_WITHIN).await? {
            (number, Ok(body)) => wire::page_of(self.prefix(), &body)
                .ok_or_else(|| self.lines[number].says("something that is no list of keys")),
            (number, Err(fault)) => Err(self.error_of(number, &fault)),
        }
    }

    /// The first that answers, starting with who did last. What etcd itself refuses no other would do.
    async fn call(
        self: &Arc<Self>,
        call: Call,
        within: Duration,
    ) -> Result<(usize, Result<Bytes, Fault>), DirectoryError> {
        let first = *self.preferred.borrow();
        let asked = timeout(within, self.race(first, Arc::new(call))).await;
        let endpoint = || self.lines[first].name().to_owned();
        asked.unwrap_or_else(|_| {
            self.prefer_another(first);
            Err(DirectoryError::Late {
                endpoint: endpoint(),
            })
        })
    }

    async fn race(
        self: &Arc<Self>,
        first: usize,
        call: Arc<Call>,
    ) -> Result<(usize, Result<Bytes, Fault>), DirectoryError> {
        let all = self.lines.len();
        let mut rest = (0..all).map(|offset| (first + offset) % all);
        let mut tasks = JoinSet::new();
        let mut start = |tasks: &mut JoinSet<_>| {
            if let Some(number) = rest.next() {
                let (etcd, call) = (Arc::clone(self), Arc::clone(&call));
                tasks.spawn(async move { (number, etcd.ask(number, &call).await) });
            }
        };
        start(&mut tasks);
        let mut worst = None;
        loop {
            tokio::select! {
                done = tasks.join_next() => match done {
                    Some(Ok((number, Ok(answer)))) => {
                        self.preferred.send_if_modified(|preferred| {
                            std::mem::replace(preferred, number) != number
                        });
                        return Ok((number, answer));
                    }
                    Some(Ok((_, Err(error)))) if !error.is_of_endpoint() => return Err(error),
                    Some(Ok((_, Err(error)))) => {
                        worst.get_or_insert(error);
                        start(&mut tasks);
                    }
                    Some(Err(_)) => start(&mut tasks),
                    None => {
                        let endpoint = self.address.to_string();
                        return Err(worst.unwrap_or(DirectoryError::Late { endpoint }));
                    }
                },
                () = sleep(NEXT_AFTER) => start(&mut tasks),
            }
        }
    }

    /// One etcd; with a new token, if the one that is there is none any more.
    async fn ask(
        &self,
        number: usize,
        call: &Call,
    ) -> Result<Result<Bytes, Fault>, DirectoryError> {
        let token = self.token(number).await?;
        let said = self.ask_with(number, call, token.as_deref()).await?;
        match said {
            Err(fault) if fault.meaning() == Meaning::TokenGone && token.is_some() => {
                self.forget(token.as_deref());
                let token = self.token(number).await?;
                self.ask_with(number, call, token.as_deref()).await
            }
            said => Ok(said),
        }
    }

    async fn ask_with(
        &self,
        number: usize,
        call: &Call,
        token: Option<&str>,
    ) -> Result<Result<Bytes, Fault>, DirectoryError> {
        let line = &self.lines[number];
        let (status, body) = line.call(call, token).await?;
        if status == 200 {
            return Ok(Ok(body));
        }
        let fault = wire::fault_of(&body).filter(|fault| !fault.said().is_empty());
        let fault = fault.ok_or_else(|| DirectoryError::NotEtcd {
            endpoint: line.name().to_owned(),
            status,
        })?;
        match fault.meaning() {
            // Another one may have one.
            Meaning::NoLeader => Err(self.error_of(number, &fault)),
            _ => Ok(Err(fault)),
        }
    }

    /// Forgets a token, unless there is another one by now.
    pub(super) fn forget(&self, token: Option<&str>) {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_deref() == token {
            *kept = None;
        }
    }

    /// Forgets the token, whichever it is.
    pub(super) fn forget_any(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What shows who asks; nothing, where nobody is to be told.
    pub(super) async fn token(&self, number: usize) -> Result<Option<String>, DirectoryError> {
        let Some(user) = &self.address.user else {
            return Ok(None);
        };
        let kept = || {
            let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
            kept.clone()
        };
        if let Some(token) = kept() {
            return Ok(Some(token));
        }
        let _alone = self.authenticating.lock().await;
        if let Some(token) = kept() {
            return Ok(Some(token));
        }
        let password = self.password.as_ref().map_or("", |password| &password.0);
        let call = wire::authenticate(user, password);
        let body = match self.ask_with(number, &call, None).await? {
            Ok(body) => body,
            Err(fault) if fault.meaning() == Meaning::AuthOff => return Ok(None),
            Err(fault) => return Err(self.error_of(number, &fault)),
        };
        let token = wire::token_of(&body);
        let token = token.ok_or_else(|| self.lines[number].says("something that is no token"))?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(Some(token))
    }

    /// What a fault means for the operator.
    pub(super) fn error_of(&self, number: usize, fault: &Fault) -> DirectoryError {
        let line = &self.lines[number];
        let endpoint = line.name().to_owned();
        let user = self.address.user.clone();
        match fault.meaning() {
            Meaning::NoUser => DirectoryError::NoUser,
            Meaning::UserRefused | Meaning::TokenGone => match user {
                Some(user) => DirectoryError::UserRefused { user },
                None => DirectoryError::NoUser,
            },
            Meaning::Forbidden => match user {
                Some(user) => DirectoryError::Forbidden {
                    user,
                    prefix: self.prefix().to_owned(),
                },
                None => DirectoryError::NoUser,
            },
            Meaning::NoLeader => DirectoryError::NoLeader { endpoint },
            Meaning::LeaseGone | Meaning::AuthOff | Meaning::Compacted | Meaning::Other => {
                line.says(fault.said())
            }
        }
    }
}
