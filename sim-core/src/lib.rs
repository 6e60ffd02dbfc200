//! A deterministic discrete-event engine: virtual time, an ordered queue of events, seeded
//! random streams, samplers and a run digest.
//!
//! The promise: one model and one seed give one run, bit for bit, on every platform and in every
//! build. What could break that is kept out. Time is whole nanoseconds; equal instants keep their
//! scheduling order; mathematics goes to a pinned `libm`; each random stream has a name, so that
//! a new one disturbs no other. A [digest](Digest) of all events and effects, always on, proves
//! it, and [limits](Limits) turn a run that never ends into a finding.
//!
//! The engine knows time, events and luck. What the events mean is up to the [`Model`]:
//!
//! ```
//! use std::collections::VecDeque;
//! use sim_core::{
//!     Context, Dist, Limits, Model, Purpose, Simulation, Span, Stop, Stream, Streams, Time,
//! };
//!
//! /// One server with a queue, 80 % loaded: M/M/1.
//! struct Server {
//!     gap: Dist,
//!     work: Dist,
//!     arrivals: Stream,
//!     services: Stream,
//!     /// When each customer came; the first is being served.
//!     queue: VecDeque<Time>,
//!     served: u64,
//!     time_inside: Span,
//! }
//!
//! enum Event {
//!     Arrive,
//!     Depart,
//! }
//!
//! impl Server {
//!     fn serve(&mut self, ctx: &mut Context<Event>) {
//!         let work = Span::from_secs_f64(self.work.sample(&mut self.services));
//!         ctx.schedule_after(work, Event::Depart);
//!     }
//! }
//!
//! impl Model for Server {
//!     type Event = Event;
//!
//!     fn fingerprint(event: &Event) -> u64 {
//!         match event {
//!             Event::Arrive => 0,
//!             Event::Depart => 1,
//!         }
//!     }
//!
//!     fn handle(&mut self, event: Event, ctx: &mut Context<Event>) {
//!         match event {
//!             Event::Arrive => {
//!                 self.queue.push_back(ctx.now());
//!                 if self.queue.len() == 1 {
//!                     self.serve(ctx);
//!                 }
//!                 let gap = Span::from_secs_f64(self.gap.sample(&mut self.arrivals));
//!                 ctx.schedule_after(gap, Event::Arrive);
//!             }
//!             Event::Depart => {
//!                 let arrived = self.queue.pop_front().expect("someone was being served");
//!                 self.served += 1;
//!                 self.time_inside += ctx.now().since(arrived);
//!                 if !self.queue.is_empty() {
//!                     self.serve(ctx);
//!                 }
//!             }
//!         }
//!     }
//! }
//!
//! let streams = Streams::new(42);
//! let server = Server {
//!     gap: Dist::exponential(1.0)?,
//!     work: Dist::exponential(0.8)?,
//!     arrivals: streams.open(Purpose(0), 0),
//!     services: streams.open(Purpose(1), 0),
//!     queue: VecDeque::new(),
//!     served: 0,
//!     time_inside: Span::ZERO,
//! };
//! let mut sim = Simulation::new(server, Limits::default());
//! sim.context().schedule_after(Span::ZERO, Event::Arrive);
//! assert_eq!(sim.run_until(Time::ZERO + Span::secs(100_000)), Stop::Reached);
//!
//! // Theory says 0.8 / (1 - 0.8) = 4 seconds inside.
//! let mean = sim.model().time_inside.as_secs_f64() / sim.model().served as f64;
//! assert!((mean - 4.0).abs() < 0.3, "{mean}");
//! # Ok::<(), sim_core::DistError>(())
//! ```

pub mod digest;
pub mod dist;
mod heap;
pub mod intensity;
mod ladder;
pub mod limits;
pub mod math;
mod quantile;
mod queue;
pub mod simulation;
pub mod stream;
pub mod time;

pub use digest::{Checkpoint, Digest};
pub use dist::{Dist, DistError};
pub use intensity::Intensity;
pub use limits::{LimitHit, Limits};
pub use queue::{Handle, Lane};
pub use simulation::{Context, Model, Moment, Simulation, Step, Stop};
pub use stream::{Draw, Draws, Indexed, Purpose, Stream, Streams, mix};
pub use time::{Span, Time};
