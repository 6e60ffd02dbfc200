//! Clients: when intents arise, how often they are submitted, what the user is told.
//!
//! An intent is the user's decision. A double click submits it twice, a retry attempts it again;
//! ledger and invariants count per intent.

use sim_core::{Draw, Handle, Lane, Stream, Streams, Time, mix};
use sim_policies::{Ending, Fate};

use crate::intent::{Intent, IntentState};
use crate::invariant::Seen;
use crate::log::Note;
use crate::plan::{
    ActorId, ActorKind, ActorPlan, Arrivals, ClientPlan, Doing, KindId, LoadPlan, Plan, ProgramId,
    Requests,
};
use crate::trace::Lasting;
use crate::world::ids::TaskId;
use crate::world::shared::{ByActor, Shared};
use crate::world::task::Submission;
use crate::world::{Ctx, Event, luck};

/// A client's own state.
#[derive(Debug)]
struct ClientState {
    arrivals: Stream,
    intents: u32,
    /// The users of a closed load, or the sessions.
    visits: Vec<Visit>,
}

/// What is known of a user of a closed load, or of a session, from its start.
#[derive(Clone, Copy, Debug)]
struct Visit {
    /// How often the user has thought; of a session, its intents so far.
    rounds: u32,
    rounds_max: u32,
    /// The process of the client that serves it.
    instance: u32,
}

impl ClientState {
    fn new(arrivals: Stream) -> ClientState {
        ClientState { arrivals, intents: 0, visits: Vec::new() }
    }
}

/// A submission has come to its end, and the user knows how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// The word of its task.
    pub(super) submission: u64,
    pub(super) intent: u32,
    pub(super) begun: Time,
    pub(super) fate: Fate,
    /// What was given back, if the program came to that and ended well.
    pub(super) refunded: Option<KindId>,
    /// How the call ended that it failed of, if it did.
    pub(super) ending: Option<Ending>,
    /// It succeeded with a fallback's answer.
    pub(super) is_degraded: bool,
    /// It has asked for a refund.
    pub(super) is_refund: bool,
}

/// Every client.
#[derive(Debug)]
pub(super) struct Clients {
    by_actor: ByActor<ClientState>,
    /// Whether an arrival was drawn since somebody asked last.
    is_drawn: bool,
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
        Clients { by_actor, is_drawn: false, lanes: Vec::new() }
    }

    /// Arrivals that nobody has drawn yet come from other streams.
    pub(super) fn redraw_arrivals(&mut self, streams: &Streams) {
        for state in self.by_actor.iter_mut() {
            state.arrivals = state.arrivals.within(streams);
        }
    }

    /// Whether an arrival was drawn since this was asked last.
    pub(super) fn drawn(&mut self) -> bool {
        std::mem::take(&mut self.is_drawn)
    }

    pub(super) fn open_lanes(&mut self, plan: &Plan, ctx: &mut Ctx) {
        let lane = |actor: &ActorPlan| match &actor.kind {
            ActorKind::Client(client) => client.patience.map(|patience| ctx.lane(patience)),
            _ => None,
        };
        self.lanes = plan.actors.iter().map(lane).collect();
    }
}

/// Loads: when intents arise.
impl Clients {
    /// The first arrivals of a client are on their way.
    pub(super) fn start(&mut self, client: ActorId, shared: &Shared, ctx: &mut Ctx) {
        match plan_of(&shared.plan, client).load {
            LoadPlan::Open { rate, arrivals } | LoadPlan::Sessions { rate, arrivals, .. } => {
                // A constant load has its first arrival at its very start, a random one after a
                // first gap.
                let gap = match arrivals {
                    Arrivals::Constant => 0.0,
                    Arrivals::Poisson | Arrivals::Uniform => self.unit_gap(client, arrivals),
                };
                if let Some(at) = shared.plan.intensities[rate.index()].after(Time::ZERO, gap) {
                    shared.begin_at(at, Event::Arrive(client), ctx);
                }
            }
            LoadPlan::Closed { users, .. } => {
                let count = plan_of(&shared.plan, client).count;
                let visit =
                    |user| Visit { rounds: 0, rounds_max: u32::MAX, instance: user % count };
                self.by_actor[client].visits = (0..users).map(visit).collect();
                for user in 0..users {
                    self.think(client, user, shared, ctx);
                }
            }
            LoadPlan::Burst { at, .. } => {
                shared.begin_at(Time::ZERO + at, Event::Burst(client), ctx);
            }
            LoadPlan::Trace(trace) => {
                if let Some(at) = shared.plan.traces[trace.index()].first() {
                    shared.begin_at(*at, Event::Arrive(client), ctx);
                }
            }
        }
    }

