//! A real Chromium, driven as W3C WebDriver says: plain HTTP to chromedriver, a connection for each command.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lanparty_lab::{Lab, Machine, Process, eventually};
use serde_json::{Value, json};

const PORT: u16 = 9515;
const SOON: Duration = Duration::from_secs(20);
/// By this name an element is meant in JSON (WebDriver, 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page in it.
pub(crate) struct Browser {
    session: String,
    driver: Process,
    machine: Machine,
}

impl Browser {
    /// Starts one on this machine, where it has no way to any other.
    pub(crate) fn start(lab: &Lab, machine: &Machine) -> Result<Self> {
        let folder = lab.folder().display();
        let command = [
            "env".to_owned(),
            format!("TMPDIR={folder}"),
            "chromedriver".to_owned(),
            format!("--port={PORT}"),
        ];
        let driver = machine.spawn("chromedriver", command)?;
        driver.wait_for_line("started successfully", SOON)?;
        let mut browser = Browser {
            session: String::new(),
            driver,
            machine: machine.clone(),
        };
        // The sandbox wants what root in a container often has not; every page here is ours.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
        ];
        let wishes = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let began = browser.send("POST", "/session", &wishes)?;
        let id = began["sessionId"].as_str().context("a session")?;
        browser.session = format!("/session/{id}");
        Ok(browser)
    }

    /// What the driver says at its end.
    pub(crate) fn report(&self) -> String {
        self.driver.tail(10)
    }

    /// Loads a page.
    pub(crate) fn go(&self, url: &str) -> Result<()> {
        // From page to page of the same address only the fragment would change.
        self.command("url", &json!({"url": "about:blank"}))?;
        self.command("url", &json!({ "url": url })).map(drop)
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&self, expression: &str) -> Result<Value> {
        self.run(&format!("return ({expression});"), &[])
    }

    /// Runs a script in the page, whose arguments are these.
    pub(crate) fn run(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.command(
            "execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// Runs a script whose last argument is what it calls when it is done.
    pub(crate) fn run_long(&self, script: &str) -> Result<Value> {
        self.command("execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until this is true in the page.
    pub(crate) fn until(&self, what: &str) -> Result<()> {
        let is = || self.value(what).is_ok_and(|is| is == true).then_some(());
        eventually(&format!("in the page: {what}"), SOON, is).map_err(|error| {
            let text = self.value("document.body.innerText").unwrap_or_default();
            error.context(text.as_str().unwrap_or_default().to_owned())
        })
    }

    /// Presses what this selector means, as a person with a mouse does: scrolls to it, and nothing may lie above it then.
    /// What a message of the same moment has moved or covered is scrolled to again.
    pub(crate) fn press(&self, selector: &str) -> Result<()> {
        let wanted = json!({"using": "css selector", "value": selector});
        let mut last = Ok(());
        let pressed = eventually("it can be pressed", SOON, || {
            last = self.press_once(&wanted);
            match &last {
                Err(error) if error.to_string().contains("click intercepted") => None,
                _ => Some(()),
            }
        });
        last.and(pressed)
            .with_context(|| format!("press {selector}"))
    }

    fn press_once(&self, wanted: &Value) -> Result<()> {
        let found = self.command("element", wanted)?;
        let element = found[ELEMENT].as_str().context("an element")?;
        self.run(
            "arguments[0].scrollIntoView({ block: 'nearest' })",
            std::slice::from_ref(&found),
        )?;
        self.command(&format!("element/{element}/click"), &json!({}))
            .map(drop)
    }

    /// Types keys to whatever has the focus. Those without a character are in Unicode's private area (WebDriver, 17.4.2).
    pub(crate) fn keys(&self, keys: &str) -> Result<()> {
        let press = |key: char| {
            let key = key.to_string();
            [
                json!({"type": "keyDown", "value": key}),
                json!({"type": "keyUp", "value": key}),
            ]
        };
        let strokes: Vec<_> = keys.chars().flat_map(press).collect();
        let board = json!({"type": "key", "id": "keys", "actions": strokes});
        self.command("actions", &json!({"actions": [board]}))
            .map(drop)
    }

    /// The page's size in CSS pixels, and which colours the system has.
    pub(crate) fn look(&self, width: u32, height: u32, scheme: &str) -> Result<()> {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size)?;
        let features = [
            json!({"name": "prefers-color-scheme", "value": scheme}),
            json!({"name": "prefers-reduced-motion", "value": "reduce"}),
        ];
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        )
        .map(drop)
    }

    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.command(
            "goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// What is seen, as a PNG in base64.
    pub(crate) fn picture(&self) -> Result<String> {
        let picture = self.send("GET", &format!("{}/screenshot", self.session), &Value::Null)?;
        Ok(picture.as_str().context("a picture")?.to_owned())
    }

    /// What the browser has complained of since it was asked last.
    pub(crate) fn complaints(&self) -> Result<Vec<String>> {
        let log = self.command("se/log", &json!({"type": "browser"}))?;
        let lines = log.as_array().context("a log")?.iter();
        Ok(lines.map(|line| line["message"].to_string()).collect())
    }

    fn command(&self, command: &str, body: &Value) -> Result<Value> {
        self.send("POST", &format!("{}/{command}", self.session), body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let (head, body) = self.machine.enter(|| {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.write_all(request.as_bytes())?;
            // It leaves the connection open whatever one asks for, so the length says where the answer ends.
            let mut stream = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {
                let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or_default();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            Ok((head, body))
        })?;
        let mut said: Value = serde_json::from_slice(&body).with_context(|| head.clone())?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("{}: {}", said["value"]["error"], said["value"]["message"]);
        }
        Ok(said["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It takes Chromium and what that wrote with it; a driver that is gone already has nothing to take.
        let _ = self.send("DELETE", &self.session, &Value::Null);
    }
}
