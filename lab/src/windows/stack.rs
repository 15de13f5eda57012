//! Answers the shim's questions with the Linux kernel of the machine, keeps the record, and makes the planned trouble.

mod codes;
mod interfaces;
mod question;
mod routes;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::WindowsPc;
use super::adapter::{Adapter, interface_guid, interface_index};
use crate::{Machine, pass};
use codes::{
    ERROR_NO_MORE_ITEMS, ERROR_NOT_FOUND, ERROR_NOT_SUPPORTED, ERROR_OBJECT_ALREADY_EXISTS,
    NO_ERROR,
};
use interfaces::Settings;
use question::Question;

/// Also in lab/windows/shim/shim.h.
const LAB_PORT: u16 = 47003;
const LONGEST_LINE: usize = 1024;
const TURN: Duration = Duration::from_millis(100);

// NET_FW_PROFILE_TYPE2 (icftypes.h).
const PRIVATE_PROFILE: u32 = 2;
const PUBLIC_PROFILE: u32 = 4;

/// Something that goes wrong at one of the changes that a program makes; the first is number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The change is refused with `ERROR_ACCESS_DENIED`.
    Refuse(usize),
    /// The program is ended, as by the Task Manager, instead of the change.
    EndBefore(usize),
    /// The change is made, and the program is ended before it learns of it.
    EndAfter(usize),
}

impl Trouble {
    const ACCESS_DENIED: u32 = 5;
}

