//! A checked stack of policies that does not belong to a caller yet.

use crate::plan::LayerPlan;

/// The layers of a stack, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Checked {
    pub(super) layers: Vec<LayerPlan>,
    /// By layer: all instances of a caller share what it remembers.
    pub(super) shared: Vec<bool>,
    /// By layer: which policy of the stack it comes from.
    pub(super) written: Vec<usize>,
    /// By layer: whom it may ask instead of the callee that a call names.
    pub(super) instead: Vec<(usize, Instead)>,
}

/// Whom a layer may ask instead of the callee that a call names.
#[derive(Clone, Debug)]
pub(super) enum Instead {
    /// The endpoint of the same name at these actors, beside the callee itself.
    Hosts(Vec<String>),
    /// Another endpoint.
    Endpoint(String),
}
