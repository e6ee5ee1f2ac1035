//! The check between a plan and the exchange, and the proof that it was passed.

use crate::domain::order::OrderRequest;

/// An order that passed the check. Only this module makes one, and an exchange takes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedOrder {
    request: OrderRequest,
}

impl ApprovedOrder {
    /// What to send.
    #[must_use]
    pub fn request(&self) -> &OrderRequest {
        &self.request
    }
}
