//! The pure rows against hand-worked examples.