    /// The gap to the next arrival at a rate of one.
    fn unit_gap(&mut self, client: ActorId, arrivals: Arrivals) -> f64 {
        self.is_drawn |= !matches!(arrivals, Arrivals::Constant);
        let draws = &mut self.by_actor[client].arrivals;
        match arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => -sim_core::math::ln(draws.unit_open()),
            Arrivals::Uniform => 2.0 * draws.unit(),
        }
    }

    /// An intent of an open load arises, and the next is on its way: the user, or the session.
    pub(super) fn arrive(&mut self, client: ActorId, shared: &Shared, ctx: &mut Ctx) -> u32 {
        let load = plan_of(&shared.plan, client).load;
        let next = match load {
            LoadPlan::Open { rate, arrivals } | LoadPlan::Sessions { rate, arrivals, .. } => {
                let gap = self.unit_gap(client, arrivals);
                shared.plan.intensities[rate.index()].after(ctx.now(), gap)
            }
            LoadPlan::Trace(trace) => {
                let next = self.by_actor[client].intents as usize + 1;
                shared.plan.traces[trace.index()].get(next).copied()
            }
            LoadPlan::Closed { .. } | LoadPlan::Burst { .. } => {
                unreachable!("only open loads have arrivals")
            }
        };
        if let Some(next) = next {
            shared.begin_at(next, Event::Arrive(client), ctx);
        }
        let LoadPlan::Sessions { requests, .. } = load else { return 0 };
        let visits = &mut self.by_actor[client].visits;
        let session = u32::try_from(visits.len()).expect("the memory limit bounds sessions");
        let entity = shared.plan.actors[client.index()].entity;
        let lineage = mix(entity, session.into());
        let rounds_max = intents_of(lineage, requests, shared);
        let instance = any_process(lineage, plan_of(&shared.plan, client).count, shared);
        visits.push(Visit { rounds: 1, rounds_max, instance });
        session
    }

    /// How many intents arise at once in a burst.
    pub(super) fn burst(client: ActorId, plan: &Plan) -> u32 {
        match plan_of(plan, client).load {
            LoadPlan::Burst { count, .. } => count,
            _ => unreachable!("only bursts burst"),
        }
    }

    /// A user who was answered, or begins, thinks of the next intent, if there is one.
    fn think(&mut self, client: ActorId, user: u32, shared: &Shared, ctx: &mut Ctx) {
        let (think, until) = match plan_of(&shared.plan, client).load {
            LoadPlan::Closed { think, until, .. } => (think, Time::ZERO + until),
            LoadPlan::Sessions { think, .. } => (think, Time::MAX),
            _ => return,
        };
        let visit = &mut self.by_actor[client].visits[user as usize];
        if visit.rounds >= visit.rounds_max {
            return;
        }
        visit.rounds += 1;
        let lineage = self.round_lineage(client, user, &shared.plan);
        let mut draws = shared.luck.think.at(lineage);
        let at = ctx.now() + shared.span(think, &mut draws);
        if at < until {
            shared.begin_at(at, Event::Decide { client, user }, ctx);
        }
    }

    /// Addresses the luck of a closed-loop user's, or a session's, present round.
    fn round_lineage(&self, client: ActorId, user: u32, plan: &Plan) -> u64 {
        let round = self.by_actor[client].visits[user as usize].rounds;
        let entity = plan.actors[client.index()].entity;
        mix(mix(entity, user.into()), round.into())
    }
}

