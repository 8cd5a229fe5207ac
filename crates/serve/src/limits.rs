//! Limits of a listener.

use std::time::Duration;

use crate::{ByteBudget, ConnectionLimits, telemetry::Labels, window};

/// How long a gRPC call that is not a stream may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Limits of a listener. The defaults of HTTP libraries leave most of them open.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams at once on one connection.
    pub streams_max: u32,
    /// Timeout of a gRPC call that is not a stream; beyond it the answer is DEADLINE_EXCEEDED.
    /// REST has its own timeout.
    pub request_timeout: Duration,
    /// Largest age of a connection; it then ends, so that load spreads over replicas.
    pub connection_age: Duration,
    /// Interval of keepalive probes on an idle connection.
    pub keepalive_interval: Duration,
    /// Time until a probe without an answer ends the connection.
    pub keepalive_timeout: Duration,
    /// Bytes of headers of a request.
    pub header_bytes_max: u32,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
    /// True at the address for callers: there each peer has limits of its own, and none may occupy
    /// all bytes or turns. Between services a peer is another service.
    pub is_public: bool,
    /// Bytes that may be held for callers.
    pub bytes: ByteBudget,
    /// Time that requests in flight get after the stop.
    pub drain_timeout: Duration,
    /// The tenants whose calls are counted one by one; without it none are.
    pub tenants: Option<Labels>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_max: window::STREAMS_MAX,
            request_timeout: REQUEST_TIMEOUT,
            connection_age: Duration::from_secs(30 * 60),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            header_bytes_max: 16 * 1024,
            connections: ConnectionLimits::new(None, None),
            is_public: false,
            bytes: ByteBudget::of_memory(),
            drain_timeout: Duration::from_secs(20),
            tenants: None,
        }
    }
}
