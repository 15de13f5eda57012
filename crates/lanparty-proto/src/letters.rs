//! Letters of strangers, of which some are not for showing.

/// True for what moves a cursor or ends a line; a space does in its place.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// True for what takes no room, or turns the direction of the text behind it (Unicode UAX #9); nothing does in its place.
///
/// The joiner between the parts of one picture (U+200D) is among them: a family falls apart into its people, who are seen
/// all the same, while a joiner that is let through anywhere makes two names of one. A flag of Scotland (tags, U+E0000) is a
/// black one then. What chooses a picture's form (U+FE0F) stays: nothing else is drawn without it.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_not_shown() {
        let unseen = "\u{ad}\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{202e}\u{2060}\u{2066}\u{feff}\u{e0001}\u{e0041}";
        assert_eq!(unseen.chars().find(|c| !is_invisible(*c)), None);
        let moves = "\0\r\n\t\u{1b}\u{7f}\u{85}\u{2028}\u{2029}";
        assert_eq!(moves.chars().find(|c| !is_control(*c)), None);
        let seen =
            "Añ Käse 日本 العربية ไทย 한국 e\u{301} \u{1f600}\u{fe0f} \u{1f1e9}\u{1f1ea} § ‹ … ™";
        assert_eq!(
            seen.chars().find(|&c| is_invisible(c) || is_control(c)),
            None
        );
    }
}