/// Intents: from the user's decision to what the user knows in the end.
impl Clients {
    /// A user makes up their mind: all later clicks of the intent are on their way.
    pub(super) fn decide(
        &mut self,
        client: ActorId,
        user: u32,
        shared: &mut Shared,
        ctx: &mut Ctx,
    ) -> u32 {
        let ClientPlan { clicks, apart, load, refund_after, .. } = *plan_of(&shared.plan, client);
        let state = &mut self.by_actor[client];
        state.intents += 1;
        let number = state.intents;
        let lineage = match load {
            LoadPlan::Closed { .. } | LoadPlan::Sessions { .. } => {
                self.round_lineage(client, user, &shared.plan)
            }
            _ => mix(shared.plan.actors[client.index()].entity, number.into()),
        };
        let instance = self.process_of(client, user, lineage, shared);
        let intent = Intent::new(client, number, lineage, ctx.now());
        let told_at = ctx.moment();
        let expected = clicks;
        let intent = shared.intents.push(Intent { user, instance, told_at, expected, ..intent });
        shared.metrics.intended(client, clicks, ctx.now());
        for later in 1..clicks {
            let at = ctx.now() + apart * u64::from(later);
            let handle = ctx.schedule_at(at, Event::Submit { intent, submission: later + 1 });
            shared.arm(Some(intent), at, handle, ctx);
        }
        if let Some(after) = refund_after {
            let does = Doing::Refund;
            shared.begin_at(ctx.now() + after, Event::Do { intent, does }, ctx);
        }
        intent
    }

    /// One more submission of an intent is to come than was known: its number.
    pub(super) fn expect_more(intent: u32, shared: &mut Shared) -> u32 {
        let intent = &mut shared.intents[intent];
        intent.expected += 1;
        shared.metrics.expects_more(intent.begun);
        intent.expected
    }

    /// The process of its client at which an intent arises.
    ///
    /// Each of `n` processes with Poisson arrivals of its own is what a random one of `n` for each
    /// arrival makes of one Poisson load; and going round makes constant arrivals of a constant load.
    fn process_of(&self, client: ActorId, user: u32, lineage: u64, shared: &Shared) -> u32 {
        let ClientPlan { load, count, .. } = *plan_of(&shared.plan, client);
        let state = &self.by_actor[client];
        match load {
            LoadPlan::Closed { .. } | LoadPlan::Sessions { .. } => {
                state.visits[user as usize].instance
            }
            LoadPlan::Open { arrivals: Arrivals::Constant, .. } | LoadPlan::Burst { .. } => {
                (state.intents - 1) % count
            }
            LoadPlan::Open { .. } | LoadPlan::Trace(_) => any_process(lineage, count, shared),
        }
    }

    /// A click: the submission that begins.
    pub(super) fn submit(
        intent: u32,
        submission: u32,
        refund: Option<ProgramId>,
        shared: &mut Shared,
        ctx: &Ctx,
    ) -> Submission {
        shared.intents[intent].submitted += 1;
        let Intent { client, lineage, keys, instance, .. } = shared.intents[intent];
        let lineage = mix(lineage, submission.into());
        shared.begins(lineage, intent, Lasting::Submission(submission), ctx);
        shared.metrics.submitted(client);
        shared.show(Seen::Submitted { client }, ctx);
        let does = match (refund, keys) {
            (Some(_), _) => Doing::Refund,
            (None, 1) => Doing::Click,
            (None, _) => Doing::NewKey,
        };
        shared.note(Note::Submitted { intent, submission, does }, ctx);
        let (plan, number) = (*plan_of(&shared.plan, client), submission);
        let program = refund.unwrap_or(plan.program);
        Submission { client, plan, program, keys, intent, number, instance, lineage }
    }

