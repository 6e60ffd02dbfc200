//! A local page that shows the report of a scenario, and runs it again when something is changed.
//!
//! A [`State`](state::State) is all that decides what a page shows, and the page's address is its text.
//! The [`server`] answers each state with a run; nothing is kept between two answers but who waits for
//! which. So the same address shows the same digest to everybody who has the same file.
//!
//! **Invariant:** nobody but programs of this machine reaches it, and no other page can ask it anything.

mod answer;
mod difference;
mod guard;
mod server;
mod shell;
mod state;
mod waiting;

pub use server::{Server, Watched};
pub use state::{Choice, State};
