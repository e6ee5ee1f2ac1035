//! The only place that prints: output, notes, progress and questions.
