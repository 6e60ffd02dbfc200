//! The worlds that the bench `engine` times. `theory.rs` checks each result, so that the figures
//! stay those of a working simulation.

use std::collections::VecDeque;

use sim_core::{
    Context, Dist, Draw, Handle, Limits, Model, Purpose, Simulation, Span, Stream, Streams, Time,
};

/// Limits that no benchmark reaches.
fn unlimited() -> Limits {
    Limits { steps_max: u64::MAX, time_max: Time::MAX, ..Limits::default() }
}

fn exponential(mean: Span) -> Dist {
    Dist::exponential(mean.as_secs_f64()).expect("the mean is positive")
}

fn span(dist: &Dist, draw: &mut impl Draw) -> Span {
    Span::from_secs_f64(dist.sample(draw))
}

/// The hold model: each event that fires is scheduled again, exp(1 s) later.
pub struct Hold {
    gap: Dist,
    draws: Stream,
}

impl Hold {
    pub fn simulation(pending: u64) -> Simulation<Hold> {
        let draws = Streams::new(1).open(Purpose(0), 0);
        let mut sim = Simulation::new(Hold { gap: exponential(Span::secs(1)), draws }, unlimited());
        for id in 0..pending {
            let model = sim.model_mut();
            let after = span(&model.gap, &mut model.draws);
            sim.context().schedule_after(after, id);
        }
        sim
    }
}

impl Model for Hold {
    type Event = u64;

    fn fingerprint(id: &u64) -> u64 {
        *id
    }

    fn handle(&mut self, id: u64, ctx: &mut Context<u64>) {
        ctx.schedule_after(span(&self.gap, &mut self.draws), id);
    }
}

/// Clients that each keep one request in flight, guarded by a timeout of a second that its
/// answer, exp(50 ms) later, cancels.
pub struct Guard {
    /// The guard of each client's request.
    guards: Vec<Handle>,
    latency: Dist,
    draws: Stream,
    pub requests: u64,
}

pub enum GuardEvent {
    Answer(u32),
    Timeout(u32),
}

impl Guard {
    pub fn simulation(clients: u32) -> Simulation<Guard> {
        let draws = Streams::new(1).open(Purpose(0), 0);
        let latency = exponential(Span::millis(50));
        let model = Guard { guards: Vec::new(), latency, draws, requests: 0 };
        let mut sim = Simulation::new(model, unlimited());
        for client in 0..clients {
            // Each client's first guard is its first event, so that the model sends the rest.
            let first = sim.context().schedule_after(Span::ZERO, GuardEvent::Timeout(client));
            sim.model_mut().guards.push(first);
        }
        sim
    }
}

impl Model for Guard {
    type Event = GuardEvent;

    fn fingerprint(event: &GuardEvent) -> u64 {
        match event {
            GuardEvent::Answer(client) => u64::from(*client),
            GuardEvent::Timeout(client) => 1 << 32 | u64::from(*client),
        }
    }

    fn handle(&mut self, event: GuardEvent, ctx: &mut Context<GuardEvent>) {
        let client = match event {
            GuardEvent::Answer(client) => {
                ctx.cancel(self.guards[client as usize]);
                client
            }
            GuardEvent::Timeout(client) => client,
        };
        self.requests += 1;
        // An answer never takes the whole second, so that no guard fires but the first.
        let latency = span(&self.latency, &mut self.draws).min(Span::millis(999));
        ctx.schedule_after(latency, GuardEvent::Answer(client));
        let timeout = ctx.lane(Span::secs(1));
        self.guards[client as usize] = ctx.schedule_on(timeout, GuardEvent::Timeout(client));
    }
}

/// M/M/1 at 90 % load: one arrival and one departure per customer.
pub struct Mm1 {
    gap: Dist,
    work: Dist,
    arrivals: Stream,
    services: Stream,
    /// When the customers in the queue came, the one in service first.
    queue: VecDeque<Time>,
    pub customers: u64,
    pub waited: Span,
}

pub enum Mm1Event {
    Arrive,
    Depart,
}

impl Mm1 {
    /// The mean service time.
    pub const WORK: Span = Span::millis(9);

    pub fn simulation() -> Simulation<Mm1> {
        let streams = Streams::new(1);
        let model = Mm1 {
            gap: exponential(Span::millis(10)),
            work: exponential(Mm1::WORK),
            arrivals: streams.open(Purpose(0), 0),
            services: streams.open(Purpose(1), 0),
            queue: VecDeque::new(),
            customers: 0,
            waited: Span::ZERO,
        };
        let mut sim = Simulation::new(model, unlimited());
        sim.context().schedule_after(Span::ZERO, Mm1Event::Arrive);
        sim
    }

    /// Takes the first customer in the queue into service.
    fn serve(&mut self, ctx: &mut Context<Mm1Event>) {
        if let Some(&arrived) = self.queue.front() {
            self.customers += 1;
            self.waited += ctx.now().since(arrived);
            ctx.schedule_after(span(&self.work, &mut self.services), Mm1Event::Depart);
        }
    }
}

impl Model for Mm1 {
    type Event = Mm1Event;

    fn fingerprint(event: &Mm1Event) -> u64 {
        match event {
            Mm1Event::Arrive => 0,
            Mm1Event::Depart => 1,
        }
    }

    fn handle(&mut self, event: Mm1Event, ctx: &mut Context<Mm1Event>) {
        match event {
            Mm1Event::Arrive => {
                ctx.schedule_after(span(&self.gap, &mut self.arrivals), Mm1Event::Arrive);
                self.queue.push_back(ctx.now());
                if self.queue.len() == 1 {
                    self.serve(ctx);
                }
            }
            Mm1Event::Depart => {
                self.queue.pop_front();
                self.serve(ctx);
            }
        }
    }
}
