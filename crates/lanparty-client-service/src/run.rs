//! A service from its start to its end.

use crate::place::Place;
use crate::serve::{self, Listener};
use crate::service::{Options, Service, today};
use anyhow::Result;
use std::rc::Rc;
use std::time::Duration;

/// How long a session may take to end with the service: it gives an address back and undoes its changes.
const LAST_SESSION: Duration = Duration::from_secs(8);

/// Runs the service until `stop` is done: joins again what had been joined, and answers views.
///
/// # Errors
/// When views cannot be heard.
pub async fn run<P: Place, L: Listener>(
    place: P,
    listener: L,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let service = Rc::new(Service::new(place, options));
    let keeping = tokio::task::spawn_local(service.clone().keep());
    let waking = tokio::task::spawn_local(service.clone().wake());
    service.act(|desk, now| desk.resume(now, today()));
    tracing::info!("Views are heard");
    tokio::select! {
        heard = serve::serve(listener, service.clone()) => heard?,
        () = stop => {}
    }
    service.act(|desk, _| desk.shut_down());
    let _ = tokio::time::timeout(LAST_SESSION, service.session_ends()).await;
    waking.abort();
    service.finish_keeping();
    let _ = keeping.await;
    Ok(())
}
