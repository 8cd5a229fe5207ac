//! How much a tenant may configure.

/// Settings of the limits.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitSettings {
    /// Offers of a tenant at most, from 1 to 1,000,000. A decision considers all that are active.
    #[arg(long, env = "PROFFER_MAX_OFFERS", default_value_t = OFFERS_MAX,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_offers: u32,
    /// Categories of a tenant at most, from 1 to 100,000.
    #[arg(long, env = "PROFFER_MAX_CATEGORIES", default_value_t = CATEGORIES_MAX,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_categories: u32,
}

/// Offers of a tenant, unless it is set.
pub const OFFERS_MAX: u32 = 20_000;
/// Categories of a tenant, unless it is set.
pub const CATEGORIES_MAX: u32 = 1_000;

impl Default for LimitSettings {
    fn default() -> Self {
        Self { max_offers: OFFERS_MAX, max_categories: CATEGORIES_MAX }
    }
}
