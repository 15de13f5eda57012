//! Port 443/tcp belongs to a web server, by the operator's guide's own recipe, and the relay is behind it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Check, GuestPlan, Guests, Nat, Plan, Process, Router, Venue, Weather, World, checks,
    http_proxy::listens,
};

use crate::networks::joins_over_tcp;

const HOME: &[Router] = &[Router::new(Nat::Linux)];
/// The guide's name for a relay.
const NAME: &str = "relay.example.net";
const GUIDE: &str = "../docs/relay-operator.md";
pub(crate) struct Front {
    _server: Process,
    guests: Guests,
}

impl World for Front {
    fn report(&self) -> String {
        self.guests.report()
    }
}

pub(crate) fn behind_nginx() -> Result<Front> {
    let venue = Venue::build(plan().venue)?;
    let (certificate, key) = certificate(&venue)?;
    let recipe = recipe("nginx")?;
    let folder = venue.lab.folder().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/nginx-{what}; "))
        .concat();
    let settings = format!(
        "daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log stderr;\n\
         events {{}}\nhttp {{ access_log off; ssl_protocols TLSv1.2 TLSv1.3; {temporary}\n\
         server {{ listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
         {recipe}\n}}\n}}\n"
    );
    let file = venue.lab.write("nginx.conf", &settings)?;
    let command = ["nginx", "-e", "stderr", "-c", &file];
    let server = venue.relay.spawn("nginx", command)?;
    begin(venue, server)
}

pub(crate) fn behind_caddy() -> Result<Front> {
    let venue = Venue::build(plan().venue)?;
    let (certificate, key) = certificate(&venue)?;
    let recipe = recipe("caddy")?;
    // It would ask the internet for one.
    let own = format!("{NAME} {{\n\ttls {certificate} {key}\n");
    let site = recipe.replace(&format!("{NAME} {{\n"), &own);
    ensure!(site != recipe, "the recipe is not for {NAME}:\n{recipe}");
    // The guide says it in words: UDP's port is the relay's.
    let settings = "admin off\nauto_https disable_redirects\nservers {\nprotocols h1 h2\n}";
    let settings = format!("{{\n{settings}\n}}\n{site}");
    let file = venue.lab.write("Caddyfile", &settings)?;
    let command = ["caddy", "run", "--adapter", "caddyfile", "--config", &file];
    let server = venue.relay.spawn("caddy", command)?;
    begin(venue, server)
}

fn begin(venue: Venue, server: Process) -> Result<Front> {
    listens(&venue.relay, 443).with_context(|| server.tail(20))?;
    venue.player_routers[0][0].weather(&[Weather::NoUdp])?;
    let guests = Guests::gather_at(plan(), venue)?;
    Ok(Front {
        _server: server,
        guests,
    })
}

fn plan() -> GuestPlan {
    GuestPlan {
        venue: Plan {
            remotes: 1,
            player_routers: &[HOME],
            ..Plan::default()
        },
        relay: &["--tcp-listen", "127.0.0.1:8443"],
        relay_name: Some(NAME),
        ..GuestPlan::default()
    }
}

pub(crate) fn all() -> Vec<Check<Front>> {
    checks![a_player_without_udp_comes_in_by_the_web_server]
}

fn a_player_without_udp_comes_in_by_the_web_server(front: &Front) -> Result<()> {
    joins_over_tcp(&front.guests.players[0], "by a web server")
}

/// What stands in the guide between the fences of this kind.
fn recipe(kind: &str) -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE);
    let guide = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let (_, rest) = guide
        .split_once(&format!("```{kind}\n"))
        .with_context(|| format!("the guide has no recipe for {kind}"))?;
    let (recipe, _) = rest.split_once("```").context("a fence is open")?;
    Ok(recipe.to_owned())
}

fn certificate(venue: &Venue) -> Result<(String, String)> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = venue.lab.write("front.pem", &made.cert.pem())?;
    let key = venue
        .lab
        .write("front.key", &made.signing_key.serialize_pem())?;
    Ok((certificate, key))
}
