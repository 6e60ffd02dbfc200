//! Programs as flat lists of instructions over registers.

use sim_policies::{Advice, Method};
use sim_redis::value::{FieldId, Value};

use super::*;

/// A program's frame.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// `api.pay`, or the client's name.
    pub name: String,
    pub entry: Pc,
    pub registers: u16,
    /// Which of the request's own variables the program reads.
    pub reads_key: bool,
    pub reads_body: bool,
    pub reads_client: bool,
    /// It reads `{now}`.
    pub reads_clock: bool,
    /// Under a design: what of a request it compares, and what it keeps as the answer.
    pub canonical: Option<Reg>,
    pub result: Option<Reg>,
}

/// The registers that every program has, filled by the interpreter.
pub(crate) mod builtin {
    use super::Reg;

    /// The request's idempotency key.
    pub(crate) const KEY: Reg = Reg(0);
    /// The request's content.
    pub(crate) const BODY: Reg = Reg(1);
    /// The number of the intent at its client.
    pub(crate) const INTENT: Reg = Reg(2);
    /// In a call's key and body: the number of the attempt, from 1.
    pub(crate) const ATTEMPT: Reg = Reg(3);
    /// A number that no other execution of a program has: a lock token.
    pub(crate) const EXECUTION: Reg = Reg(4);
    /// The number of the click, from 1.
    pub(crate) const SUBMISSION: Reg = Reg(5);
    /// In `catch`: the status of the error, if it had one.
    pub(crate) const ERROR_STATUS: Reg = Reg(6);
    /// In `catch`: `status`, `timeout`, `refused`, `reset` or `rejected`.
    pub(crate) const ERROR_KIND: Reg = Reg(7);
    /// In `catch`: `failed` or `unknown`.
    pub(crate) const ERROR_FATE: Reg = Reg(8);
    /// The number of the intent in the whole run.
    pub(crate) const ORIGIN: Reg = Reg(9);
    /// The name of the intent's client: a tenant.
    pub(crate) const CLIENT: Reg = Reg(10);
    /// In `catch`: the content of the answer, if the error was one.
    pub(crate) const ERROR_BODY: Reg = Reg(11);
    /// The actor's own wall clock, in milliseconds since the run began.
    pub(crate) const NOW: Reg = Reg(12);
    /// Their names, by register.
    pub(crate) const NAMES: [&str; 13] = [
        "key",
        "body",
        "intent",
        "attempt",
        "execution",
        "submission",
        "error.status",
        "error.kind",
        "error.fate",
        "origin",
        "client",
        "error.body",
        "now",
    ];
}

/// The values of `{error.kind}` and `{error.fate}`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words {
    pub status: Value,
    pub timeout: Value,
    pub refused: Value,
    pub reset: Value,
    pub rejected: Value,
    pub failed: Value,
    pub unknown: Value,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operand {
    Const(Value),
    Reg(Reg),
    Field(Reg, FieldId),
    Template(TemplateId),
    Record(RecordTemplateId),
}

/// A piece of a text with variables.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Literal(String),
    Hole(Operand),
}

#[derive(Clone, Debug)]
pub(crate) enum CondPlan {
    Is(Operand),
    Eq(Operand, Operand),
    Lt(Operand, Operand),
    Le(Operand, Operand),
    Not(CondId),
    All(Vec<CondId>),
    Any(Vec<CondId>),
}

/// One instruction. A task runs them until one has to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instr {
    /// Waits with a worker.
    Work(DistId),
    /// Waits without one.
    Sleep(DistId),
    /// Calls and waits.
    Call(SiteId),
    Let {
        to: Reg,
        value: Operand,
    },
    Add {
        to: Reg,
        a: Operand,
        b: Operand,
    },
    Jump(Pc),
    /// Jumps when the condition does not hold.
    Unless {
        cond: CondId,
        to: Pc,
    },
    /// Counts a loop's round; leaves it after the last.
    Round {
        counter: Reg,
        times: u32,
        exit: Pc,
    },
    /// Leaves handlers until `depth` and `finallies` until as many are left, then jumps.
    Break {
        depth: u16,
        finallies: u16,
        to: Pc,
    },
    /// Opens a handler.
    Try {
        catch: Option<Pc>,
        last: Option<Last>,
    },
    /// Closes the innermost handler.
    EndTry,
    /// Enters a `finally` in the ordinary way.
    Finally(Pc),
    /// Goes on with whatever led into the `finally`.
    EndFinally,
    /// The caught error is over.
    EndCatch,
    /// Raises the error again that led into a `catch`, found among what led into the blocks that
    /// are open.
    Raise(u16),
    Fork(ForkId),
    EndBranch,
    /// Starts a task at the next instruction and goes on at another.
    Spawn {
        then: Pc,
    },
    /// Takes a value out of a cache, or has it worked out.
    LookUp(CachedId),
    /// Goes on for another intent.
    Adopt(Operand),
    Effect(EffectId),
    Respond(RespondId),
    /// The user hears that an effect of this kind was given back.
    Refunded(KindId),
    Fail(Operand),
    Point(PointId),
    End,
}

/// What a handler runs on the way out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last {
    /// On every way out.
    Finally(Pc),
    /// On an error only.
    Undo(Pc),
}

/// A place that calls.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub target: Target,
    pub to: ActorId,
    pub stack: StackId,
    pub pair: PairId,
    pub into: Option<Reg>,
    pub into_status: Option<Reg>,
    pub into_headers: Option<Reg>,
    /// What is asked of the callee, as those who send again read it.
    pub method: Method,
    /// The caller sends a key, the same for all attempts, whether the callee reads it or not.
    pub has_key: bool,
    /// Done twice, it is as good as done once: the call carries a key, or leaves no effect.
    pub repeatable: bool,
    /// A call without a key is given one by a library of its stack.
    pub mints_key: bool,
    /// By layer of the stack: the sites that may be called instead of this one. Of outlier
    /// detection and a proxy all endpoints in order, of a fallback the one it asks.
    pub instead: Vec<(usize, Vec<SiteId>)>,
}

impl Site {
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.target, Target::Kv(_))
    }

    /// The `n`th site that a layer may call instead of this one.
    pub(crate) fn instead(&self, layer: usize, n: usize) -> SiteId {
        let of_layer = self.instead.iter().find(|(of, _)| *of == layer);
        of_layer.expect("the layer's sites are compiled with the stack").1[n]
    }
}

/// Whom a site calls, and with what.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Endpoint { endpoint: EndpointId, key: Operand, body: Operand, with: Vec<(Reg, Operand)> },
    Kv(CommandPlan),
    Queue { queue: QueueId, key: Operand, body: Operand },
    Custom { endpoint: Value, key: Operand, body: Operand },
}

/// A command whose arguments are worked out when it is sent.
pub(crate) type OpPlan = KvOp<Operand, crate::plan::KindId>;

/// A store command and the node that it goes to.
#[derive(Clone, Debug)]
pub(crate) struct CommandPlan {
    pub op: OpPlan,
    pub from: Node,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct EffectPlan {
    pub kind: KindId,
    pub once: Operand,
    pub keep: Option<Span>,
    pub token: Operand,
    pub fenced: bool,
    pub undoes: Option<KindId>,
    pub into: Option<Reg>,
}

/// A place that needs a value that may be cached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedPlan {
    pub cache: ServiceCacheId,
    pub key: Operand,
    pub into: Reg,
    /// Where working it out begins.
    pub body: Pc,
    /// Where the program goes on.
    pub exit: Pc,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RespondPlan {
    pub status: Operand,
    pub body: Operand,
    pub headers: Operand,
    pub advice: Advice,
}
