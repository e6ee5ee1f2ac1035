//! The whole exchange, tested from outside.
