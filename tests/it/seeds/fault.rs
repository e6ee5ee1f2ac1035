//! What can go wrong, how often, and how often it did.

use std::collections::BTreeMap;

use super::rng::Rng;

/// A sort of trouble. Each seed enables a random part of them (swarm testing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    // What becomes of an order.
    AnswerLost,
    ArrivesLate,
    ArrivesTooLate,
    Dropped,
    Rejected,
    NotSent,
    Partial,
    // What reads say.
    ReadFails,
    Slow,
    LookupLags,
    Denied,
    FillsLag,
    IncomeLags,
    AccountLags,
    RateLimited,
    EmptyAccount,
    NoPrice,
    SettingRefused,
    // What happens between passes …
    HandTrade,
    HandOrder,
    Deposit,
    Withdrawal,
    StatusChange,
    RulesChange,
    Jump,
    MarketCrash,
    WideSpread,
    MarkGap,
    ThinBook,
    DearFunding,
    HedgeMode,
    Isolated,
    OtherLeverage,
    Delisting,
    OtherUniverse,
    Foreign,
    // … and during one.
    MidJump,
    MidHandTrade,
    ProcessDies,
    Interrupted,
    TornCsv,
    // What the hard stop meets.
    Slide,
    BigTransfer,
    LeftWaiting,
    CloseRefused,
    CancelFails,
    HaltFileLost,
    LedgerLost,
    // Not drawn: follows from the others.
    Liquidated,
    StopFired,
}

use Kind::*;

const KINDS: [Kind; 48] = [
    AnswerLost,
    ArrivesLate,
    ArrivesTooLate,
    Dropped,
    Rejected,
    NotSent,
    Partial,
    ReadFails,
    Slow,
    LookupLags,
    Denied,
    FillsLag,
    IncomeLags,
    AccountLags,
    RateLimited,
    EmptyAccount,
    NoPrice,
    SettingRefused,
    HandTrade,
    HandOrder,
    Deposit,
    Withdrawal,
    StatusChange,
    RulesChange,
    Jump,
    MarketCrash,
    WideSpread,
    MarkGap,
    ThinBook,
    DearFunding,
    HedgeMode,
    Isolated,
    OtherLeverage,
    Delisting,
    OtherUniverse,
    Foreign,
    MidJump,
    MidHandTrade,
    ProcessDies,
    Interrupted,
    TornCsv,
    Slide,
    BigTransfer,
    LeftWaiting,
    CloseRefused,
    CancelFails,
    HaltFileLost,
    LedgerLost,
];

impl Kind {
    /// Most a thousand chances that it may have; those that end a seed's trading stay rare.
    fn most(self) -> u64 {
        match self {
            Foreign | HedgeMode | Delisting => 15,
            MarketCrash | EmptyAccount | RateLimited | Isolated => 60,
            ReadFails => 40,
            Slide => 250,
            LedgerLost => 100,
            LeftWaiting => 120,
            CloseRefused | CancelFails => 600,
            ProcessDies => 500,
            _ => 300,
        }
    }
}

pub(crate) struct Faults {
    permille: BTreeMap<Kind, u64>,
    /// Nothing goes wrong any more: the liveness phase.
    pub(crate) calm: bool,
    pub(crate) struck: BTreeMap<Kind, u64>,
}

impl Faults {
    pub(crate) fn draw(rng: &mut Rng) -> Faults {
        let share = rng.pick(&[0, 150, 350, 350, 600]);
        let mut permille = BTreeMap::new();
        for kind in KINDS {
            if rng.chance(share) {
                let chance = kind.most() * rng.pick(&[100, 350, 1000]) / 1000;
                permille.insert(kind, chance.max(1));
            }
        }
        Faults { permille, calm: false, struck: BTreeMap::new() }
    }

    /// This does not happen in this run.
    pub(crate) fn forbid(&mut self, kind: Kind) {
        self.permille.remove(&kind);
    }

    /// Whether trouble of this kind strikes here and now.
    pub(crate) fn strikes(&mut self, rng: &mut Rng, kind: Kind) -> bool {
        let Some(permille) = self.permille.get(&kind).filter(|_| !self.calm) else { return false };
        let strikes = rng.chance(*permille);
        if strikes {
            self.count(kind);
        }
        strikes
    }

    pub(crate) fn count(&mut self, kind: Kind) {
        *self.struck.entry(kind).or_default() += 1;
    }

    pub(crate) fn enabled(&self, kind: Kind) -> bool {
        !self.calm && self.permille.contains_key(&kind)
    }

    pub(crate) fn names(&self) -> String {
        let names: Vec<String> =
            self.permille.iter().map(|(kind, chance)| format!("{kind:?} {chance}")).collect();
        names.join(", ")
    }
}
