//! The settings of interfaces, as far as Linux can follow them.

use std::fs;

use super::codes::{ERROR_INVALID_PARAMETER, ERROR_NOT_FOUND, ERROR_NOT_SUPPORTED};
use super::question::Question;
use super::{Outcome, Shared};
use crate::windows::WindowsPc;
use crate::windows::adapter::Adapter;

/// What IPv6 needs of a link (RFC 8200, section 5).
const LEAST_IPV6_MTU: u32 = 1280;
/// What Windows gives a fast network card by itself, more or less.
const AUTOMATIC_METRIC: u32 = 25;

/// What Linux has no place for, of one interface and family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    mtu: u32,
    metric: u32,
    automatic_metric: bool,
    no_default_routes: bool,
    /// Whether it listens to routers: 0 is no, 1 is yes, 2 is as DHCP says.
    routers: u32,
}

impl Shared {
    pub(super) fn show_interface(&self, question: &Question<'_>) -> Outcome {
        let settings = self.settings(question)?;
        let connected = self.is_connected(&self.name_of(question)?);
        Ok(format!(
            " mtu={} metric={} auto={} nodefault={} routers={} connected={}",
            settings.mtu,
            settings.metric,
            u8::from(settings.automatic_metric),
            u8::from(settings.no_default_routes),
            settings.routers,
            u8::from(connected),
        ))
    }

    pub(super) fn set_interface(&self, question: &Question<'_>) -> Outcome {
        let device = self.name_of(question)?;
        let automatic_metric = question.number("auto") != 0;
        let settings = Settings {
            mtu: question.number("mtu"),
            metric: match automatic_metric {
                true => AUTOMATIC_METRIC,
                false => question.number("metric"),
            },
            automatic_metric,
            no_default_routes: question.number("nodefault") != 0,
            routers: question.number("routers"),
        };
        let (family, least) = match question.number("family") {
            4 => (4, 0),
            6 => (6, LEAST_IPV6_MTU),
            _ => return Err(ERROR_INVALID_PARAMETER),
        };
        if settings.mtu < least {
            return Err(ERROR_INVALID_PARAMETER);
        }
        let index = question.number("if");
        self.state().interfaces.insert((index, family), settings);
        if family == 4 {
            self.ip(
                &format!("link set dev {device} mtu {}", settings.mtu),
                ERROR_INVALID_PARAMETER,
            )?;
            self.apply_ipv4(&device, settings)?;
        } else {
            let hears = u32::from(settings.routers != 0).to_string();
            let _ = self
                .machine
                .sysctl(&format!("net/ipv6/conf/{device}/accept_ra"), &hears);
        }
        self.apply_ipv6_mtu(index, &device);
        Ok(String::new())
    }

    /// Windows has an MTU for each family; in Linux the one for IPv6 cannot be above the link's, which is IPv4's.
    fn apply_ipv6_mtu(&self, index: u32, device: &str) {
        let state = self.state();
        let mtu = |family| Some(state.interfaces.get(&(index, family))?.mtu);
        let Some(ipv6) = mtu(6) else { return };
        let mtu = ipv6.min(mtu(4).unwrap_or(ipv6)).to_string();
        let _ = self
            .machine
            .sysctl(&format!("net/ipv6/conf/{device}/mtu"), &mtu);
    }

    /// An interface with a metric lower than others' takes limited broadcast and multicast; one whose default routes are
    /// disabled has none.
    fn apply_ipv4(&self, device: &str, settings: Settings) -> Result<(), u32> {
        let verb = match settings.metric < AUTOMATIC_METRIC {
            true => "replace",
            false => "del",
        };
        for everybody in ["255.255.255.255/32", "224.0.0.0/4"] {
            let _ = self
                .machine
                .ip(&format!("route {verb} {everybody} dev {device}"));
        }
        if device != WindowsPc::TAP {
            return Ok(()); // nobody asks for a lease there
        }
        let flag = Adapter::no_default_route(&self.machine);
        if settings.no_default_routes {
            let _ = self.machine.ip(&format!("route del default dev {device}"));
            return fs::write(flag, "").map_err(|_| ERROR_NOT_SUPPORTED);
        }
        let _ = fs::remove_file(flag);
        Ok(())
    }

    pub(super) fn settings(&self, question: &Question<'_>) -> Result<Settings, u32> {
        let key = (question.number("if"), question.number("family"));
        if !matches!(key.1, 4 | 6) {
            return Err(ERROR_INVALID_PARAMETER);
        }
        if let Some(settings) = self.state().interfaces.get(&key) {
            return Ok(*settings);
        }
        let device = self.name_of(question)?;
        let mtu = self.machine.mtu(&device).map_err(|_| ERROR_NOT_FOUND)?;
        Ok(Settings {
            mtu: mtu as u32,
            metric: AUTOMATIC_METRIC,
            automatic_metric: true,
            no_default_routes: false,
            routers: match key.1 {
                4 => 2,
                _ => 1,
            },
        })
    }
}
