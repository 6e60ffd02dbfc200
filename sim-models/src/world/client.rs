//! Clients: when intents arise, how often they are submitted, what the user is told.
//!
//! An intent is the user's decision. A double click submits it twice, a retry attempts it again;
//! ledger and invariants count per intent.

use sim_core::{Draw, Lane, Moment, Stream, Streams, Time, mix};
use sim_policies::{Ending, Fate};
use sim_redis::value::Value;

use crate::intent::Intent;
use crate::invariant::Seen;
use crate::log::Note;
use crate::plan::{
    ActorId, ActorKind, ActorPlan, Arrivals, ClientPlan, LoadPlan, Plan, ProgramId, Requests,
    builtin,
};
use crate::pool::Id;
use crate::world::shared::ByActor;
use crate::world::task::Origin;
use crate::world::task::Task;
use crate::world::{Ctx, Event, World, luck};

/// A client's own state.
#[derive(Debug)]
pub(super) struct ClientState {
    arrivals: Stream,
    intents: u32,
    /// Of a closed load: how often each user has thought; of sessions: the intents of each.
    rounds: Vec<u32>,
}

impl ClientState {
    pub(super) fn new(arrivals: Stream) -> ClientState {
        ClientState { arrivals, intents: 0, rounds: Vec::new() }
    }
}

/// Every client.
#[derive(Debug)]
pub(super) struct Clients {
    by_actor: ByActor<ClientState>,
    /// The lane of each client's patience.
    lanes: Vec<Option<Lane>>,
}

impl Clients {
    pub(super) fn new(plan: &Plan, streams: &Streams) -> Clients {
        let by_actor = ByActor::new(plan, |id| {
            let actor = &plan.actors[id.index()];
            let arrivals = || streams.open(luck::ARRIVAL, actor.entity);
            matches!(actor.kind, ActorKind::Client(_)).then(|| ClientState::new(arrivals()))
        });
        Clients { by_actor, lanes: Vec::new() }
    }

    pub(super) fn open_lanes(&mut self, plan: &Plan, ctx: &mut Ctx) {
        let lane = |actor: &ActorPlan| match &actor.kind {
            ActorKind::Client(client) => client.patience.map(|patience| ctx.lane(patience)),
            _ => None,
        };
        self.lanes = plan.actors.iter().map(lane).collect();
    }
}

impl World {
    fn client_plan(&self, client: ActorId) -> &ClientPlan {
        match &self.shared.plan.actors[client.index()].kind {
            ActorKind::Client(plan) => plan,
            _ => unreachable!("only clients have loads"),
        }
    }

    fn client(&mut self, client: ActorId) -> &mut ClientState {
        &mut self.clients.by_actor[client]
    }

    pub(super) fn start_client(&mut self, client: ActorId, load: LoadPlan, ctx: &mut Ctx) {
        match load {
            LoadPlan::Open { rate, arrivals } | LoadPlan::Sessions { rate, arrivals, .. } => {
                // A constant load has its first arrival at its very start, a random one after a
                // first gap.
                let gap = match arrivals {
                    Arrivals::Constant => 0.0,
                    Arrivals::Poisson | Arrivals::Uniform => self.unit_gap(client, arrivals),
                };
                if let Some(at) = self.shared.plan.intensities[rate.index()].after(Time::ZERO, gap)
                {
                    ctx.schedule_at(at, Event::Arrive(client));
                }
            }
            LoadPlan::Closed { users, .. } => {
                self.client(client).rounds = vec![0; users as usize];
                for user in 0..users {
                    self.think(client, user, ctx);
                }
            }
            LoadPlan::Burst { at, .. } => {
                ctx.schedule_at(Time::ZERO + at, Event::Burst(client));
            }
            LoadPlan::Trace(trace) => {
                if let Some(at) = self.shared.plan.traces[trace.index()].first() {
                    ctx.schedule_at(*at, Event::Arrive(client));
                }
            }
        }
    }

