//! The contracts of Proffer: generated messages, clients and servers, and the descriptor set they
//! come from.
//!
//! Nothing else lives here but what is true of the messages alone: field masks, differences, words
//! of enums, their form as JSON, and what all resources have in common.

#![allow(missing_docs, clippy::all, clippy::indexing_slicing)]

use std::sync::LazyLock;

pub mod difference;
pub mod json;
pub mod mask;
pub mod resource;
mod result;
pub mod words;

/// The encoded `FileDescriptorSet` of every contract, options and comments included.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/proffer.bin"));

/// The contracts as a pool of descriptors.
pub static POOL: LazyLock<prost_reflect::DescriptorPool> = LazyLock::new(|| {
    // INVARIANT: the set was written by the build script; an unreadable one gives an empty pool and
    // fails every test.
    prost_reflect::DescriptorPool::decode(DESCRIPTOR_SET).unwrap_or_default()
});

pub mod values {
    pub mod v1 {
        tonic::include_proto!("proffer.values.v1");
        pub use crate::internal::values::v1::*;
    }
}
pub mod errors {
    pub mod v1 {
        tonic::include_proto!("proffer.errors.v1");
    }
}
pub mod catalog {
    pub mod v1 {
        tonic::include_proto!("proffer.catalog.v1");
        pub use crate::internal::catalog::v1::*;
    }
}
pub mod policy {
    pub mod v1 {
        tonic::include_proto!("proffer.policy.v1");
        pub use crate::internal::policy::v1::*;
    }
}
pub mod decision {
    pub mod v1 {
        tonic::include_proto!("proffer.decision.v1");
    }
}
pub mod experiment {
    pub mod v1 {
        tonic::include_proto!("proffer.experiment.v1");
        pub use crate::internal::experiment::v1::*;
    }
}
/// Contracts between the services, which clients need not generate. The modules of the public
/// packages hold them too: in Rust both are used side by side.
pub mod internal {
    pub mod catalog {
        pub mod v1 {
            tonic::include_proto!("proffer.internal.catalog.v1");
        }
    }
    pub mod policy {
        pub mod v1 {
            tonic::include_proto!("proffer.internal.policy.v1");
        }
    }
    pub mod experiment {
        pub mod v1 {
            tonic::include_proto!("proffer.internal.experiment.v1");
        }
    }
    pub mod values {
        pub mod v1 {
            tonic::include_proto!("proffer.internal.values.v1");
        }
    }
}
