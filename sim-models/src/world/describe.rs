//! What an event is, for people.

use super::{Event, World};
use crate::plan::ActorId;
use crate::world::ids::{RequestId, TaskId};

impl World {
    /// What an event is, for people.
    pub(crate) fn describe(&self, event: Event) -> String {
        let actor = |id: ActorId| self.shared.plan.actor_name(id);
        let task = |id: TaskId| match self.tasks.all.get(id) {
            Some(task) => {
                let intent = self.shared.intent_name(task.intent);
                format!("{} for {intent}", self.shared.plan.programs[task.program().index()].name)
            }
            None => "a task that is gone".to_owned(),
        };
        let request = |id: RequestId| match self.network.requests.get(id) {
            Some(request) => {
                let (pair, intent) = (request.pair, self.shared.intent_name(request.intent));
                format!(
                    "{} attempt {} for {intent}",
                    self.shared.plan.pair_name(pair),
                    request.attempt
                )
            }
            None => "a message that is gone".to_owned(),
        };
        match event {
            Event::Arrive(client) => format!("arrival at {}", actor(client)),
            Event::Burst(client) => format!("burst at {}", actor(client)),
            Event::Decide { client, user } => format!("user {user} of {} decides", actor(client)),
            Event::Submit { intent, submission } => {
                format!("click {submission} of {}", self.shared.intent_name(intent))
            }
            Event::Resume(id) => format!("resume {}", task(id)),
            Event::Leave(id) => format!("patience ends: {}", task(id)),
            Event::Do { intent, does } => {
                format!("{} of {}", does.name(), self.shared.intent_name(intent))
            }
            Event::Send(id) => format!("late copy of {}", request(id)),
            Event::Deliver(id) => format!("request {}", request(id)),
            Event::Answer(id) => format!("answer {}", request(id)),
            Event::Timer { call, layer, .. } => match self.stack.task_of(call) {
                Some(id) => format!("timer of policy {layer}: {}", task(id)),
                None => "a timer that is gone".to_owned(),
            },
            Event::Served(id) => format!("command done {}", request(id)),
            Event::Strike(fault) => {
                format!("fault: {}", self.shared.plan.faults[fault.index()].label)
            }
            Event::Heal(fault) => {
                format!("healed: {}", self.shared.plan.faults[fault.index()].label)
            }
            Event::Reply(id) => format!("reply {}", request(id)),
            Event::Wake(id) => match self.customs.wake_of(id) {
                Some((id, token)) => format!("wake {} ({token})", actor(id)),
                None => "a wake-up that is gone".to_owned(),
            },
            Event::Copied(id) => match self.stores.way_of(id) {
                Some((from, to)) => format!("copy {}->{}", actor(from), actor(to)),
                None => "a copy that is gone".to_owned(),
            },
            Event::WakeBreaker { breaker, instance } => {
                let plan = &self.shared.plan;
                format!("breaker {}", plan.layer_name(plan.breakers[breaker.index()], instance))
            }
            Event::Sweep { outlier, instance } => {
                let plan = &self.shared.plan;
                let name = plan.layer_name(plan.outliers[outlier.index()], instance);
                format!("outlier detection {name}")
            }
            Event::Disconnect(id) => format!("caller gone {}", request(id)),
            Event::Scale(id) => format!("autoscaler of {}", actor(id)),
            Event::Started { actor: id, instance } => {
                format!("instance {instance} of {} is up", actor(id))
            }
            Event::Turn(id) => {
                let program = self.shared.plan.jobs[id.index()].program;
                format!("turn of {}", self.shared.plan.programs[program.index()].name)
            }
            Event::Visible(id) => match self.brokers.broker_of(id, &self.shared) {
                Some(broker) => format!("message of {} visible again", actor(broker)),
                None => "a message that was acknowledged".to_owned(),
            },
        }
    }
}
