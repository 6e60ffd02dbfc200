//! A limit that hears of windows, not of calls: `WindowedLimit` of Netflix concurrency-limits
//! 0.5.4.

use super::machine::{Machine, Measured};
use super::window::{self, Window};
use crate::OutOfRange;
use crate::family::Build;

/// A window, and the limit behind it.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Windowed(limit: Gradient2())"#)]
#[schemars(rename = "WindowedLimit")]
pub struct Config<L> {
    /// How samples are gathered.
    #[serde(default)]
    pub window: window::Config,
    /// The limit that hears of them; not windowed itself.
    pub limit: Box<L>,
}

/// A limit behind a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Windowed<M> {
    window: Window,
    limit: Box<M>,
}

impl<L: Build<Machine: Machine>> Build for Config<L> {
    type Machine = Windowed<L::Machine>;

    fn build(&self) -> Result<Windowed<L::Machine>, OutOfRange> {
        let window = Window::new(self.window.clone())?;
        let limit = Box::new(self.limit.build()?);
        if limit.is_windowed() {
            return Err(OutOfRange::new("limit", "Windowed", "a limit without a window"));
        }
        Ok(Windowed { window, limit })
    }
}

impl<M: Machine> Machine for Windowed<M> {
    fn hear(&mut self, call: Measured, jitter: &mut dyn FnMut() -> f64) {
        if let Some(folded) = self.window.sample(call) {
            self.limit.hear(folded, jitter);
        }
    }

    fn limit(&self) -> u32 {
        self.limit.limit()
    }

    fn estimate(&self) -> Option<f64> {
        self.limit.estimate()
    }

    fn is_windowed(&self) -> bool {
        true
    }
}
