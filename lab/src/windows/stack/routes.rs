//! The routing table.

use std::fmt::Write;

use serde_json::Value;

use super::codes::{
    ERROR_INVALID_PARAMETER, ERROR_NETWORK_UNREACHABLE, ERROR_NOT_FOUND,
    ERROR_OBJECT_ALREADY_EXISTS,
};
use super::question::Question;
use super::{Outcome, Shared};
use crate::windows::adapter::interface_index;

impl Shared {
    pub(super) fn create_route(&self, question: &Question<'_>) -> Outcome {
        if self.find_route(question).is_some() {
            return Err(ERROR_OBJECT_ALREADY_EXISTS);
        }
        let route = self.route_words(question)?;
        let metric = match question.text("metric") {
            "4294967295" | "" => String::new(), // left as InitializeIpForwardEntry has set it
            metric => format!(" metric {metric}"),
        };
        self.ip(
            &format!("route add {route}{metric}"),
            ERROR_INVALID_PARAMETER,
        )
    }

    pub(super) fn delete_route(&self, question: &Question<'_>) -> Outcome {
        let route = self.route_words(question)?;
        self.ip(&format!("route del {route}"), ERROR_NOT_FOUND)
    }

    pub(super) fn show_route(&self, question: &Question<'_>) -> Outcome {
        let route = self.find_route(question).ok_or(ERROR_NOT_FOUND)?;
        Ok(format!(" metric={}", route["metric"].as_u64().unwrap_or(0)))
    }

    /// Windows names a route by its destination, interface and next hop.
    fn find_route(&self, question: &Question<'_>) -> Option<Value> {
        let device = self.name_of(question).ok()?;
        let family = if question.text("to").contains(':') {
            6
        } else {
            4
        };
        let shown = self.ip_json(&format!(
            "-{family} route show exact {} dev {device}",
            question.text("to")
        ))?;
        let via = |route: &Value| route["gateway"].as_str().unwrap_or("").to_owned();
        shown
            .into_iter()
            .find(|route| via(route) == question.next_hop())
    }

    fn route_words(&self, question: &Question<'_>) -> Result<String, u32> {
        let mut words = question.text("to").to_owned();
        if !question.next_hop().is_empty() {
            let _ = write!(words, " via {}", question.next_hop());
        }
        let _ = write!(words, " dev {}", self.name_of(question)?);
        Ok(words)
    }

    pub(super) fn best_route(&self, question: &Question<'_>) -> Outcome {
        let to = question.text("to");
        let interface = match question.text("if") {
            "0" => String::new(),
            _ => format!(" oif {}", self.name_of(question)?),
        };
        let first = |words: &str| {
            let routes = self.ip_json(&format!("route get {words}{to}{interface}"))?;
            routes.into_iter().next()
        };
        let (route, way) = first("fibmatch ")
            .zip(first(""))
            .ok_or(ERROR_NETWORK_UNREACHABLE)?;
        let prefix = match (route["dst"].as_str().unwrap_or(to), to.contains(':')) {
            ("default", false) => "0.0.0.0/0".to_owned(),
            ("default", true) => "::/0".to_owned(),
            (prefix, _) if prefix.contains('/') => prefix.to_owned(),
            (host, false) => format!("{host}/32"),
            (host, true) => format!("{host}/128"),
        };
        let device = way["dev"].as_str().ok_or(ERROR_NETWORK_UNREACHABLE)?;
        let index = interface_index(&self.machine, device).map_err(|_| ERROR_NOT_FOUND)?;
        Ok(format!(
            " to={prefix} via={} if={index} src={} metric={}",
            route["gateway"].as_str().unwrap_or(""),
            way["prefsrc"].as_str().unwrap_or(""),
            route["metric"].as_u64().unwrap_or(0),
        ))
    }
}
