//! One program on its way from steps to code.

use std::collections::BTreeMap;
use std::ops::Range;

use super::place::Here;
use crate::language::{Idempotent, Step};
use crate::plan::{ActorId, KindId, Pc, Program, ProgramId, Reg, builtin};
use crate::source::SourceError;

/// One program on its way from steps to code.
pub(super) struct Frame {
    pub(super) actor: ActorId,
    pub(super) role: Role,
    /// `api.pay`, the prefix of its points.
    pub(super) name: String,
    pub(super) id: ProgramId,
    pub(super) registers: BTreeMap<String, Reg>,
    pub(super) next: u16,
    /// Names that were read before anything gave them a value, with the complaint to make.
    pub(super) unassigned: BTreeMap<String, SourceError>,
    pub(super) reads_key: bool,
    pub(super) reads_body: bool,
    pub(super) reads_client: bool,
    pub(super) reads_clock: bool,
    /// Of its first design: the register of what it compares of a request, if it says so.
    pub(super) design: Option<Option<Reg>>,
    /// What its users hear that they were given back.
    pub(super) refunded: Option<KindId>,
    pub(super) loops: Vec<LoopFrame>,
    /// How often it does what, so far.
    pub(super) deeds: BTreeMap<String, u32>,
    /// Open `Try`s.
    pub(super) depth: u16,
    /// Open blocks that something led into: `catch`, `finally`, compensations.
    pub(super) finallies: u16,
    /// Of each open `catch`: how many such blocks it lies in, and how many branches.
    pub(super) catches: Vec<(u16, usize)>,
    /// Open branches of `Parallel` and `Spawn`.
    pub(super) branches: usize,
    /// What the `Body` of each open design stands for, the innermost last.
    pub(super) holes: Vec<Hole>,
    /// Whose body is being compiled: the design to ask about its phases.
    pub(super) within: Vec<Option<Idempotent>>,
}

/// What a `Body` stands for.
pub(super) struct Hole {
    pub(super) steps: Vec<Step>,
    pub(super) here: Here,
    /// The design that surrounds the phases of these steps.
    pub(super) design: Option<Idempotent>,
    /// The code of these steps, each time that it was compiled.
    pub(super) code: Vec<Range<usize>>,
}

/// Why a program runs, which says what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Endpoint,
    Job,
    /// One call of an actor written in Rust.
    Own,
}

/// An open loop.
pub(super) struct LoopFrame {
    pub(super) depth: u16,
    pub(super) finallies: u16,
    pub(super) branches: usize,
    pub(super) breaks: Vec<usize>,
}

/// The variable that a design keeps as the answer.
const RESULT: &str = "result";

/// The most registers of a program.
pub(super) const REGISTERS_MAX: u16 = 4_096;

impl Frame {
    pub(super) fn new(actor: ActorId, role: Role, name: String, id: ProgramId) -> Frame {
        let names = builtin::NAMES.iter().enumerate();
        Frame {
            actor,
            role,
            name,
            id,
            registers: names.map(|(n, name)| ((*name).to_owned(), Reg::nth(n))).collect(),
            next: builtin::NAMES.len() as u16,
            unassigned: BTreeMap::new(),
            reads_key: false,
            reads_body: false,
            reads_client: false,
            reads_clock: false,
            design: None,
            refunded: None,
            loops: Vec::new(),
            deeds: BTreeMap::new(),
            depth: 0,
            finallies: 0,
            catches: Vec::new(),
            branches: 0,
            holes: Vec::new(),
            within: Vec::new(),
        }
    }

    pub(super) fn fresh(&mut self) -> Reg {
        let reg = Reg(self.next.min(REGISTERS_MAX));
        self.next = reg.0 + 1;
        reg
    }

    /// The register of a name.
    pub(super) fn register(&mut self, name: &str) -> Reg {
        if let Some(reg) = self.registers.get(name) {
            return *reg;
        }
        let reg = self.fresh();
        self.registers.insert(name.to_owned(), reg);
        reg
    }

    /// Notes that the program reads a register.
    pub(super) fn reads(&mut self, reg: Reg) {
        self.reads_key |= reg == builtin::KEY;
        self.reads_body |= reg == builtin::BODY;
        self.reads_client |= reg == builtin::CLIENT;
        self.reads_clock |= reg == builtin::NOW;
    }

    /// The register of a name that is given a value here.
    pub(super) fn assign(&mut self, name: &str) -> Reg {
        self.unassigned.remove(name);
        self.register(name)
    }

    /// A name that a caller gives a value with `with`.
    pub(super) fn parameter(&mut self, name: &str) -> Option<Reg> {
        self.unassigned.remove(name);
        self.registers.get(name).copied()
    }

    /// Whether something has given a name a value so far.
    pub(super) fn gives(&self, name: &str) -> bool {
        self.registers.contains_key(name) && !self.unassigned.contains_key(name)
    }

    pub(super) fn known_names(&self) -> impl Iterator<Item = &str> {
        self.registers
            .keys()
            .filter(|name| !self.unassigned.contains_key(*name))
            .map(String::as_str)
    }

    pub(super) fn finish(&self, entry: Pc) -> Program {
        Program {
            name: self.name.clone(),
            entry,
            registers: self.next,
            reads_key: self.reads_key,
            reads_body: self.reads_body,
            reads_client: self.reads_client,
            reads_clock: self.reads_clock,
            canonical: self.design.flatten(),
            result: self.design.and_then(|_| self.registers.get(RESULT).copied()),
        }
    }
}
