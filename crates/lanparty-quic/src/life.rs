//! What counts as a sign of life: a frame that QUIC has read. A packet that does not authenticate, or comes a second
//! time, has none; whoever is not the other side can send packets, too.

use noq_proto::FrameStats;

/// How many there have been: all frames of RFC 9000 and RFC 9221 but padding, of which no packet consists.
pub(crate) fn signs(frames: &FrameStats) -> u64 {
    [
        frames.acks,
        frames.connection_close,
        frames.crypto,
        frames.data_blocked,
        frames.datagram,
        frames.handshake_done.into(),
        frames.max_data,
        frames.max_stream_data,
        frames.max_streams_bidi,
        frames.max_streams_uni,
        frames.new_connection_id,
        frames.new_token,
        frames.path_challenge,
        frames.path_response,
        frames.ping,
        frames.reset_stream,
        frames.retire_connection_id,
        frames.stop_sending,
        frames.stream,
        frames.stream_data_blocked,
        frames.streams_blocked_bidi,
        frames.streams_blocked_uni,
    ]
    .iter()
    .sum()
}
