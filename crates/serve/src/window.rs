//! Windows of HTTP/2, derived so that flow control stops a peer before the budget for small frames
//! ends its connection.
//!
//! h2 grants a connection a budget for the overhead of small DATA frames that are still unread:
//! half of the connection's window. A frame of less than 256 bytes takes what it lacks to 256. With
//! the usual windows some 2,000 small messages in one buffer exhaust it, and the connection dies.
//! Here a stream's window is full before its share of the budget is used up.

/// Streams at once on one connection.
pub const STREAMS_MAX: u32 = 200;

/// Bytes that a peer may send on one stream before somebody reads them.
pub const STREAM_BYTES: u32 = 32 * 1024;

/// What h2 counts for a frame at least, in bytes.
const FRAME_BYTES: u32 = 256;

/// The smallest message of gRPC: its prefix and nothing else, in bytes.
const MESSAGE_BYTES_MIN: u32 = 5;

/// Bytes that a connection may hold at most; the standard's limit.
const CONNECTION_BYTES_MAX: u32 = (1 << 31) - 1;

/// The window of a connection with so many streams at once. It is not what the connection holds:
/// the windows of its streams limit that.
pub const fn connection_bytes(streams_max: u32) -> u32 {
    let frames = STREAM_BYTES.div_ceil(MESSAGE_BYTES_MIN) as u64;
    let overhead = frames * (FRAME_BYTES - MESSAGE_BYTES_MIN) as u64;
    // Half of the window is the budget.
    let bytes = 2 * overhead * streams_max as u64;
    if bytes > CONNECTION_BYTES_MAX as u64 { CONNECTION_BYTES_MAX } else { bytes as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_control_binds_before_the_budget_for_small_frames() {
        let budget = u64::from(connection_bytes(STREAMS_MAX) / 2);
        let waiting = u64::from(STREAMS_MAX) * u64::from(STREAM_BYTES);
        for message in u64::from(MESSAGE_BYTES_MIN)..256 {
            assert!(waiting.div_ceil(message) * (256 - message) <= budget + 256, "{message}");
        }
        assert!(connection_bytes(STREAMS_MAX) < CONNECTION_BYTES_MAX, "the limit hides the rule");
    }
}
