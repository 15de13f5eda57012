//! What is said of the number of threads.

use std::num::NonZeroUsize;

/// A sentence about another number of threads that is wanted by now.
pub(super) fn needs_restart(
    had: Option<NonZeroUsize>,
    wanted: Option<NonZeroUsize>,
) -> Option<String> {
    let told = |threads: Option<NonZeroUsize>| match threads {
        Some(threads) => threads.to_string(),
        None => "not given".to_owned(),
    };
    (wanted != had).then(|| {
        let (had, wanted) = (told(had), told(wanted));
        format!("The number of threads stays: `threads` was {had} and is {wanted} now, and that needs a restart of the relay")
    })
}

/// A sentence about there being other than the wanted number of threads.
pub(super) fn others_than(wanted: usize, has: usize, is_successor: bool) -> Option<String> {
    if has == wanted {
        return None;
    }
    Some(match is_successor {
        true => format!(
            "Moves packets on {has} and not on {wanted} threads, as the relay that ran has handed over so many sockets; a restart changes that."
        ),
        false => format!(
            "Moves packets on one thread and not on {wanted}, as this system does not spread them over several sockets."
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_threads_than_wanted_are_told_of_and_why() {
        assert_eq!(others_than(4, 4, false), None);
        let alone = others_than(4, 1, false).unwrap();
        assert!(alone.contains("one thread and not on 4"), "{alone}");
        let heir = others_than(4, 2, true).unwrap();
        assert!(
            heir.contains("on 2 and not on 4") && heir.contains("restart"),
            "{heir}"
        );
        let [one, two] = [1, 2].map(NonZeroUsize::new);
        assert_eq!(needs_restart(one, one), None);
        let said = needs_restart(None, two).unwrap();
        assert!(said.contains("not given and is 2 now"), "{said}");
    }
}
