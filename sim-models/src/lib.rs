//! Models of reliability patterns on the sim-core engine.
pub mod policy;
pub mod value;
