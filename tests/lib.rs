//! Whole-system proofs live in `it/`; this library is empty.
