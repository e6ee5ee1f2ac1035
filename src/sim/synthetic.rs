//! The synthetic market: a price path per contract from one seed, the same bytes on every machine.
//!
//! Every draw is a hash of (seed, what, when), so the only state of a path is its last price, and
//! history is read by walking it backward. Only `+ − × ÷` and `sqrt` touch a float, since the last
//! bit of `ln`, `exp` and `sin` differs between platforms.

use std::time::Duration;

use crate::domain::num::{Price, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Shape;

/// Bars per year of five minutes, the length the odds below are given for.
const FIVE_MINUTES_MS: f64 = 300_000.0;
const YEAR_MS: f64 = 365.0 * 86_400_000.0;
/// A market-wide crash comes about once in so many five-minute bars: two weeks.
const CRASH_EVERY: f64 = 4_032.0;
/// A coin's own jump comes about once in so many five-minute bars: ten days.
const JUMP_EVERY: f64 = 2_880.0;
/// Digits of a growth factor.
const GROWTH_DIGITS: u32 = 10;

/// What a draw is for, so that two uses of one instant never share a number.
#[derive(Clone, Copy)]
enum Lane {
    Market = 1,
    Sector = 2,
    Own = 3,
    OwnTail = 4,
    MarketTail = 5,
    Crash = 6,
    CrashDepth = 7,
    Jump = 8,
    JumpSize = 9,
    Basis = 10,
    WickUp = 11,
    WickDown = 12,
    Volume = 13,
    Funding = 14,
    FundingDelay = 15,
    Reference = 16,
}

/// SplitMix64's finaliser.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a of a name.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn draw(seed: u64, name: &str, lane: Lane, index: i64) -> u64 {
    mix(mix(mix(seed ^ 0x7265_6261_6c00_0000) ^ name_hash(name) ^ lane as u64) ^ index.cast_unsigned())
}

/// Uniform in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Bell-shaped with mean 0 and variance 1: the sum of four uniforms.
fn bell(bits: u64) -> f64 {
    let lane = |shift: u32| f64::from(((bits >> shift) & 0xffff) as u16) / 65_536.0;
    (lane(0) + lane(16) + lane(32) + lane(48) - 2.0) * 3.0_f64.sqrt()
}

/// Bell-shaped with fat tails: one draw in twenty-five is three times as wide. Variance 1.
fn fat(bits: u64, tail: u64) -> f64 {
    let wide = if unit(tail) < 0.04 { 3.0 } else { 1.0 };
    bell(bits) * wide / 1.32_f64.sqrt()
}

/// One bar of one contract's path.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The market's seed.
    pub(crate) seed: u64,
    /// The contract.
    pub(crate) symbol: &'a Symbol,
    /// How it moves.
    pub(crate) shape: &'a Shape,
    /// The length of a bar.
    pub(crate) interval: Duration,
    /// The bar, counted from the start of the market; negative before it.
    pub(crate) bar: i64,
}

impl Step<'_> {
    fn draw(&self, lane: Lane) -> u64 {
        draw(self.seed, self.symbol.as_str(), lane, self.bar)
    }

    fn market(&self, lane: Lane) -> u64 {
        draw(self.seed, "", lane, self.bar)
    }

    fn millis(&self) -> f64 {
        self.interval.as_millis() as f64
    }

    /// Standard deviation of one bar's return.
    fn sigma(&self) -> f64 {
        self.shape.annual_vol.approx() * (self.millis() / YEAR_MS).sqrt()
    }

    /// The factor from the bar's first to its last mark price.
    pub(crate) fn growth(&self) -> Rate {
        Rate::from_approx(self.growth_approx(), GROWTH_DIGITS).unwrap_or(Rate::ONE)
    }

    /// The same as a float, for summaries over many bars.
    pub(crate) fn growth_approx(&self) -> f64 {
        let sigma = self.sigma();
        let bars = self.millis() / FIVE_MINUTES_MS;
        let common = fat(self.market(Lane::Market), self.market(Lane::MarketTail));
        let sector = bell(draw(self.seed, &self.shape.sector, Lane::Sector, self.bar));
        let own = fat(self.draw(Lane::Own), self.draw(Lane::OwnTail));
        // 0.7² + 0.35² + 0.6225² = 1.
        let noise = sigma * (0.7 * common + 0.35 * sector + 0.622_495 * own);
        // Without this a coin would sink by half its variance each year.
        let keep_level = 0.5 * sigma * sigma;
        let growth = 1.0 + noise + keep_level + self.crash(bars) + self.own_jump(bars);
        growth.clamp(0.5, 1.5)
    }

    /// A fall of the whole market, and the slow climb that pays it back on average.
    fn crash(&self, bars: f64) -> f64 {
        let size = (self.shape.annual_vol.approx() / 0.9).clamp(0.4, 1.3);
        let climb = 0.055 * size * bars / CRASH_EVERY;
        if unit(self.market(Lane::Crash)) < bars / CRASH_EVERY {
            return climb - size * (0.03 + 0.05 * unit(self.market(Lane::CrashDepth)));
        }
        climb
    }

    /// A jump of this coin alone, up or down.
    fn own_jump(&self, bars: f64) -> f64 {
        if unit(self.draw(Lane::Jump)) < bars / JUMP_EVERY {
            let size = 2.0 * unit(self.draw(Lane::JumpSize)) - 1.0;
            return size * 0.12 * (self.shape.annual_vol.approx() / 0.9).clamp(0.2, 1.5);
        }
        0.0
    }

    /// The last traded price over the mark price at the end of the bar: within two basis points.
    pub(crate) fn basis(&self) -> Rate {
        Rate::from_approx(1.0 + 0.000_2 * (2.0 * unit(self.draw(Lane::Basis)) - 1.0), 8).unwrap_or(Rate::ONE)
    }

    /// How far the bar reaches above and below its open and close, as factors.
    pub(crate) fn wicks(&self) -> (Rate, Rate) {
        let factor = |value: f64| Rate::from_approx(value, 8).unwrap_or(Rate::ONE);
        let (up, down) = self.wicks_approx();
        (factor(up), factor(down))
    }

    /// The same as floats.
    pub(crate) fn wicks_approx(&self) -> (f64, f64) {
        let reach = |lane| self.sigma() * 0.6 * unit(self.draw(lane));
        (1.0 + reach(Lane::WickUp), (1.0 - reach(Lane::WickDown)).max(0.5))
    }

    /// The bar's share of an average bar's volume, 0.4 to 1.6.
    pub(crate) fn volume_share(&self) -> Rate {
        Rate::from_approx(self.volume_share_approx(), 4).unwrap_or(Rate::ONE)
    }

    /// The same as a float.
    pub(crate) fn volume_share_approx(&self) -> f64 {
        0.4 + 1.2 * unit(self.draw(Lane::Volume))
    }
}

