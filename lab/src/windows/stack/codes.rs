//! Windows error codes (winerror.h).

pub(super) const NO_ERROR: u32 = 0;
pub(super) const ERROR_NOT_SUPPORTED: u32 = 50;
pub(super) const ERROR_INVALID_PARAMETER: u32 = 87;
pub(super) const ERROR_NO_MORE_ITEMS: u32 = 259;
pub(super) const ERROR_NOT_FOUND: u32 = 1168;
pub(super) const ERROR_NETWORK_UNREACHABLE: u32 = 1231;
pub(super) const ERROR_OBJECT_ALREADY_EXISTS: u32 = 5010;
