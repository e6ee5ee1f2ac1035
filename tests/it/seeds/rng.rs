//! Random numbers from a seed: the same ones on every machine (SplitMix64).

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed_5eed_5eed_5eed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..of`; zero where there is nothing to choose from.
    pub(crate) fn below(&mut self, of: u64) -> u64 {
        self.next().checked_rem(of).unwrap_or(0)
    }

    /// One of `from..=to`.
    pub(crate) fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True `permille` times in a thousand.
    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of[at].clone()
    }

    /// About normal: mean 0, standard deviation 1, in millionths; never beyond ±3.5.
    pub(crate) fn normal_ppm(&mut self) -> i64 {
        let sum: i64 = (0..12).map(|_| self.below(1_000_001) as i64).sum();
        (sum - 6_000_000).clamp(-3_500_000, 3_500_000)
    }
}
