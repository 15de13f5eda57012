//! Which protocols the home router speaks, without asking it for anything.

use crate::ask::speaks;
use crate::keep::router;
use crate::way::Way;

/// The protocols by which the router of the default route opens ports for programs that ask; nothing is opened. `None` where there
/// is no such router, or it is not known. It takes three seconds at most.
pub async fn find() -> Option<Vec<Way>> {
    let router = router()?;
    let (pcp, nat_pmp, upnp) = tokio::join!(
        speaks(Way::Pcp, router),
        speaks(Way::NatPmp, router),
        speaks(Way::Upnp, router),
    );
    let found = [(Way::Pcp, pcp), (Way::NatPmp, nat_pmp), (Way::Upnp, upnp)];
    let found = found.into_iter().filter(|(_, speaks)| *speaks);
    Some(found.map(|(way, _)| way).collect())
}
