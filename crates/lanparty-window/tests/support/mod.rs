//! A window without a display, and the evenings that it shows.

#![allow(dead_code, reason = "each test program uses some of it")]
use egui::accesskit::Role;
use egui::{CentralPanel, ClippedPrimitive, Frame, TexturesDelta, Theme};
use egui_kittest::kittest::NodeT as _;
use egui_kittest::{Harness, TestRenderer};
use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};
use lanparty_client_control::{
    Fix, FixOffer, LanAddress, Loss, Mark, Me, Member, Party, Ping, Room, Row, Snapshot, State,
    Warning, Way,
};
use lanparty_games::{Game, Host};
use lanparty_window::{App, Clock, Memory, VERSION, views};
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::BufWriter;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

#[cfg(target_os = "linux")]
pub(crate) mod desk;

/// The secret in it is what no picture and no screen reader may have.
pub(crate) const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

pub(crate) fn link(room: &str, more: &str) -> String {
    format!("lanparty://relay.example.net/{room}#key={KEY}{more}")
}

/// A moment for pictures that are the same each time.
pub(crate) fn clock() -> Clock {
    Clock {
        now: *START,
        wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    }
}

static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// Somebody who has used the program before.
pub(crate) fn app() -> App {
    let memory = Memory {
        welcomed: true,
        ..Memory::default()
    };
    App::new(memory, Some("anna".to_owned()), clock().now)
}

pub(crate) fn hearing(snapshot: Snapshot) -> App {
    let mut app = app();
    app.heard(snapshot, clock().now);
    app
}

/// An open window. It is drawn by the rasterizer that ships.
pub(crate) struct Window {
    harness: Harness<'static, App>,
    painter: Painter,
}

impl Deref for Window {
    type Target = Harness<'static, App>;

    fn deref(&self) -> &Self::Target {
        &self.harness
    }
}

impl DerefMut for Window {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.harness
    }
}

#[derive(Clone)]
struct Painter(Rc<RefCell<EguiSoftwareRender>>);

impl Painter {
    fn new() -> Self {
        let painter = EguiSoftwareRender::new(ColorFieldOrder::Rgba).with_caching(false);
        Painter(Rc::new(RefCell::new(painter)))
    }

    fn draw(
        &self,
        pixels: &mut [[u8; 4]],
        width: usize,
        figures: &[ClippedPrimitive],
        delta: &TexturesDelta,
        scale: f32,
    ) {
        let height = pixels.len() / width;
        let mut target = BufferMutRef::new(pixels, width, height);
        let mut painter = self.0.borrow_mut();
        painter.render(&mut target, figures, delta, scale);
    }
}

impl TestRenderer for Painter {
    fn handle_delta(&mut self, delta: &TexturesDelta) {
        self.draw(&mut [[0; 4]], 1, &[], delta, 1.0);
    }
}

pub(crate) fn open(app: App, size: [f32; 2], scale: f32, theme: Theme) -> Window {
    let painter = Painter::new();
    let mut prepared = false;
    #[expect(
        deprecated,
        reason = "the harness hands out a context here, and the other way adds margins"
    )]
    let mut harness = Harness::builder()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_theme(theme)
        .with_max_steps(20)
        .renderer(painter.clone())
        .build_state(
            move |ctx, app| {
                if !std::mem::replace(&mut prepared, true) {
                    lanparty_window::prepare(ctx);
                    // Its letters are there from the next pass on.
                    return ctx.request_repaint();
                }
                CentralPanel::default()
                    .frame(Frame::NONE)
                    .show(ctx, |ui| views::draw(ui, app, clock()));
            },
            app,
        );
    harness.run_ok();
    Window { harness, painter }
}

/// The usual window.
pub(crate) fn usual(app: App) -> Window {
    open(app, [520.0, 680.0], 1.0, Theme::Light)
}

pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<[u8; 4]>,
}

impl Picture {
    pub(crate) fn of(window: &Window) -> Self {
        let output = window.output();
        let scale = output.pixels_per_point;
        let figures = window.ctx.tessellate(output.shapes.clone(), scale);
        let size = window.ctx.content_rect().size() * scale;
        let (width, height) = (size.x.round() as usize, size.y.round() as usize);
        let mut pixels = vec![[0; 4]; width * height];
        let nothing = TexturesDelta::default();
        window
            .painter
            .draw(&mut pixels, width, &figures, &nothing, scale);
        Picture {
            width,
            height,
            pixels,
        }
    }