    /// The end of a user's patience with a submission, if it has one.
    pub(super) fn patience(&self, client: ActorId, task: TaskId, ctx: &mut Ctx) -> Option<Handle> {
        self.lanes[client.index()].map(|lane| ctx.schedule_on(lane, Event::Leave(task)))
    }

    /// A submission has come to its end. After the last one the user may think of the next intent.
    pub(super) fn end(&mut self, told: Told, shared: &mut Shared, ctx: &mut Ctx) {
        let Told { submission, intent: id, begun, fate, refunded, .. } = told;
        let Told { ending, is_degraded, is_refund, .. } = told;
        let intent = &mut shared.intents[id];
        intent.ended += 1;
        let before = (intent.told, intent.refunded);
        if is_refund {
            intent.hear_of_refund(fate, refunded);
        } else {
            intent.hear(fate, refunded, begun);
        }
        if (intent.told, intent.refunded) != before {
            intent.told_at = ctx.moment();
        }
        let plan = *plan_of(&shared.plan, intent.client);
        let came_to_nothing = !is_refund && intent.told != Some(Fate::Succeeded);
        let begins_anew =
            came_to_nothing && intent.ended == intent.expected && intent.keys <= plan.new_keys;
        if begins_anew {
            intent.keys += 1;
            intent.has_quit = false;
            let number = Clients::expect_more(id, shared);
            shared.begin_at(
                ctx.now() + plan.apart,
                Event::Submit { intent: id, submission: number },
                ctx,
            );
        }
        let intent = &mut shared.intents[id];
        let is_last = intent.ended == intent.expected;
        let succeeds = fate == Fate::Succeeded && !is_refund;
        let counts = (succeeds || is_last) && intent.counted.is_none();
        if counts {
            let state = match intent.told {
                _ if succeeds && is_degraded => IntentState::Degraded,
                _ if succeeds => IntentState::Succeeded,
                Some(Fate::Failed) => IntentState::Failed,
                _ => IntentState::Unknown,
            };
            intent.counted = Some((ctx.now(), state));
        }
        let is_over = is_last && !std::mem::replace(&mut intent.is_over, is_last);
        let Intent { client, user, begun: arose, .. } = *intent;
        ctx.observe(mix(fate as u64, id.into()));
        shared.metrics.ended(client, fate, [arose, begun], ctx.now());
        if counts && succeeds {
            shared.metrics.achieved(client, is_degraded, arose, ctx.now());
        } else if counts {
            shared.metrics.missed(client, arose, ctx.now());
        }
        // What is refused to a refund says nothing of the payment.
        let ending = ending.filter(|_| !is_refund);
        shared.show(Seen::Ended { submission, intent: id, begun, fate, ending, is_degraded }, ctx);
        shared.note(Note::Told { intent: id, fate, refunded }, ctx);
        if is_over {
            self.think(client, user, shared, ctx);
        }
    }
}

pub(super) fn plan_of(plan: &Plan, client: ActorId) -> &ClientPlan {
    match &plan.actors[client.index()].kind {
        ActorKind::Client(plan) => plan,
        _ => unreachable!("only clients have loads"),
    }
}

/// One of so many processes of a client, at random.
fn any_process(lineage: u64, count: u32, shared: &Shared) -> u32 {
    if count == 1 { 0 } else { shared.luck.instance.at(lineage).below(count.into()) as u32 }
}

