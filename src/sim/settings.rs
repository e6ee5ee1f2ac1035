//! Leverage, margin type, account modes, transfers: what the owner of the account sets.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::account::{AccountModes, Bracket, MarginSetting, max_notional};
use crate::domain::num::{Notional, Price, Rate};
use crate::domain::symbol::Symbol;
use crate::sim::account::{order_margin, position_margin};
use crate::sim::refusal::Refusal;
use crate::sim::{Exchange, Listed};

/// Leverage of a contract that nobody has touched.
const FIRST_LEVERAGE: u32 = 20;

impl Exchange {
    /// Leverage and margin type of `symbol` now.
    #[must_use]
    pub fn setting(&self, symbol: &Symbol) -> MarginSetting {
        let most = self.world.listing.get(symbol).map_or(FIRST_LEVERAGE, Listed::max_leverage);
        let untouched = MarginSetting { leverage: FIRST_LEVERAGE.min(most), cross: true };
        self.state.settings.get(symbol).copied().unwrap_or(untouched)
    }

    /// Leverage and margin type of every contract.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<Symbol, MarginSetting> {
        self.world.listing.keys().map(|symbol| (symbol.clone(), self.setting(symbol))).collect()
    }

    /// The tiers of every contract.
    #[must_use]
    pub fn brackets(&self) -> BTreeMap<Symbol, Vec<Bracket>> {
        let listing = self.world.listing.iter();
        listing.map(|(symbol, listed)| (symbol.clone(), listed.brackets.clone())).collect()
    }

    /// Sets the leverage of `symbol` and returns the most notional it then may carry.
    ///
    /// # Errors
    /// `-4028` outside of the tiers, `-2027` where the position is too large for it, `-2028` where
    /// the margin of the open position would not fit.
    pub fn set_leverage(&mut self, symbol: &Symbol, leverage: u32) -> Result<Notional, Refusal> {
        let listed = self.listed(symbol)?;
        if leverage == 0 || leverage > listed.max_leverage() {
            return Err(Refusal::saying(-4028, format!("Leverage {leverage} is not valid")));
        }
        let most = max_notional(&listed.brackets, leverage).unwrap_or(Notional::ZERO);
        let mut setting = self.setting(symbol);
        if setting.leverage == leverage {
            return Ok(most);
        }
        if let Some(held) = self.state.holdings.get(symbol) {
            if held.value().abs() > most {
                return Err(Refusal::of(-2027));
            }
            let resting = self.resting(symbol, held.mark);
            let needs = |leverage| {
                position_margin(held.value(), leverage) + order_margin(held.value(), &resting, leverage)
            };
            let more = needs(leverage) - needs(setting.leverage);
            if more.is_positive() && more > self.free_margin() {
                return Err(Refusal::of(-2028));
            }
        }
        setting.leverage = leverage;
        self.state.settings.insert(symbol.clone(), setting);
        Ok(most)
    }

    /// Sets the margin type of `symbol`.
    ///
    /// # Errors
    /// `-4046` where it is so already, `-4047` with open orders, `-4048` with a position, `-4168`
    /// for isolated margin in multi-assets mode.
    pub fn set_margin_type(&mut self, symbol: &Symbol, cross: bool) -> Result<(), Refusal> {
        self.listed(symbol)?;
        let mut setting = self.setting(symbol);
        if setting.cross == cross {
            return Err(Refusal::of(-4046));
        }
        if !cross && self.state.modes.multi_assets {
            return Err(Refusal::of(-4168));
        }
        if self.state.open.iter().any(|open| open.order.symbol == *symbol) {
            return Err(Refusal::of(-4047));
        }
        if self.state.holdings.contains_key(symbol) {
            return Err(Refusal::of(-4048));
        }
        setting.cross = cross;
        self.state.settings.insert(symbol.clone(), setting);
        Ok(())
    }

    /// Account-wide modes now.
    #[must_use]
    pub fn modes(&self) -> AccountModes {
        self.state.modes
    }

    /// Switches hedge mode.
    ///
    /// # Errors
    /// `-4059` where it is so already, `-4067` with open orders, `-4068` with a position.
    pub fn set_hedge(&mut self, hedge: bool) -> Result<(), Refusal> {
        if self.state.modes.hedge == hedge {
            return Err(Refusal::of(-4059));
        }
        if !self.state.open.is_empty() {
            return Err(Refusal::of(-4067));
        }
        if !self.state.holdings.is_empty() {
            return Err(Refusal::of(-4068));
        }
        self.state.modes.hedge = hedge;
        Ok(())
    }

    /// Switches multi-assets mode.
    ///
    /// # Errors
    /// `-4171` where it is so already, `-4167` where a contract is set to isolated margin.
    pub fn set_multi_assets(&mut self, multi_assets: bool) -> Result<(), Refusal> {
        if self.state.modes.multi_assets == multi_assets {
            return Err(Refusal::of(-4171));
        }
        if multi_assets && self.state.settings.values().any(|setting| !setting.cross) {
            return Err(Refusal::of(-4167));
        }
        self.state.modes.multi_assets = multi_assets;
        Ok(())
    }

    /// Puts account modes as a test wants them, whatever is open.
    pub fn force_modes(&mut self, modes: AccountModes) {
        self.state.modes = modes;
    }

    /// Puts the margin type of `symbol` as a test wants it, whatever is open.
    ///
    /// # Errors
    /// Refuses an unknown contract.
    pub fn force_margin_type(&mut self, symbol: &Symbol, cross: bool) -> Result<(), Refusal> {
        self.listed(symbol)?;
        let setting = MarginSetting { cross, ..self.setting(symbol) };
        self.state.settings.insert(symbol.clone(), setting);
        Ok(())
    }

    /// Whether fees are paid in BNB where there is some.
    #[must_use]
    pub fn fee_burn(&self) -> bool {
        self.state.fee_burn
    }

    /// Switches paying fees in BNB.
    pub fn set_fee_burn(&mut self, on: bool) {
        self.state.fee_burn = on;
    }

    /// Cancels the orders of `symbol` after `span` unless it is called again; zero stops that.
    ///
    /// # Errors
    /// Refuses an unknown contract.
    pub fn count_down_to_cancel(&mut self, symbol: &Symbol, span: Duration) -> Result<(), Refusal> {
        self.listed(symbol)?;
        if span.is_zero() {
            self.state.countdowns.remove(symbol);
        } else {
            self.state.countdowns.insert(symbol.clone(), self.state.at + span);
        }
        Ok(())
    }

    /// Moves USDT into the wallet, or out of it where negative.
    ///
    /// # Errors
    /// `-2018` where more would leave than may be withdrawn.
    pub fn transfer(&mut self, amount: Notional) -> Result<(), Refusal> {
        if amount.is_zero() {
            return Err(Refusal::saying(-1102, "Mandatory parameter 'amount' must not be zero."));
        }
        if amount.is_negative() && -amount > self.withdrawable() {
            return Err(Refusal::of(-2018));
        }
        let amount = amount.rounded(8);
        // Real transfer rows carry no number of their own.
        self.earn("TRANSFER", None, amount, 0, "");
        Ok(())
    }

    /// Moves BNB into the account, for fees; negative moves it out.
    pub fn transfer_bnb(&mut self, amount: Notional) -> Result<(), Refusal> {
        let there = self.state.bnb * Price::ONE;
        if amount.is_zero() || -amount > there {
            return Err(Refusal::of(if amount.is_zero() { -1102 } else { -2018 }));
        }
        let at = self.state.at;
        self.earn_in("BNB", "TRANSFER", None, amount.rounded(8), 0, "", at);
        Ok(())
    }

    /// The contract, or the exchange's refusal of an unknown one.
    pub(crate) fn listed(&self, symbol: &Symbol) -> Result<&Listed, Refusal> {
        self.world.listing.get(symbol).ok_or_else(|| Refusal::of(-1121))
    }

    /// Maker and taker fee as fractions of notional.
    #[must_use]
    pub fn fees(&self) -> (Rate, Rate) {
        (self.terms.maker_fee, self.terms.taker_fee)
    }
}
