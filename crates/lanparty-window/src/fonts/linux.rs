//! fontconfig knows which font has a letter.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The best font that has it, when any has. Fonts of coloured pictures have no outlines to draw.
pub(super) fn candidates(letter: char) -> Vec<(PathBuf, u32)> {
    let code = u32::from(letter);
    let wanted = format!("charset={code:x}:scalable=true:color=false");
    let asked = |program: &str, pattern: &str, more: &[&str]| {
        let mut command = Command::new(program);
        command.args(["--format", "%{file}\t%{index}\n", pattern]);
        command.args(more).stderr(Stdio::null());
        let output = command.output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let all = asked("fc-list", &format!(":{wanted}"), &[]).unwrap_or_default();
    let have: Vec<_> = all.lines().filter_map(place).collect();
    let best = asked("fc-match", &format!("sans-serif:{wanted}"), &[]).unwrap_or_default();
    let best = best.lines().find_map(place);
    // fc-match always has an answer; what fc-list does not name does not have the letter.
    let best = best.filter(|best| have.contains(best));
    best.or_else(|| have.first().cloned()).into_iter().collect()
}

fn place(line: &str) -> Option<(PathBuf, u32)> {
    let (file, index) = line.split_once('\t')?;
    let index: u32 = index.parse().ok()?;
    // The upper half names a variable font's instance.
    Some((file.into(), index & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fontconfig_says_is_a_file_and_a_face_in_it() {
        let line = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc\t2";
        let (file, index) = place(line).unwrap();
        assert!(file.ends_with("NotoSansCJK-Regular.ttc") && index == 2);
        assert_eq!(place("/x.ttf\t65536").unwrap().1, 0);
        assert_eq!(place("nonsense"), None);
    }

    #[test]
    fn a_letter_that_no_font_has_is_not_found() {
        assert_eq!(candidates('\u{10ffff}'), []);
    }
}
