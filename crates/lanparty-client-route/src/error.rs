//! Errors of the newer Windows APIs as the ordinary ones that std knows.

use std::io;

/// Turns an `HRESULT` that wraps a Win32 error back into that error, so that its
/// [`io::Error::kind`] means something; others stay as they are.
pub fn from_hresult(error: impl Into<io::Error>) -> io::Error {
    // HRESULT_FROM_WIN32: a failure (0x8) of the facility Win32 (7), with the code in the low half.
    const FAILURE_OF_WIN32: u32 = 0x8007;
    let error = error.into();
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(code) if code >> 16 == FAILURE_OF_WIN32 => {
            io::Error::from_raw_os_error((code & 0xffff).cast_signed())
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_error_is_unwrapped_and_others_are_left_alone() {
        let code =
            |raw: u32| from_hresult(io::Error::from_raw_os_error(raw.cast_signed())).raw_os_error();
        assert_eq!(code(0x8007_0002), Some(2));
        assert_eq!(code(2), Some(2));
        assert_eq!(code(0x8000_4005), Some(0x8000_4005_u32.cast_signed()));
        let unsupported = from_hresult(io::ErrorKind::Unsupported);
        assert_eq!(unsupported.kind(), io::ErrorKind::Unsupported);
    }
}
