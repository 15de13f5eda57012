//! A test that this machine cannot run says so and passes; with `LANPARTY_STRICT=1`, as in CI, it fails.
//!
//! Otherwise a machine without root, or with one program too few, would call everything good and have looked at half of it.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: for tests, which look at their surroundings"
)]

use std::env;
use std::ffi::OsStr;

/// The variable that makes a failure of everything that would be skipped.
pub const STRICT: &str = "LANPARTY_STRICT";
/// How a line begins that says what was skipped; `cargo xtask` sums those lines up.
pub const SKIPPED: &str = "SKIPPED: ";

/// Whether nothing may be skipped here.
pub fn is_strict() -> bool {
    is_on(env::var_os(STRICT).as_deref())
}

/// To be called by a test that then returns.
///
/// # Panics
///
/// Where nothing may be skipped.
pub fn skip(reason: &str) {
    skip_if(!is_strict(), reason);
}

fn skip_if(allowed: bool, reason: &str) {
    assert!(allowed, "{STRICT} allows no test to be skipped: {reason}");
    println!("{SKIPPED}{reason}");
}

fn is_on(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_skipped_where_that_is_allowed() {
        skip_if(true, "no root");
    }

    #[test]
    #[should_panic(expected = "LANPARTY_STRICT allows no test to be skipped: no root")]
    fn and_fails_where_it_is_not() {
        skip_if(false, "no root");
    }

    #[test]
    fn nothing_and_zero_are_not_strict() {
        assert!(!is_on(None) && !is_on(Some("".as_ref())) && !is_on(Some("0".as_ref())));
        assert!(is_on(Some("1".as_ref())));
    }
}
