//! What etcd tells by itself: everything, then each change, from whichever etcd answers.

use super::error::DirectoryError;
use super::etcd::Etcd;
use super::line::{Line, MAX_ANSWER};
use super::wire::{self, Meaning, Watched};
use super::{ANSWER_WITHIN, Heard, tell};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use lanparty_fleet::{Event, Revision, View};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

/// After a failure it is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// As many keys are asked for at once. Fewer, where they are so large that the answer is too long.
const PAGE: usize = 512;
/// Up to where everything is known, and in which directory.
#[derive(Debug, Clone, Copy)]
struct Known {
    cluster: u64,
    revision: Revision,
}

/// Why a watch is over.
enum End {
    /// Some of it is lost, or another etcd is better.
    Anew,
    Failed(DirectoryError),
}

/// Listens for as long as it is let. Each time that it begins anew everything is loaded anew: a directory that was lost
/// and set up again has the same name as before, and as many revisions in a while.
pub(super) async fn watch(etcd: Arc<Etcd>, says: Sender<Heard>) {
    loop {
        let end = match load(&etcd, &says).await {
            Ok(known) => follow(&etcd, &says, known).await,
            Err(error) => End::Failed(error),
        };
        if let End::Failed(error) = end {
            let _ = says.send(Heard::Event(Event::Deaf)).await;
            tell(&etcd, &says, error).await;
        }
        // Whatever it was: everything is not loaded again and again.
        sleep(AGAIN).await;
    }
}

/// Everything below the prefix, page by page, as of one revision.
async fn load(etcd: &Arc<Etcd>, says: &Sender<Heard>) -> Result<Known, DirectoryError> {
    let mut view = Box::new(View::default());
    let mut last: Option<Vec<u8>> = None;
    let mut known: Option<Known> = None;
    let mut limit = PAGE;
    loop {
        let after = last.clone();
        let revision = known.map_or(Revision(0), |known| known.revision);
        let page = match etcd.page(after.as_deref(), revision, limit).await {
            // Perhaps it was too long.
            Err(DirectoryError::Says { .. }) if limit > 1 => {
                // None at all would mean everything.
                limit = (limit / 8).max(1);
                continue;
            }
            page => page?,
        };
        // What was too long was in one place.
        limit = (limit * 2).min(PAGE);
        let at = *known.get_or_insert(Known {
            cluster: page.cluster,
            revision: page.revision,
        });
        let is_last = !page.more || page.entries.is_empty();
        last = page.entries.last().map(|entry| entry.key.clone()).or(last);
        // What no relay writes may be as much as etcd holds, and as long as it lets.
        for entry in page.entries {
            view.read(entry);
        }
        if is_last {
            let everything = Event::Snapshot {
                cluster: at.cluster,
                revision: at.revision,
                view,
            };
            let _ = says.send(Heard::Event(everything)).await;
            return Ok(at);
        }
    }
}

async fn follow(etcd: &Arc<Etcd>, says: &Sender<Heard>, known: Known) -> End {
    let mut preferred = etcd.preferred();
    let number = *preferred.borrow_and_update();
    let begun = timeout(ANSWER_WITHIN, begin(etcd, number, known.revision)).await;
    let (_line, response) = match begun {
        Ok(Ok(begun)) => begun,
        Ok(Err(error)) => {
            etcd.prefer_another(number);
            return End::Failed(error);
        }
        Err(_) => {
            etcd.prefer_another(number);
            let endpoint = etcd.line(number).name().to_owned();
            return End::Failed(DirectoryError::Late { endpoint });
        }
    };
    let mut body = response.into_body();
    let mut read = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // Who asks finds another one better, so that one is heard too.
            changed = preferred.changed() => match changed {
                Ok(()) if *preferred.borrow() == number => continue,
                _ => return End::Anew,
            },
        };
        let data = match frame {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(cause)) => {
                etcd.prefer_another(number);
                return End::Failed(etcd.line(number).failed(cause));
            }
            None => {
                etcd.prefer_another(number);
                return End::Failed(etcd.line(number).says("no more, though a watch has no end"));
            }
        };
        read.extend_from_slice(&data);
        if read.len() > MAX_ANSWER {
            return End::Anew;
        }
        while let Some(end) = read.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = read.drain(..=end).collect();
            if let Some(end) = hear(etcd, says, number, known, &line).await {
                return end;
            }
        }
    }
}

async fn begin(
    etcd: &Arc<Etcd>,
    number: usize,
    known: Revision,
) -> Result<(Line, Response<Incoming>), DirectoryError> {
    let call = wire::watch(etcd.prefix(), Revision(known.0 + 1));
    let token = etcd.token(number).await?;
    let line = etcd.line(number);
    let (kept, response) = line.stream(&call, token.as_deref()).await?;
    let status = response.status().as_u16();
    if status != 200 {
        etcd.forget(token.as_deref());
        let endpoint = line.name().to_owned();
        return Err(DirectoryError::NotEtcd { endpoint, status });
    }
    Ok((kept, response))
}

async fn hear(
    etcd: &Arc<Etcd>,
    says: &Sender<Heard>,
    number: usize,
    known: Known,
    line: &[u8],
) -> Option<End> {
    match wire::watched(etcd.prefix(), line) {
        // Another directory than the one that was loaded, or the same with less in it.
        Some(Watched::Begun { cluster, revision }) => {
            let is_same = cluster == known.cluster && revision >= known.revision;
            (!is_same).then_some(End::Anew)
        }
        Some(Watched::Events(events)) => {
            for event in events {
                let _ = says.send(Heard::Event(event)).await;
            }
            None
        }
        Some(Watched::Compacted) => Some(End::Anew),
        Some(Watched::Ended(fault)) => {
            match fault.meaning() {
                Meaning::Compacted => return Some(End::Anew),
                Meaning::TokenGone | Meaning::Forbidden => etcd.forget_any(),
                _ => {}
            }
            Some(End::Failed(etcd.error_of(number, &fault)))
        }
        None => Some(End::Failed(
            etcd.line(number)
                .says("something that is no part of a watch"),
        )),
    }
}
