//! The pure layers compiled alone.
