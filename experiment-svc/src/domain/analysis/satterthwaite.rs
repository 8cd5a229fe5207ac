//! A variance summed over independent parts, and its degrees of freedom.

/// The sum, with what Satterthwaite's approximation needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct CombinedVariance {
    /// The sum of the variances.
    pub variance: f64,
    squares: f64,
}

impl CombinedVariance {
    /// Adds the variance of one part, estimated with so many degrees of freedom.
    pub fn add(&mut self, variance: f64, degrees_of_freedom: f64) {
        self.variance += variance;
        self.squares += variance * variance / degrees_of_freedom;
    }

    /// Satterthwaite's degrees of freedom; of a single part its own.
    pub fn degrees_of_freedom(&self) -> f64 {
        self.variance * self.variance / self.squares
    }
}