    pub(crate) fn save(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("window");
        fs::create_dir_all(&folder).unwrap();
        let file = File::create(folder.join(format!("{name}.png"))).unwrap();
        let mut encoder =
            png::Encoder::new(BufWriter::new(file), self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(self.pixels.as_flattened()).unwrap();
    }

    fn at(&self, x: usize, y: usize) -> Option<[u8; 4]> {
        (x < self.width)
            .then(|| self.pixels.get(y * self.width + x))
            .flatten()
            .copied()
    }
}

/// Something that is said, and where.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) role: Role,
    pub(crate) words: String,
    pub(crate) disabled: bool,
    pub(crate) focused: bool,
    /// Left, top, right, bottom in pixels of the picture.
    pub(crate) place: [f64; 4],
}

/// Everything that a screen reader is told.
pub(crate) fn told(window: &Window) -> Vec<Said> {
    let root = window.root();
    root.children_recursive()
        .map(|node| {
            let node = node.accesskit_node();
            let place = node.bounding_box().unwrap_or_default();
            let words = [node.label(), node.value()];
            Said {
                role: node.role(),
                words: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
                disabled: node.is_disabled(),
                focused: node.is_focused(),
                place: [place.x0, place.y0, place.x1, place.y1],
            }
        })
        .collect()
}

fn luminance(pixel: [u8; 4]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(pixel[0]) + 0.7152 * linear(pixel[1]) + 0.0722 * linear(pixel[2])
}

/// The contrast between the commonest colour of a place and the one that differs from it most, as WCAG 2 has it.
pub(crate) fn contrast(picture: &Picture, place: [f64; 4]) -> Option<f64> {
    let [left, top, right, bottom] = place.map(|it| it.max(0.0) as usize);
    let mut pixels = Vec::new();
    for y in top..bottom {
        pixels.extend((left..right).filter_map(|x| picture.at(x, y)));
    }
    let mut counts = std::collections::HashMap::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_insert(0_u32) += 1;
    }
    let ground = counts.iter().max_by_key(|(_, count)| **count)?;
    let ground = luminance(*ground.0) + 0.05;
    let contrasts = pixels.iter().map(|pixel| {
        let ink = luminance(*pixel) + 0.05;
        ink.max(ground) / ink.min(ground)
    });
    contrasts.max_by(f64::total_cmp)
}

// Evenings.

pub(crate) fn party() -> Party {
    Party {
        room: "FRIDAY-LAN".to_owned(),
        name: Some("Friday night".to_owned()),
        relay: "relay.example.net".to_owned(),
        also: Vec::new(),
        others: Vec::new(),
        expires: None,
        joined_by: Some("anna".to_owned()),
    }
}

pub(crate) fn in_state(state: State) -> Snapshot {
    let mut snapshot = Snapshot::idle(VERSION);
    (snapshot.state, snapshot.state_ms) = (state, 8_400);
    snapshot.sentence = match state {
        State::NotConnected => "Not connected to a party.",
        State::Connecting => "Asking relay.example.net for the room.",
        State::WaitingForGateway => {
            "You are in the room; the party's gateway is not there yet. It goes on by itself as soon as the host is back."
        }
        State::Connected => "You are on the party's LAN.",
        State::Reconnecting => "The relay was lost; trying again by itself.",
        State::CannotConnect => {
            "The host has locked the room; ask them to unlock it, then join again."
        }
    }
    .to_owned();
    if state.is_session() {
        snapshot.party = Some(party());
        snapshot.me = Some(Me {
            name: Some("Anna".to_owned()),
            mac: "02:4c:41:4e:00:01".to_owned(),
        });
        snapshot.way = Some(Way::Relay);
    }
    snapshot
}

pub(crate) fn member(name: &str, ping_ms: u32, way: Way, talks: bool) -> Member {
    Member {
        name: Some(name.to_owned()),
        mac: Some("02:4c:41:4e:00:02".to_owned()),
        is_gateway: false,
        ping_us: Some(ping_ms * 1000),
        way: Some(way),
        talks,
    }
}

fn gateway() -> Member {
    Member {
        name: None,
        mac: None,
        is_gateway: true,
        ping_us: Some(9_000),
        way: Some(Way::Relay),
        talks: true,
    }
}

