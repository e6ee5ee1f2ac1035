//! The filters of one listed contract, found by their type.

use std::collections::BTreeMap;

use crate::domain::rules::Lot;
use crate::wire::json::{Row, WireError};

/// The filters of one contract, by type; their order varies between answers.
pub(in crate::wire::binance) struct Filters<'j, 'a> {
    row: Row<'j, 'a>,
    by_type: BTreeMap<&'j str, Row<'j, 'a>>,
}

impl<'j, 'a> Filters<'j, 'a> {
    pub(in crate::wire::binance) fn of(
        endpoint: &'static str,
        row: Row<'j, 'a>,
    ) -> Result<Filters<'j, 'a>, WireError> {
        let mut by_type = BTreeMap::new();
        for item in row.items("filters")? {
            let filter = Row::of(endpoint, item)?;
            if by_type.insert(filter.text("filterType")?, filter).is_some() {
                return Err(row.wrong("filters", "has one type twice"));
            }
        }
        Ok(Filters { row, by_type })
    }

    pub(in crate::wire::binance) fn get(&self, kind: &str) -> Option<Row<'j, 'a>> {
        self.by_type.get(kind).copied()
    }

    pub(in crate::wire::binance) fn need(&self, kind: &str) -> Result<Row<'j, 'a>, WireError> {
        self.get(kind).ok_or_else(|| self.row.wrong("filters", &format!("has no {kind}")))
    }

    pub(in crate::wire::binance) fn lot(&self, kind: &str) -> Result<Option<Lot>, WireError> {
        let Some(filter) = self.get(kind) else { return Ok(None) };
        let lot = Lot {
            min: filter.not_negative("minQty")?,
            max: filter.not_negative("maxQty")?,
            step: filter.not_negative("stepSize")?,
        };
        Ok(Some(lot))
    }
}