/// The funding rate of `symbol` settled at `at`: around the contract's mean, scaled to its interval.
pub(crate) fn funding_rate(seed: u64, symbol: &Symbol, shape: &Shape, hours: u32, at: Time) -> Rate {
    let bits = draw(seed, symbol.as_str(), Lane::Funding, at.ms() / 3_600_000);
    let mean = shape.funding_8h.approx() * f64::from(hours) / 8.0;
    // Mostly the interest floor itself, as on the real exchange; else half to one and a half of it.
    let rate = if unit(mix(bits)) < 0.4 { mean } else { mean * (0.5 + unit(bits)) };
    Rate::from_approx(rate, 8).unwrap_or(Rate::ZERO)
}

/// By how many milliseconds the settlement at `at` is booked late: 1 to 9.
pub(crate) fn funding_delay(symbol: &Symbol, at: Time) -> Duration {
    let bits = draw(0, symbol.as_str(), Lane::FundingDelay, at.ms());
    Duration::from_millis(1 + bits % 9)
}

/// The price a contract starts at: its listed price, moved by up to a tenth by the seed.
pub(crate) fn first_price(seed: u64, symbol: &Symbol, listed: Price) -> Price {
    let factor = 0.9 + 0.2 * unit(draw(seed, symbol.as_str(), Lane::Reference, 0));
    listed * Rate::from_approx(factor, 4).unwrap_or(Rate::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::listing;

    fn returns(vol: Rate, bars: i64) -> Vec<f64> {
        let symbol: Symbol = "ADAUSDT".parse().unwrap();
        let shape = Shape { annual_vol: vol, ..listing::plain_shape() };
        let interval = Duration::from_secs(300);
        (0..bars)
            .map(|bar| {
                let step = Step { seed: 7, symbol: &symbol, shape: &shape, interval, bar };
                step.growth().approx() - 1.0
            })
            .collect()
    }

    #[test]
    fn a_year_is_as_rough_as_asked_with_fat_tails_and_crashes() {
        let bars = 60_000;
        let returns = returns(Rate::new(9, 1), bars);
        let mean = returns.iter().sum::<f64>() / bars as f64;
        let variance = returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / bars as f64;
        let annual = variance.sqrt() * (105_120.0_f64).sqrt();
        assert!((0.8..1.3).contains(&annual), "annual volatility {annual}");
        let sigma = variance.sqrt();
        let wild = returns.iter().filter(|r| (**r - mean).abs() > 4.0 * sigma).count();
        assert!(wild > 20, "only {wild} returns beyond four sigma");
        assert!(returns.iter().any(|r| *r < -0.025), "no crash");
        assert!(mean.abs() < 0.000_1, "drift {mean}");
    }

    #[test]
    fn the_same_seed_gives_the_same_bar_and_another_gives_another() {
        let symbol: Symbol = "币安人生USDT".parse().unwrap();
        let shape = listing::plain_shape();
        let at = |seed, bar| {
            Step { seed, symbol: &symbol, shape: &shape, interval: Duration::from_secs(300), bar }.growth()
        };
        assert_eq!(at(7, 3), at(7, 3));
        assert_ne!(at(7, 3), at(8, 3));
        assert_ne!(at(7, 3), at(7, 4));
        // Pinned: another machine or release must not move recorded seeds.
        assert_eq!(at(7, 3).to_string(), "1.0020857513");
    }
}
