//! Settings of listeners: bytes held for callers, and connections.

use crate::{
    ByteBudget, ConnectionLimits, Limits, arrivals::CONNECTIONS_MAX, byte_budget::bytes_of,
};

/// Settings of the listeners of a process.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ListenSettings {
    /// Bytes that may be held for callers in all: bodies that arrive, rows of imports that wait,
    /// answers that are not read. With a unit, such as `64MiB`, from 16MiB to 1TiB; an eighth of
    /// the memory by default, at most 128MiB. Who gets none within a second is refused:
    /// RESOURCE_EXHAUSTED, 429 over REST.
    #[arg(long, env = "PROFFER_BYTE_BUDGET", value_parser = bytes_of)]
    pub byte_budget: Option<u64>,
    /// Connections that may be open at the address for callers, at most 1,000,000; by default as
    /// many as there are file handles less 200, at most 10,000. Further ones are closed at once.
    #[arg(long, env = "PROFFER_MAX_CONNECTIONS",
        value_parser = clap::value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub max_connections: Option<u64>,
    /// Connections from one address; by default half of all. Behind a proxy, which is one address,
    /// set it as high as all.
    #[arg(long, env = "PROFFER_MAX_CONNECTIONS_PER_PEER",
        value_parser = clap::value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub max_connections_per_peer: Option<u64>,
}

impl ListenSettings {
    /// The limits of listeners with these settings. Listeners of one process share them, and so the
    /// budget of bytes.
    pub fn limits(&self) -> Limits {
        let connections =
            ConnectionLimits::new(self.max_connections, self.max_connections_per_peer);
        let bytes = self.byte_budget.map_or_else(ByteBudget::of_memory, ByteBudget::new);
        metrics::gauge!("proffer.held.max").set(bytes.bytes_max() as f64);
        Limits { connections, bytes, ..Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn what_is_set_has_bounds() {
        #[derive(clap::Parser)]
        struct Arguments {
            #[command(flatten)]
            settings: ListenSettings,
        }
        let parse = |arguments: &[&str]| {
            Arguments::try_parse_from([&["door"], arguments].concat()).map(|parsed| parsed.settings)
        };
        let set = parse(&["--max-connections", "1000000", "--byte-budget", "16MiB"]).unwrap();
        assert_eq!(set.limits().connections.all, 1_000_000);
        assert_eq!(set.byte_budget, Some(16 << 20));
        for odd in [
            ["--max-connections", "0"],
            ["--max-connections", "1000001"],
            ["--max-connections-per-peer", "0"],
            ["--max-connections-per-peer", "1000001"],
            ["--byte-budget", "1MiB"],
        ] {
            assert!(parse(&odd).is_err(), "{odd:?}");
        }
    }
}
