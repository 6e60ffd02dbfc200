//! A reverse proxy between the caller and several hosts: it chooses one, and may pass a request on.

use sim_policies::proxy::{Next, Passage, Proxy};
use sim_policies::{Fate, Reason};

use super::{Call, HangUp, Own, Then, Timer, Verbs, Walk, checked};
use crate::invariant::Seen;
use crate::log::Note;
use crate::plan::{Site, UpstreamPlan};
use crate::world::network::Answer;

/// A request on its way through the proxy.
#[derive(Debug)]
pub(super) struct Held {
    passage: Passage,
    /// The wait before the same host is connected to again.
    waits: Option<Timer>,
}

impl Verbs for Held {
    type Plan = UpstreamPlan;
    type Memory = Proxy;

    fn fresh(plan: &UpstreamPlan) -> Proxy {
        checked(Proxy::new(&plan.config, &plan.hosts))
    }

    fn enter(at: &mut Walk<'_>) -> Then {
        let method = at.shared.plan.sites[at.the_call().site.index()].method;
        let Own { memory: proxy, ctx, .. } = at.own::<Held>();
        let (passage, first) = proxy.begin(method, ctx.now());
        let nobody = proxy.nobody();
        let Some(host) = first else {
            let _ = at.not_sent(Reason::AllEjected);
            return Then::Up(Answer::bare(nobody));
        };
        choose(host, at);
        Then::Down(Held { passage, waits: None }.into())
    }

    fn leave(mut self, answer: Answer, at: &mut Walk<'_>) -> Then {
        let Own { memory: proxy, ctx, .. } = at.own::<Held>();
        let ending = answer.ending;
        let (server, after) = match proxy.next(&mut self.passage, ctx.now(), ending) {
            Next::Pass { server, after } => (server, after),
            // The body is that of the host whose status it is.
            Next::Answer(instead) if instead == ending => return Then::Up(answer),
            Next::Answer(instead) => return Then::Up(Answer::bare(instead)),
            Next::Nobody(instead) => {
                let _ = at.not_sent(Reason::AllEjected);
                return Then::Up(Answer::bare(instead));
            }
        };
        let Call { site, in_doubt, sent, .. } = *at.the_call();
        let Site { repeatable, pair, .. } = at.shared.plan.sites[site.index()];
        if (in_doubt || ending.fate() == Fate::Unknown) && !repeatable {
            at.shared.metrics.unsafe_retry(pair);
        }
        let (intent, attempt) = (at.the_call().intent, sent + 1);
        at.shared.show(Seen::Retry { pair, intent, attempt, wait: after, ending }, at.ctx);
        at.shared.note(Note::Retry { intent, pair, attempt, after, ending }, at.ctx);
        choose(server, at);
        if after.is_zero() {
            return Then::Down(self.into());
        }
        self.waits = Some(at.timer_after(after));
        Then::Stays(self.into())
    }

    fn timer(mut self, number: u32, _: &mut Walk<'_>) -> Then {
        if self.waits.is_none_or(|timer| timer.number != number) {
            return Then::Stays(self.into());
        }
        self.waits = None;
        Then::Down(self.into())
    }

    fn let_go(self, at: &mut Walk<'_>) -> Option<HangUp> {
        if let Some(timer) = self.waits {
            timer.cancel(at.ctx);
        }
        None
    }
}

/// The next attempt goes to this host.
fn choose(host: usize, at: &mut Walk<'_>) {
    let site = &at.shared.plan.sites[at.the_call().site.index()];
    let chosen = site.instead(at.n, host);
    at.the_call_mut().host = Some(chosen);
}
