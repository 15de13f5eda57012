//! An error as one sentence.

use std::error::Error;
use std::iter::successors;

/// An error with its causes, each said once: some sentences include theirs.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .fold(String::new(), |said, cause| {
            match (said.is_empty(), said.contains(&cause)) {
                (true, _) => cause,
                (false, true) => said,
                (false, false) => format!("{said}: {cause}"),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("the file is broken{said}")]
    struct Broken {
        said: &'static str,
        source: io::Error,
    }

    #[test]
    fn a_cause_is_said_once() {
        let broken = |said| Broken {
            said,
            source: io::Error::other("bit 7"),
        };
        assert_eq!(sentence(&broken("")), "the file is broken: bit 7");
        assert_eq!(sentence(&broken(" (bit 7)")), "the file is broken (bit 7)");
    }
}