/// How many intents a session has.
fn intents_of(lineage: u64, requests: Requests, shared: &Shared) -> u32 {
    match requests {
        Requests::Constant(count) => count,
        Requests::Geometric(mean) => {
            let draw = shared.luck.session.at(lineage).unit();
            // By inversion; a mean of 1 leaves by a probability of 1.
            let stays = sim_core::math::ln(1.0 - 1.0 / mean);
            ((sim_core::math::ln(1.0 - draw) / stays) as u32).saturating_add(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::{Dist, Span};
    use sim_redis::value::Value;

    use crate::plan::{DistId, Operand};
    use crate::world::bench::{self, Bench};

    const USERS: ActorId = ActorId(0);

    fn users(load: LoadPlan) -> ClientPlan {
        let nil = Operand::Const(Value::Nil);
        let patience = Some(Span::secs(5));
        let (program, clicks, apart) = (ProgramId(0), 2, Span::secs(1));
        let (new_keys, refund, refund_after) = (0, None, None);
        ClientPlan {
            load,
            count: 1,
            clicks,
            apart,
            patience,
            new_keys,
            body: nil,
            program,
            refund,
            refund_after,
            key: nil,
        }
    }

    fn bench(client: ClientPlan) -> (Bench, Clients) {
        let mut plan = bench::plan(vec![ActorKind::Client(client)]);
        plan.dists = vec![Dist::constant(3.0).unwrap()];
        let mut clients = Clients::new(&plan, &Streams::new(7));
        let mut bench = Bench::new(plan);
        bench.act(|shared, ctx| {
            clients.open_lanes(&shared.plan, ctx);
            clients.start(USERS, shared, ctx);
        });
        (bench, clients)
    }

    fn ends(bench: &mut Bench, clients: &mut Clients, intent: u32, fate: Fate) {
        let (begun, refunded, ending, is_degraded, is_refund) =
            (Time::ZERO, None, None, false, false);
        let told =
            Told { submission: 0, intent, begun, fate, refunded, ending, is_degraded, is_refund };
        bench.act(|shared, ctx| clients.end(told, shared, ctx));
    }

    fn secs(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    #[test]
    fn a_user_of_a_closed_load_thinks_after_the_last_answer_and_not_before() {
        let load = LoadPlan::Closed { users: 1, think: DistId(0), until: Span::secs(60) };
        let (mut bench, mut clients) = bench(users(load));
        let Some((at, Event::Decide { user: 0, .. })) = bench.next() else {
            panic!("the user has thought")
        };
        assert_eq!(at, secs(3));
        let intent = bench.act(|shared, ctx| clients.decide(USERS, 0, shared, ctx));
        ends(&mut bench, &mut clients, intent, Fate::Failed);
        let Some((at, Event::Submit { submission: 2, .. })) = bench.next() else {
            panic!("the second click is on its way")
        };
        assert_eq!(at, secs(4));
        assert!(bench.next().is_none(), "one of two clicks has no answer yet");
        ends(&mut bench, &mut clients, intent, Fate::Succeeded);
        assert!(matches!(bench.next(), Some((at, Event::Decide { .. })) if at == secs(7)));
    }

    #[test]
    fn what_a_user_knows_of_an_intent_only_gets_better() {
        let load = LoadPlan::Burst { count: 1, at: Span::ZERO };
        let (mut bench, mut clients) = bench(ClientPlan { clicks: 5, ..users(load) });
        let intent = bench.act(|shared, ctx| clients.decide(USERS, 0, shared, ctx));
        let mut told = |fate| {
            ends(&mut bench, &mut clients, intent, fate);
            bench.shared.intents[intent].told
        };
        assert_eq!(told(Fate::Failed), Some(Fate::Failed));
        assert_eq!(told(Fate::Unknown), Some(Fate::Unknown));
        assert_eq!(told(Fate::Failed), Some(Fate::Unknown), "the other may have done it");
        assert_eq!(told(Fate::Succeeded), Some(Fate::Succeeded));
        assert_eq!(told(Fate::Unknown), Some(Fate::Succeeded));
    }

    #[test]
    fn patience_ends_a_submission_that_has_no_answer_in_time() {
        let load = LoadPlan::Burst { count: 1, at: Span::secs(2) };
        let (mut bench, clients) = bench(users(load));
        assert!(matches!(bench.next(), Some((_, Event::Burst(USERS)))));
        let task = TaskId::default();
        let leave = bench.act(|_, ctx| clients.patience(USERS, task, ctx));
        assert!(leave.is_some());
        let Some((at, Event::Leave(who))) = bench.next() else { panic!("the user leaves") };
        assert_eq!((at, who), (secs(7), task));
    }
}
