//! Windows has the same fonts everywhere; which of them has which letters is known.

use std::env;
use std::path::PathBuf;

/// Those that may have it, the likeliest first.
pub(super) fn candidates(letter: char) -> Vec<(PathBuf, u32)> {
    let root = env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let folder = PathBuf::from(root).join("Fonts");
    let names = names(letter).iter();
    names.map(|name| (folder.join(name), 0)).collect()
}

fn names(letter: char) -> &'static [&'static str] {
    match u32::from(letter) {
        0x0590..=0x06ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff => &["segoeui.ttf", "tahoma.ttf"],
        0x0900..=0x0dff => &["Nirmala.ttc", "Nirmala.ttf"],
        0x0e00..=0x0eff => &["LeelawUI.ttf"],
        0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => &["malgun.ttf"],
        0x3040..=0x30ff | 0x31f0..=0x31ff | 0xff66..=0xff9f => &["YuGothM.ttc", "msgothic.ttc"],
        0x2e80..=0x9fff | 0xf900..=0xfaff | 0xff00..=0xffef | 0x2_0000..=0x3_ffff => {
            &["msyh.ttc", "YuGothM.ttc", "msjh.ttc"]
        }
        0x2000..=0x2bff | 0x1_f000..=0x1_faff => &["seguisym.ttf", "seguiemj.ttf"],
        _ => &["segoeui.ttf", "seguisym.ttf"],
    }
}
