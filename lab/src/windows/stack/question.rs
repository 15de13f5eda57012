//! What the shim asks.

use std::collections::BTreeMap;

/// A line of the shim: a function's name and `key=value` behind it.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) function: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Question<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let mut words = line.split(' ');
        Self {
            function: words.next().unwrap_or_default(),
            values: words.filter_map(|word| word.split_once('=')).collect(),
        }
    }

    pub(super) fn text(&self, key: &str) -> &'a str {
        self.values.get(key).copied().unwrap_or_default()
    }

    pub(super) fn number(&self, key: &str) -> u32 {
        self.text(key).parse().unwrap_or(0)
    }

    /// The next hop, or nothing where the destination is on the link.
    pub(super) fn next_hop(&self) -> &'a str {
        match self.text("via") {
            "0.0.0.0" | "::" => "",
            via => via,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_function_and_its_values() {
        let question =
            Question::parse("CreateIpForwardEntry2 to=10.0.0.1/32 via=0.0.0.0 if=3 metric=");
        assert_eq!(question.function, "CreateIpForwardEntry2");
        assert_eq!(question.text("to"), "10.0.0.1/32");
        assert_eq!(question.next_hop(), "");
        assert_eq!(question.number("if"), 3);
        assert_eq!(question.number("metric"), 0);
    }
}
