//! The screen against deciding at every bar, on random markets.