/// The machine's IP stack as Windows programs see it.
#[derive(Debug)]
pub(super) struct Stack {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    machine: Machine,
    adapter: Arc<Adapter>,
    socket: UdpSocket,
    state: Mutex<State>,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    trouble: Option<Trouble>,
    interfaces: BTreeMap<(u32, u32), Settings>,
    /// Of the network behind the adapter: 0 is public, 1 is private.
    category: u32,
    /// How long the Network List Manager thinks about an answer.
    network_delay: Duration,
    wait_for_close: Vec<SocketAddr>,
    /// The one by which the driver in store knows its devices, where there is one.
    hardware_id: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Call {
    is_change: bool,
    text: String,
}

impl Stack {
    pub(super) fn start(machine: &Machine, adapter: &Arc<Adapter>) -> Result<Self> {
        let socket = machine.enter(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, LAB_PORT)))?;
        socket.set_read_timeout(Some(TURN))?;
        let shared = Arc::new(Shared {
            machine: machine.clone(),
            adapter: Arc::clone(adapter),
            socket,
            state: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let listener = Arc::clone(&shared);
        let thread = Some(thread::spawn(move || listener.listen()));
        Ok(Self { shared, thread })
    }

    pub(super) fn calls(&self) -> Vec<String> {
        texts(self.shared.state().calls.iter())
    }

    pub(super) fn changes(&self) -> Vec<String> {
        texts(
            self.shared
                .state()
                .calls
                .iter()
                .filter(|call| call.is_change),
        )
    }

    pub(super) fn forget(&self, trouble: Option<Trouble>) {
        let mut state = self.shared.state();
        state.calls.clear();
        state.trouble = trouble;
    }

    pub(super) fn state(&self) -> Result<String> {
        self.shared.show_everything()
    }

    pub(super) fn have_driver_for(&self, hardware_id: Option<&'static str>) {
        self.shared.state().hardware_id = hardware_id;
    }

    pub(super) fn make_network_public(&self) {
        self.shared.state().category = 0;
    }

    pub(super) fn delay_networks(&self, delay: Duration) {
        self.shared.state().network_delay = delay;
    }

    pub(super) fn close_console(&self) -> Result<bool> {
        let programs = std::mem::take(&mut self.shared.state().wait_for_close);
        for program in &programs {
            self.shared
                .socket
                .send_to(b"close", program)
                .context("reach the shim")?;
        }
        Ok(!programs.is_empty())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn texts<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<String> {
    calls.map(|call| call.text.clone()).collect()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>) {
        let mut buffer = [0; LONGEST_LINE];
        while !self.ended.load(Ordering::Relaxed) {
            let Ok((length, program)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if line == "WaitForClose" {
                self.state().wait_for_close.push(program);
                continue;
            }
            let answer = self.answer(&line);
            let delay = match line.starts_with("GetNetworkCategory") {
                true => self.state().network_delay,
                false => Duration::ZERO,
            };
            if delay.is_zero() {
                let _ = self.socket.send_to(answer.as_bytes(), program);
                continue;
            }
            let shared = Arc::clone(self);
            thread::spawn(move || {
                pass(delay);
                let _ = shared.socket.send_to(answer.as_bytes(), program);
            });
        }
    }

    /// Does what a line asks, or what the plan has for it.
    fn answer(&self, line: &str) -> String {
        let question = Question::parse(line);
        let is_change = !question.function.starts_with("Get");
        let trouble = is_change.then(|| self.trouble_now()).flatten();
        let (answer, outcome) = match trouble {
            Some(Trouble::Refuse(_)) => {
                let code = Trouble::ACCESS_DENIED.to_string();
                (code.clone(), code)
            }
            Some(Trouble::EndBefore(_)) => ("die".into(), "ended before".into()),
            Some(Trouble::EndAfter(_)) => {
                let code = self.carry_out(&question).0;
                ("die".into(), format!("{code}, ended after"))
            }
            None => {
                let (code, values) = self.carry_out(&question);
                (format!("{code}{values}"), code.to_string())
            }
        };
        let text = format!("{line} = {outcome}");
        self.state().calls.push(Call { is_change, text });
        answer
    }

    fn trouble_now(&self) -> Option<Trouble> {
        let state = self.state();
        let number = 1 + state.calls.iter().filter(|call| call.is_change).count();
        state.trouble.filter(|trouble| match *trouble {
            Trouble::Refuse(at) | Trouble::EndBefore(at) | Trouble::EndAfter(at) => at == number,
        })
    }

    /// Answers with a Windows error code and the values that belong to it.
    fn carry_out(&self, question: &Question<'_>) -> (u32, String) {
        let result = match question.function {
            "CreateIpForwardEntry2" => self.create_route(question),
            "DeleteIpForwardEntry2" => self.delete_route(question),
            "GetIpForwardEntry2" => self.show_route(question),
            "GetBestRoute2" => self.best_route(question),
            "GetIpInterfaceEntry" => self.show_interface(question),
            "SetIpInterfaceEntry" => self.set_interface(question),
            "CreateUnicastIpAddressEntry" => self.change_address("add", question),
            "DeleteUnicastIpAddressEntry" => self.change_address("del", question),
            "FlushIpNetTable2" => self.flush_neighbours(question),
            "GetNetworkCategory" => self.show_network(),
            "GetFirewallProfiles" => self.show_firewall(),
            "SetNetworkCategory" => {
                self.state().category = question.number("category");
                Ok(String::new())
            }
            "IpReleaseAddress" => self.release_lease(question),
            "ChangeDeviceState" => self.change_device(question),
            "InstallDevice" => match self.state().hardware_id {
                Some(id) if id == question.text("id") => Ok(String::new()),
                _ => Err(ERROR_NO_MORE_ITEMS),
            },
            // Told before they are done, so that they are on record and can be refused.
            "SetMediaStatus"
            | "RegSetValue"
            | "RegDeleteValue"
            | "SetInterfaceDnsSettings"
            | "RegisterDevice"
            | "RemoveDevice" => Ok(String::new()),
            _ => Err(ERROR_NOT_SUPPORTED),
        };
        match result {
            Ok(values) => (NO_ERROR, values),
            Err(code) => (code, String::new()),
        }
    }

    /// Interfaces, their settings, addresses and routes; without what Linux itself brings and takes with a link.
    fn show_everything(&self) -> Result<String> {
        let mut shown = String::new();
        for interface in ["wan0", WindowsPc::TAP] {
            let index = interface_index(&self.machine, interface)?;
            let mac = self.machine.mac(interface)?;
            let addresses = self
                .machine
                .ip_shows(&format!("-br address show dev {interface}"))?;
            let addresses: Vec<_> = addresses
                .split_whitespace()
                .filter(|word| word.contains('/') && !word.starts_with("fe80"))
                .collect();
            writeln!(shown, "{interface} {mac:02x?} {addresses:?}")?;
            for family in [4, 6] {
                let question = format!("Get if={index} family={family}");
                let settings = self.settings(&Question::parse(&question));
                writeln!(shown, "IPv{family} {settings:?}")?;
            }
        }
        writeln!(shown, "network category {}", self.state().category)?;
        for family in ["-4", "-6"] {
            let routes = self.machine.ip_shows(&format!("{family} route show"))?;
            for route in routes.lines().filter(|route| !route.starts_with("fe80")) {
                writeln!(shown, "{}", route.trim_end())?;
            }
        }
        Ok(shown)
    }

    // ---- the rest ----

    fn change_address(&self, verb: &str, question: &Question<'_>) -> Outcome {
        let device = self.name_of(question)?;
        let address = question.text("address");
        let failure = match verb {
            "add" => ERROR_OBJECT_ALREADY_EXISTS,
            _ => ERROR_NOT_FOUND,
        };
        self.ip(&format!("address {verb} {address} dev {device}"), failure)
    }

    fn flush_neighbours(&self, question: &Question<'_>) -> Outcome {
        let device = self.name_of(question)?;
        self.ip(&format!("neighbour flush dev {device}"), ERROR_NOT_FOUND)
    }

    fn show_network(&self) -> Outcome {
        let adapter = interface_guid(&self.machine, WindowsPc::TAP).map_err(|_| ERROR_NOT_FOUND)?;
        let connected = u8::from(self.is_connected(WindowsPc::TAP));
        let category = self.state().category;
        Ok(format!(
            " adapter={adapter} connected={connected} category={category}"
        ))
    }

    /// The profiles of the player's own network, a public one, and of the adapter's, while there is one.
    fn show_firewall(&self) -> Outcome {
        let party = match (self.is_connected(WindowsPc::TAP), self.state().category) {
            (true, 1) => PRIVATE_PROFILE,
            _ => PUBLIC_PROFILE,
        };
        Ok(format!(" profiles={}", PUBLIC_PROFILE | party))
    }

    fn release_lease(&self, question: &Question<'_>) -> Outcome {
        let is_ours = self.name_of(question)? == WindowsPc::TAP;
        let released = is_ours.then(|| self.adapter.release_lease().ok());
        released.flatten().ok_or(ERROR_NOT_FOUND)?;
        Ok(String::new())
    }

    fn change_device(&self, question: &Question<'_>) -> Outcome {
        let changed = match question.text("change") {
            "disable" => self.adapter.disable(),
            "enable" => self.adapter.enable(),
            _restart => self.adapter.disable().and_then(|()| self.adapter.enable()),
        };
        changed.map_err(|_| ERROR_NOT_SUPPORTED)?;
        Ok(String::new())
    }

    // ---- Linux ----

    fn is_connected(&self, device: &str) -> bool {
        let shown = self.ip_json(&format!("link show dev {device}"));
        let link = shown.and_then(|links| links.into_iter().next());
        link.is_some_and(|link| link["operstate"].as_str() == Some("UP"))
    }

    fn name_of(&self, question: &Question<'_>) -> Result<String, u32> {
        let links = self.ip_json("link show").ok_or(ERROR_NOT_FOUND)?;
        let index = u64::from(question.number("if"));
        let link = links
            .iter()
            .find(|link| link["ifindex"].as_u64() == Some(index));
        let name = link.and_then(|link| link["ifname"].as_str());
        name.map(str::to_owned).ok_or(ERROR_NOT_FOUND)
    }

    fn ip(&self, arguments: &str, failure: u32) -> Outcome {
        match self.machine.ip(arguments) {
            Ok(()) => Ok(String::new()),
            Err(_) => Err(failure),
        }
    }

    fn ip_json(&self, arguments: &str) -> Option<Vec<Value>> {
        let shown = self.machine.ip_shows(&format!("-j {arguments}")).ok()?;
        match shown.trim() {
            "" => Some(Vec::new()),
            text => serde_json::from_str(text).ok(),
        }
    }
}

/// The values of an answer, each with a blank in front, or a Windows error code.
type Outcome = Result<String, u32>;