pub(crate) fn ping(ms: u32, loss: u16) -> Ping {
    let wave = [0, 3, 1, 6, 2, 0, 9, 4, 1, 2, 14, 3];
    let minute = (0..60).map(|at| {
        let bump = wave[at % wave.len()] + u32::try_from(at % 7).unwrap();
        Some((ms + bump) * 1000)
    });
    Ping {
        us: Some(ms * 1000),
        minute: minute.collect(),
        loss: Some(Loss(loss)),
    }
}

pub(crate) fn game(name: &str, server: &str, port: u16, heard_ms: u64) -> Game {
    Game {
        game: name.to_owned(),
        server: server.to_owned(),
        address: format!("192.168.50.20:{port}").parse().unwrap(),
        mac: None,
        host: Some(Host::Lan),
        map: Some("oa_dm4".to_owned()),
        players: Some(5),
        max_players: Some(12),
        heard_ms,
        silence_ms: Some(10_000),
    }
}

/// A good evening.
pub(crate) fn evening() -> Snapshot {
    let mut snapshot = in_state(State::Connected);
    snapshot.state_ms = 47 * 60_000;
    snapshot.address = Some(LanAddress {
        ip: "192.168.50.17".parse().unwrap(),
        made_up: false,
    });
    snapshot.ping = ping(23, 0);
    snapshot.members = vec![
        gateway(),
        member("Bert", 18, Way::Relay, true),
        member("Chloé", 31, Way::Direct, true),
        member("Dmitri", 44, Way::Relay, false),
        member("Eleni", 27, Way::Direct, true),
    ];
    snapshot.games = vec![
        game("OpenArena", "Bert's cellar", 27960, 900),
        game("Minecraft", "Survival with Chloé", 25565, 14_000),
    ];
    snapshot
}

/// 32 in one room.
pub(crate) fn crowd() -> Snapshot {
    let mut snapshot = evening();
    let names = (1..=31).map(|number| {
        let name = format!("Player {number:02} of the house at the lake");
        member(&name, 20 + number, Way::Relay, number % 3 == 0)
    });
    snapshot.members = names.collect();
    snapshot
}

pub(crate) fn rooms() -> Vec<Room> {
    let other = Party {
        room: "LAKE".to_owned(),
        name: None,
        relay: "party.example.org:4433".to_owned(),
        also: Vec::new(),
        others: Vec::new(),
        expires: None,
        joined_by: None,
    };
    vec![
        Room {
            name: "FRIDAY-LAN".to_owned(),
            party: party(),
        },
        Room {
            name: "LAKE".to_owned(),
            party: other,
        },
    ]
}

pub(crate) fn warnings() -> Vec<Warning> {
    vec![Warning {
        id: "same_network".to_owned(),
        sentence: "Your home network has the same addresses as the party's LAN; some of its machines cannot be reached."
            .to_owned(),
        fix: Some(FixOffer {
            fix: Fix::ResetAdapter,
            label: "Set the adapter up again".to_owned(),
            changes: "The party's adapter is taken down and made anew; games lose their connection for a few seconds."
                .to_owned(),
            asks_admin: false,
        }),
    }]
}

pub(crate) fn rows() -> Vec<Row> {
    let row = |id: &str, mark, sentence: &str| Row {
        id: id.to_owned(),
        mark,
        sentence: sentence.to_owned(),
        fix: None,
        how_to: None,
        details: Vec::new(),
    };
    let mut service = row("service", Mark::Bad, "The service is not running.");
    service.fix = Some(FixOffer {
        fix: Fix::StartService,
        label: "Start the service".to_owned(),
        changes: "The service of softlan-vpn is started, and starts with this PC from now on."
            .to_owned(),
        asks_admin: true,
    });
    let mut clock = row(
        "clock",
        Mark::Doubt,
        "The clock is 12 minutes ahead of the relay's.",
    );
    clock.how_to = Some(
        "Set the PC's clock to the time of the internet, in the system's date settings.".to_owned(),
    );
    vec![
        row("tun", Mark::Good, "Virtual network adapters can be made."),
        service,
        row(
            "journal",
            Mark::Good,
            "Nothing is left over from an earlier run.",
        ),
        clock,
        row(
            "udp",
            Mark::Good,
            "No firewall of this PC keeps UDP from the internet.",
        ),
        row(
            "address",
            Mark::Good,
            "Your home network and the party's LAN have different addresses.",
        ),
        row("dns", Mark::Good, "Names are found in 14 ms."),
        row(
            "version",
            Mark::Good,
            "Window, service and relay are of one version.",
        ),
    ]
}
