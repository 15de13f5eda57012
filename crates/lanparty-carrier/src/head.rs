//! The head of an HTTP message: what stands before its first empty line.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What ends a head (RFC 9112, 2.1).
const END: &[u8] = b"\r\n\r\n";
/// How much is read at once.
const PIECE: usize = 1024;

/// A head, and what has come behind it already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rest: Vec<u8>,
}

/// Reads a head of at most `most` bytes. One that is longer is invalid data.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Head> {
    let mut bytes = Vec::with_capacity(PIECE);
    let mut looked_at = 0;
    loop {
        if let Some(end) = find_end(&bytes[looked_at..]) {
            let rest = bytes.split_off(looked_at + end);
            return Ok(Head { bytes, rest });
        }
        if bytes.len() >= most {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // The end may have begun already.
        looked_at = bytes.len().saturating_sub(END.len() - 1);
        let room = (most - bytes.len()).min(PIECE) as u64;
        if (&mut *stream).take(room).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn find_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(END.len()).position(|window| window == END)?;
    Some(at + END.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    /// Reads what comes in these pieces.
    async fn read_pieces(pieces: &[&[u8]], most: usize) -> io::Result<Head> {
        let (mut there, mut here) = tokio::io::duplex(1);
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let writing = async move {
            for piece in pieces {
                if there.write_all(&piece).await.is_err() {
                    return;
                }
            }
        };
        let reading = async move { read(&mut here, most).await };
        tokio::join!(reading, writing).0
    }

    #[tokio::test]
    async fn a_head_ends_at_the_first_empty_line_however_it_comes() {
        for pieces in [
            &[&b"GET / HTTP/1.1\r\n\r\nrest"[..]][..],
            &[b"GET / HTTP/1.1\r", b"\n\r", b"\nrest"],
        ] {
            let head = read_pieces(pieces, 100).await.unwrap();
            assert_eq!(head.bytes, b"GET / HTTP/1.1\r\n\r\n");
        }
        let (mut there, mut here) = tokio::io::duplex(100);
        there.write_all(b"a\r\n\r\nrest\r\n\r\n").await.unwrap();
        let head = read(&mut here, 100).await.unwrap();
        assert_eq!(head.rest, b"rest\r\n\r\n");
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_read_up_to_the_limit_and_no_further() {
        let long = vec![b'a'; 5000];
        let error = read_pieces(&[&long], 4096).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let error = read_pieces(&[b"a\r\n\r"], 4096).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
