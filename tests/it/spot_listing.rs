//! Quantities on the spot market: fitted to every pair of a listing, recorded or made up.

use std::io::Read;
use std::sync::LazyLock;

use proptest::prelude::*;
use rebal::domain::num::{Notional, Price, Qty};
use rebal::domain::rules::{Rules, Unfit};
use rebal::wire::binance::spot::listing;

use crate::data;

/// A listing whose pairs have every combination of filters that was ever seen on the real one.
fn generated() -> Vec<Rules> {
    let mut rows = Vec::new();
    let steps = ["1", "0.1", "0.001", "0.00001", "0.00000100", "100"];
    let market_lots = [("0.00000000", "141.67845966"), ("0", "0"), ("0.1", "5000.05"), ("1", "92141578")];
    for (first, step) in steps.iter().enumerate() {
        for (second, (market_step, market_max)) in market_lots.iter().enumerate() {
            for (third, (min, most)) in
                [("5", "false"), ("0.0001", "true"), ("100", "true")].iter().enumerate()
            {
                rows.push(format!(
                    r#"{{"symbol":"C{first}{second}{third}USDT","status":"TRADING","baseAsset":"C{first}{second}{third}","quoteAsset":"USDT",
                    "filters":[{{"filterType":"PRICE_FILTER","minPrice":"0","maxPrice":"0","tickSize":"0"}},
                    {{"filterType":"LOT_SIZE","minQty":"{step}","maxQty":"900000.00","stepSize":"{step}"}},
                    {{"filterType":"MARKET_LOT_SIZE","minQty":"0","maxQty":"{market_max}","stepSize":"{market_step}"}},
                    {{"filterType":"NOTIONAL","minNotional":"{min}","maxNotional":"25000","applyMaxToMarket":{most}}}]}}"#
                ));
            }
        }
    }
    let info = format!(r#"{{"symbols":[{}]}}"#, rows.join(","));
    listing::exchange_info(info.as_bytes(), "USDT").unwrap().rows.into_values().collect()
}

/// The recorded spot listings, where there are any.
fn recorded() -> Vec<Rules> {
    let Some(folder) = data::recorded("exchange_info") else { return Vec::new() };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let spot =
        files.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains("spot")));
    let mut rules = Vec::new();
    for file in spot {
        let bytes = std::fs::read(&file).unwrap();
        let mut plain = Vec::new();
        match file.extension().is_some_and(|end| end == "gz") {
            true => _ = flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap(),
            false => plain = bytes,
        }
        let listed = listing::exchange_info(&plain, "USDT").unwrap();
        assert_eq!(listed.problems, [], "{}", file.display());
        rules.extend(listed.rows.into_values());
    }
    rules
}

/// Both, read once.
static PAIRS: LazyLock<Vec<Rules>> = LazyLock::new(|| generated().into_iter().chain(recorded()).collect());

proptest! {
    /// Every pair of a listing: what is left is on the grid, never more than wanted, and either allowed
    /// by every filter or nothing at all; where nothing is left, a minimum says why.
    #[test]
    fn a_quantity_goes_toward_zero_and_to_zero_below_a_minimum(
        cents in 1_i64..9_000_000_000,
        price in 1_i64..20_000_000_000,
        scale in 2_u32..8,
        market in any::<bool>(),
        closes in any::<bool>(),
    ) {
        let price = Price::new(price, scale);
        prop_assert!(PAIRS.len() >= 60, "{}", PAIRS.len());
        for rules in PAIRS.iter() {
            let wanted = Notional::new(cents, 2).over_price(price).unwrap();
            let spot = rules.spot.unwrap();
            let lot = rules.lot;
            let step = if market { rules.market_lot.step.max(lot.step) } else { lot.step };
            let min = if market { rules.market_lot.min.max(lot.min) } else { lot.min };
            let rounded = rules.rounded(wanted, price, market, closes);
            prop_assert!(rounded <= wanted && !rounded.is_negative());
            prop_assert_eq!(rules.rounded(-wanted, price, market, closes), rounded);
            match rules.fit(wanted, price, market, closes) {
                Ok(parts) => {
                    for part in &parts {
                        prop_assert!(part.is_multiple_of(step) && *part >= min && part.is_positive(), "{part} of {rules:?}");
                        prop_assert!(*part <= lot.max && *part * price >= rules.min_notional);
                        if market {
                            prop_assert!(rules.market_lot.max.is_zero() || *part <= rules.market_lot.max);
                            prop_assert!(spot.max_notional.is_zero() || *part * price <= spot.max_notional);
                        }
                    }
                    prop_assert_eq!(parts.iter().copied().sum::<Qty>(), rounded);
                    if parts.len() == 1 && wanted < parts[0] + step {
                        prop_assert_eq!(parts[0], wanted.floor_to(step));
                    }
                }
                Err(unfit) => {
                    prop_assert!(rounded.is_zero());
                    let fits = wanted.floor_to(step);
                    let most = spot.max_notional.over_price(price).filter(|most| market && !most.is_zero());
                    let lots = [lot.max, rules.market_lot.max];
                    let lots = lots.iter().take(if market { 2 } else { 1 }).copied().filter(|max| !max.is_zero());
                    let single = lots.chain(most).fold(fits, Qty::min).floor_to(step);
                    let allowed = single.is_positive() && single >= min && single * price >= rules.min_notional;
                    prop_assert!(!allowed, "{unfit}: {single} of {rules:?} at {price}");
                    let about_worth = matches!(unfit, Unfit::BelowMinNotional { any: true, .. });
                    prop_assert!(about_worth || single < min || single.is_zero());
                }
            }
        }
    }
}
