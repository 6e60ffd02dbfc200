//! Models of reliability patterns on the sim-core engine.
pub mod kv;
pub mod policy;
pub mod source;
pub mod value;