    /// The gap to the next arrival at a rate of one.
    fn unit_gap(&mut self, client: ActorId, arrivals: Arrivals) -> f64 {
        let draws = &mut self.client(client).arrivals;
        match arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => -sim_core::math::ln(draws.unit_open()),
            Arrivals::Uniform => 2.0 * draws.unit(),
        }
    }

    pub(super) fn arrive(&mut self, client: ActorId, ctx: &mut Ctx) {
        let load = self.client_plan(client).load;
        let next = match load {
            LoadPlan::Open { rate, arrivals } | LoadPlan::Sessions { rate, arrivals, .. } => {
                let gap = self.unit_gap(client, arrivals);
                self.shared.plan.intensities[rate.index()].after(ctx.now(), gap)
            }
            LoadPlan::Trace(trace) => {
                let next = self.client(client).intents as usize + 1;
                self.shared.plan.traces[trace.index()].get(next).copied()
            }
            LoadPlan::Closed { .. } | LoadPlan::Burst { .. } => {
                unreachable!("only open loads have arrivals")
            }
        };
        if let Some(next) = next {
            ctx.schedule_at(next, Event::Arrive(client));
        }
        let mut user = 0;
        if let LoadPlan::Sessions { .. } = load {
            let rounds = &mut self.client(client).rounds;
            user = u32::try_from(rounds.len()).expect("the memory limit bounds sessions");
            rounds.push(1);
        }
        self.begin(client, user, ctx);
    }

    pub(super) fn burst(&mut self, client: ActorId, ctx: &mut Ctx) {
        let LoadPlan::Burst { count, .. } = self.client_plan(client).load else {
            unreachable!("only bursts burst")
        };
        for _ in 0..count {
            self.begin(client, 0, ctx);
        }
    }

    pub(super) fn decide(&mut self, client: ActorId, user: u32, ctx: &mut Ctx) {
        self.begin(client, user, ctx);
    }

    /// A user who was answered, or begins, thinks of the next intent, if there is one.
    fn think(&mut self, client: ActorId, user: u32, ctx: &mut Ctx) {
        let (think, until) = match self.client_plan(client).load {
            LoadPlan::Closed { think, until, .. } => (think, Time::ZERO + until),
            LoadPlan::Sessions { think, requests, .. } => {
                let done = self.client(client).rounds[user as usize];
                if done >= self.requests(client, user, requests) {
                    return;
                }
                (think, Time::MAX)
            }
            _ => return,
        };
        self.client(client).rounds[user as usize] += 1;
        let lineage = self.round_lineage(client, user);
        let mut draws = self.shared.luck.think.at(lineage);
        let at = ctx.now() + self.shared.span(think, &mut draws);
        if at < until {
            ctx.schedule_at(at, Event::Decide { client, user });
        }
    }

    /// How many intents a session has.
    fn requests(&self, client: ActorId, session: u32, requests: Requests) -> u32 {
        match requests {
            Requests::Constant(count) => count,
            Requests::Geometric(mean) => {
                let entity = self.shared.plan.actors[client.index()].entity;
                let draw = self.shared.luck.session.at(mix(entity, session.into())).unit();
                // By inversion; a mean of 1 leaves by a probability of 1.
                let stays = sim_core::math::ln(1.0 - 1.0 / mean);
                1 + (sim_core::math::ln(1.0 - draw) / stays) as u32
            }
        }
    }

    /// Addresses the luck of a closed-loop user's, or a session's, present round.
    fn round_lineage(&mut self, client: ActorId, user: u32) -> u64 {
        let round = self.client(client).rounds[user as usize];
        let entity = self.shared.plan.actors[client.index()].entity;
        mix(mix(entity, user.into()), round.into())
    }

    /// A user makes up their mind: all clicks of the intent are on their way.
    fn begin(&mut self, client: ActorId, user: u32, ctx: &mut Ctx) {
        let ClientPlan { clicks, apart, load, .. } = *self.client_plan(client);
        let state = self.client(client);
        state.intents += 1;
        let number = state.intents;
        let lineage = match load {
            LoadPlan::Closed { .. } | LoadPlan::Sessions { .. } => self.round_lineage(client, user),
            _ => mix(self.shared.plan.actors[client.index()].entity, number.into()),
        };
        let id = self.shared.intents.push(Intent {
            client,
            number,
            user,
            lineage,
            begun: ctx.now(),
            submitted: 0,
            ended: 0,
            told: None,
            told_at: ctx.moment(),
            background: None,
        });
        self.shared.metrics.intended(client, ctx.now());
        for later in 1..clicks {
            let at = ctx.now() + apart * u64::from(later);
            ctx.schedule_at(at, Event::Submit { intent: id, submission: later + 1 });
        }
        self.submit(id, 1, ctx);
    }

    pub(super) fn submit(&mut self, intent: u32, submission: u32, ctx: &mut Ctx) {
        self.shared.intents[intent].submitted += 1;
        let Intent { client, lineage, .. } = self.shared.intents[intent];
        let lineage = mix(lineage, submission.into());
        self.shared.metrics.submitted(client);
        self.shared.show(Seen::Submitted { client }, ctx);
        self.shared.note(Note::Submitted { intent, submission }, ctx);
        let task = self.new_task(client, self.client_plan(client).program, intent, lineage);
        let leave = self.clients.lanes[client.index()]
            .map(|lane| ctx.schedule_on(lane, Event::Leave(task)));
        let ClientPlan { program, key, body, .. } = *self.client_plan(client);
        let program = &self.shared.plan.programs[program.index()];
        let (reads_key, reads_body) = (program.reads_key, program.reads_body);
        let entry = &mut self.tasks[task];
        entry.origin = Origin::Submission { begun: ctx.now(), leave };
        entry.set(builtin::SUBMISSION, Value::Int(submission.into()));
        self.set_clock(task, ctx);
        if reads_key {
            let key = self.eval(task, key);
            self.tasks[task].set(builtin::KEY, key);
        }
        if reads_body {
            let body = self.eval(task, body);
            self.tasks[task].set(builtin::BODY, body);
        }
        self.tasks.ready.push_back(task);
    }

    /// The user gives up on a submission; what was sent goes on without them.
    pub(super) fn leave(&mut self, task: Id<Task>, ctx: &mut Ctx) {
        let Some(entry) = self.tasks.get_mut(task) else { return };
        let intent = entry.intent;
        if let Origin::Submission { leave, .. } = &mut entry.origin {
            *leave = None;
        }
        self.shared.note(Note::Left { intent }, ctx);
        self.abandon(task, ctx);
        self.end_submission(task, Fate::Unknown, None, ctx);
    }

    /// A submission has come to its end, and the user knows `fate`. `ending` is how the call ended
    /// that it failed of, if it did.
    pub(super) fn end_submission(
        &mut self,
        task: Id<Task>,
        fate: Fate,
        ending: Option<Ending>,
        ctx: &mut Ctx,
    ) {
        let entry = &self.tasks[task];
        let intent_id = entry.intent;
        let Origin::Submission { begun, leave } = entry.origin else {
            unreachable!("only submissions end here")
        };
        if let Some(handle) = leave {
            ctx.cancel(handle);
        }
        self.tasks.free(task);
        let intent = &mut self.shared.intents[intent_id];
        intent.ended += 1;
        let first_success = fate == Fate::Succeeded && intent.told != Some(Fate::Succeeded);
        // Success outweighs everything, and doubt outweighs a failure: one submission of the
        // intent may have done what another failed to do.
        let before = intent.told;
        intent.told = Some(match (intent.told, fate) {
            (Some(Fate::Succeeded), _) | (_, Fate::Succeeded) => Fate::Succeeded,
            (Some(Fate::Unknown), _) | (_, Fate::Unknown) => Fate::Unknown,
            (_, Fate::Failed) => Fate::Failed,
        });
        if intent.told != before {
            intent.told_at = ctx.moment();
        }
        let Intent { client, user, ended, told, begun: arose, .. } = *intent;
        let is_last = ended == self.client_plan(client).clicks;
        ctx.observe(mix(fate as u64, intent_id.into()));
        self.shared.metrics.ended(client, fate, begun, ctx.now());
        if first_success {
            self.shared.metrics.achieved(arose, ctx.now());
        } else if is_last && told != Some(Fate::Succeeded) {
            self.shared.metrics.missed(arose, ctx.now());
        }
        let (submission, intent) = (task.word(), intent_id);
        self.shared.show(Seen::Ended { submission, intent, begun, fate, ending }, ctx);
        self.shared.note(Note::Told { intent: intent_id, fate }, ctx);
        if is_last {
            self.think(client, user, ctx);
        }
    }

    /// An intent of nobody's, for a program that a service runs by itself.
    pub(super) fn background_intent(&mut self, actor: ActorId, program: ProgramId) -> u32 {
        self.shared.intents.push(Intent {
            client: actor,
            number: 0,
            user: 0,
            lineage: self.shared.plan.actors[actor.index()].entity,
            begun: Time::ZERO,
            submitted: 0,
            ended: 0,
            told: None,
            background: Some(program),
            told_at: Moment { at: Time::ZERO, step: 0 },
        })
    }
}
