//! A host for simulations: what becomes of its wishes, asked for and kept as `ctl` and the state folder have them.

use crate::controls::{Controls, Wishes};
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{HostOrder, RelayMessage};
use lanparty_gateway_control::{Answer, InviteFacts, Request};

/// The host's side of an open room.
pub struct Host(Controls);

impl Host {
    /// A gateway that starts, with the wishes that it has kept.
    ///
    /// # Panics
    /// When those are not from [`Self::kept`].
    pub fn new(kept: &str) -> Self {
        let room = InviteFacts {
            relay: "r.example:443".into(),
            also: Vec::new(),
            others: Vec::new(),
            room: "EVENING".parse().expect("a room code"),
            host: None,
            pin: None,
            keys: "/keys".into(),
        };
        let wishes: Wishes = serde_json::from_str(kept).expect("wishes that were kept");
        Host(Controls::new(room, false, wishes))
    }

    /// What the next start will want.
    ///
    /// # Panics
    /// Never: wishes are plain data.
    pub fn kept(&self) -> String {
        serde_json::to_string(self.0.wishes()).expect("wishes are plain data")
    }

    /// One line of `ctl`; true when it is done.
    ///
    /// # Panics
    /// When `ctl` would not say that.
    pub fn ask(&mut self, request: &str) -> bool {
        let request: Request = serde_json::from_str(request).expect("a request");
        let answer = self.0.handle_request(request);
        matches!(answer, Some(Answer::Done(_)))
    }

    /// What the hello says.
    pub fn greeting_orders(&mut self) -> Vec<HostOrder> {
        self.0.greeting_orders()
    }

    /// The link stands.
    pub fn handle_welcome(&mut self, welcome: &Welcome) {
        self.0.handle_welcome(welcome);
    }

    /// The link is gone.
    pub fn handle_lost_link(&mut self) {
        self.0.handle_lost_link();
    }

    /// The relay says who came and went.
    pub fn handle_control(&mut self, message: &RelayMessage) {
        self.0.handle_control(message);
    }

    /// What is to be said to the relay next.
    pub fn poll_order(&mut self) -> Option<HostOrder> {
        self.0.poll_order()
    }
}
