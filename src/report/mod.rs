//! What a command has to say, as numbers: serialisable, pure, and without a word of layout.

pub mod error;
pub mod heading;
pub mod lines;
pub mod pass;
pub mod plan;
pub mod remarks;
