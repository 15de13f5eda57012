//! Access lists in Windows' own language (SDDL), and the names that they guard.
//!
//! `SY` is the system, `BA` its administrators, `IU` whoever sits at this PC or is on its remote desktop. Nobody else is
//! named, and a protected list (`P`) inherits nothing, so nobody else may do anything.

/// The service's name.
pub const SERVICE: &str = "LanPartyClient";

/// Where the service listens.
pub const PIPE: &str = r"\\.\pipe\softlan-vpn\client";

/// The folder below `%ProgramData%` that only the service and administrators may look into.
pub const FOLDER: &str = "softlan-vpn";

/// The pipe: whoever sits here may read and write what is said, and nothing else.
///
/// Not `GW`: for a pipe that includes the right to make further instances of it (0x4), and then anybody could answer in the
/// service's place. What is left is, bit by bit, [`USE`].
pub const OF_PIPE: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x12019b;;;IU)";

/// What a view may do with the pipe, which is what `CreateFile` asks for when it is opened for reading and writing: read
/// and write data (0x1, 0x2), attributes (0x80, 0x100) and extended ones (0x8, 0x10), read the access list (0x20000), and wait
/// (0x100000). Without making an instance (0x4).
pub const USE: u32 = 0x1 | 0x2 | 0x8 | 0x10 | 0x80 | 0x100 | 0x2_0000 | 0x10_0000;

/// Everything in a folder: for the system and the administrators, handed on to what is made in it.
pub const OF_FOLDER: &str = "O:BAG:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// The service: the system runs it and says when it begins (`DC`), administrators do what they like, and whoever sits here may see how it is (`CC`, `LC`,
/// `SW`, `LO`, `RC`) and start it (`RP`): not stop it, and not say which program it is.
pub const OF_SERVICE: &str =
    "D:P(A;;CCDCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWRPLORC;;;IU)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sits_here_may_use_the_pipe_and_not_make_one() {
        const FILE_CREATE_PIPE_INSTANCE: u32 = 0x4;
        const WRITE_DAC_AND_OWNER: u32 = 0xc_0000;
        assert_eq!(USE, 0x12_019b);
        assert_eq!(USE & (FILE_CREATE_PIPE_INSTANCE | WRITE_DAC_AND_OWNER), 0);
        assert!(OF_PIPE.contains(&format!("(A;;{USE:#x};;;IU)")));
    }

    #[test]
    fn no_list_names_everybody_or_inherits() {
        for list in [OF_PIPE, OF_FOLDER, OF_SERVICE] {
            assert!(list.contains("D:P("), "{list}");
            for everybody in [";WD)", ";AU)", ";BU)", ";AN)", ";NU)", ";BG)"] {
                assert!(!list.contains(everybody), "{list}");
            }
        }
        // Neither stop (WP), pause (DT), change (DC), delete (SD) nor a new list (WD).
        let at = OF_SERVICE.find(";;;IU").unwrap();
        let theirs = OF_SERVICE[..at].rsplit(';').next().unwrap();
        assert_eq!(theirs, "CCLCSWRPLORC");
    }
}
