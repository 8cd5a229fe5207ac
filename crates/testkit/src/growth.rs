//! How the time of a parser grows with its input.

use std::time::{Duration, Instant};

/// Times that the input is doubled.
const DOUBLINGS: u32 = 3;
/// The time of an input may be at most so many times that of one half as long: twice, and room for
/// a machine that sways. A parser that looks at each pair of its parts takes four times.
const RATIO_MAX: f64 = 3.0;
/// Each size is timed so often; the shortest time counts.
const RUNS: usize = 5;
/// The first size is doubled until it takes this long, so that the clock does not matter.
const SHORTEST: Duration = Duration::from_millis(2);

/// Panics when the time of `read` grows faster than its input: `input` makes one of a size, which
/// begins at `size` and is doubled up to `most`. Small inputs are doubled without a look at their
/// times.
pub fn assert_linear<I>(
    what: &str,
    (size, most): (usize, usize),
    input: impl Fn(usize) -> I,
    read: impl Fn(&I),
) {
    let time = |size: usize| {
        let input = input(size);
        #[expect(clippy::disallowed_methods, reason = "elapsed time does not depend on the clock")]
        let run = || {
            let begun = Instant::now();
            read(&input);
            begun.elapsed()
        };
        (0..RUNS).map(|_| run()).min().unwrap_or_default()
    };
    let mut size = size;
    let mut shorter = time(size);
    while shorter < SHORTEST {
        if size * 2 > most {
            // Whatever is accepted takes less than the clock tells.
            return;
        }
        size *= 2;
        shorter = time(size);
    }
    let mut ratios = Vec::new();
    for _ in 0..DOUBLINGS {
        size *= 2;
        if size > most {
            return;
        }
        let longer = time(size);
        ratios.push(longer.as_secs_f64() / shorter.as_secs_f64());
        shorter = longer;
    }
    // One slow stretch of the machine is no growth, but growth shows in each step.
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least <= RATIO_MAX, "{what}: times grew by {ratios:.2?} as the input doubled");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_linear() {
        let numbers = |size: usize| (0..size as u64).collect::<Vec<_>>();
        assert_linear("sum", (1_000, 1 << 24), numbers, |numbers| {
            assert!(std::hint::black_box(numbers.iter().sum::<u64>()) > 0);
        });
    }

    #[test]
    #[should_panic(expected = "times grew by")]
    fn a_search_for_repeats_in_a_list_is_not() {
        let numbers = |size: usize| (0..size as u64).collect::<Vec<_>>();
        assert_linear("repeats", (100, 1 << 24), numbers, |numbers| {
            let mut seen = Vec::new();
            for number in numbers {
                assert!(!seen.contains(number));
                seen.push(*number);
            }
        });
    }
}
