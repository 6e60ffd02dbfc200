//! A node with connections: transactions, watched keys, a replica that refuses writes, and a node
//! that has no memory left.
//!
//! It takes words and gives replies, as `processCommand` in `server.c` does. The protocol on the
//! wire is left out.

use super::argv::{self, Name};
use super::command::Command;
use super::eviction::Eviction;
use super::exec::Role;
use super::number::parse_int;
use super::store::{Mode, Store, Watched};
use super::{KvError, Reply};
use crate::value::Texts;

/// What is done with memory that has run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// There is enough.
    #[default]
    Enough,
    /// There is none (`maxmemory 1`): each command first loses all that the policy may take.
    Out(Eviction),
}

/// One client's connection to one node.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    transaction: Option<Transaction>,
    watched: Vec<Watched>,
    /// How long the node's log was after this connection's last command.
    seen: usize,
}

/// What was queued since `MULTI`.
#[derive(Clone, Debug, Default)]
struct Transaction {
    queued: Vec<Queued>,
    /// Something could not be queued.
    spoiled: bool,
    writes: bool,
    needs_memory: bool,
}

/// One command that `EXEC` will carry out.
#[derive(Clone, Debug)]
enum Queued {
    Command(Command),
    Refused(KvError),
    Unwatch,
    Wait,
}

/// One node: its keys, its place in replication, and its memory.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its keys.
    pub store: Store,
    /// It follows a primary: it refuses writes and removes nothing by itself.
    pub is_replica: bool,
    /// What memory it has.
    pub memory: Memory,
    /// All that it has written, for its replicas.
    pub log: Vec<Command>,
    /// How much of the log each of its replicas has acknowledged.
    pub acknowledged: Vec<usize>,
}

impl Node {
    /// Carries out what a client sends, or queues it. `None` for the operator's commands, when they
    /// are spelled right: `REPLICAOF`, `@OOM_ON`, `@OOM_OFF`.
    ///
    /// `WAIT` never waits here: the replicas have acknowledged what they have by now.
    pub fn run(
        &mut self,
        connection: &mut Connection,
        now_ms: i64,
        words: &[&str],
        texts: &mut Texts,
    ) -> Option<Reply> {
        let name = match argv::name(words) {
            Ok(name) => name,
            Err(error) => {
                if words.first().is_some_and(|word| word.eq_ignore_ascii_case("exec")) {
                    connection.discard();
                }
                connection.spoil();
                return Some(Reply::Error(error));
            }
        };
        let out_of_memory = self.is_out_of_memory();
        if let Some(error) = self.refusal(connection, &name, out_of_memory) {
            if name.name == "exec" {
                connection.discard();
                return Some(Reply::Error(argv::exec_refused(&error)));
            }
            connection.spoil();
            return Some(Reply::Error(error));
        }
        Some(match name.name {
            "replicaof" | "@oom_on" | "@oom_off" => return None,
            "multi" | "discard" | "watch" => transact(self, connection, now_ms, words, texts),
            "exec" => self.exec(connection, now_ms, out_of_memory, texts),
            _ => {
                let command = self.read(name, words, texts);
                if let Some(transaction) = &mut connection.transaction {
                    transaction.queued.push(command);
                    transaction.writes |= name.writes;
                    transaction.needs_memory |= name.needs_memory;
                    return Some(Reply::Status("QUEUED"));
                }
                let reply = self.carry_out(connection, now_ms, &command, out_of_memory, texts);
                connection.seen = self.log.len();
                reply
            }
        })
    }

    fn read(&self, name: Name, words: &[&str], texts: &mut Texts) -> Queued {
        match name.name {
            "unwatch" => Queued::Unwatch,
            "wait" => match self.wait_error(words) {
                None => Queued::Wait,
                Some(error) => Queued::Refused(KvError::other(error)),
            },
            _ => argv::command(name, words, texts).map_or_else(Queued::Refused, Queued::Command),
        }
    }

    /// Whether nothing is left after all has gone that may go. A replica leaves that to its
    /// primary.
    fn is_out_of_memory(&mut self) -> bool {
        let Memory::Out(policy) = self.memory else { return false };
        if self.is_replica {
            return false;
        }
        self.evict_all(policy);
        true
    }

    /// Removes everything that the policy may take.
    pub fn evict_all(&mut self, policy: Eviction) {
        self.log.extend(self.store.evict_all(policy));
    }

    /// Why the node does not even look at a command.
    fn refusal(&self, connection: &Connection, name: &Name, oom: bool) -> Option<KvError> {
        let transaction = connection.transaction.as_ref();
        let ends = name.name == "exec";
        let queued = |wants: fn(&Transaction) -> bool| ends && transaction.is_some_and(wants);
        let controls = matches!(name.name, "exec" | "discard");
        if oom
            && (name.needs_memory
                || queued(|transaction| transaction.needs_memory)
                || (transaction.is_some() && !controls))
        {
            return Some(KvError::OutOfMemory);
        }
        let writes = name.writes || queued(|transaction| transaction.writes);
        (self.is_replica && writes).then_some(KvError::ReadOnly)
    }

    fn exec(
        &mut self,
        connection: &mut Connection,
        now_ms: i64,
        out_of_memory: bool,
        texts: &mut Texts,
    ) -> Reply {
        let Some(transaction) = connection.transaction.take() else {
            return Reply::Error(KvError::other("ERR EXEC without MULTI"));
        };
        let watched = std::mem::take(&mut connection.watched);
        if transaction.spoiled {
            return Reply::Error(KvError::ExecAbort);
        }
        if !watched.iter().all(|watched| self.store.is_unchanged(watched, now_ms)) {
            return Reply::NilArray;
        }
        let each = transaction
            .queued
            .iter()
            .map(|command| self.carry_out(connection, now_ms, command, out_of_memory, texts));
        let replies = each.collect();
        // A `WAIT` among them looks at what was written before the transaction.
        connection.seen = self.log.len();
        Reply::Array(replies)
    }

    fn carry_out(
        &mut self,
        connection: &mut Connection,
        now_ms: i64,
        command: &Queued,
        out_of_memory: bool,
        texts: &mut Texts,
    ) -> Reply {
        let role = if self.is_replica { Role::Replica } else { Role::Primary };
        match command {
            Queued::Refused(error) => Reply::Error(error.clone()),
            Queued::Unwatch => {
                connection.watched.clear();
                Reply::Ok
            }
            Queued::Wait => {
                let has = |replica: &&usize| **replica >= connection.seen;
                Reply::Int(self.acknowledged.iter().filter(has).count() as i64)
            }
            Queued::Command(command) => {
                let mode = Mode { role, out_of_memory, log: Some(&mut self.log) };
                self.store.carry_out(mode, now_ms, command, texts)
            }
        }
    }

    /// What is wrong with a `WAIT`.
    fn wait_error(&self, words: &[&str]) -> Option<&'static str> {
        if self.is_replica {
            return Some(
                "ERR WAIT cannot be used with replica instances. Please also note that since Redis \
                 4.0 if a replica is configured to be writable (which is not the default) writes \
                 to replicas are just local and are not propagated.",
            );
        }
        if parse_int(words[1]).is_none() {
            return Some("ERR value is not an integer or out of range");
        }
        match parse_int(words[2]) {
            None => Some("ERR timeout is not an integer or out of range"),
            Some(..0) => Some("ERR timeout is negative"),
            Some(_) => None,
        }
    }
}

/// `MULTI`, `DISCARD` and `WATCH`, which are never queued.
fn transact(
    node: &mut Node,
    connection: &mut Connection,
    now_ms: i64,
    words: &[&str],
    texts: &mut Texts,
) -> Reply {
    let is = |name: &str| words[0].eq_ignore_ascii_case(name);
    let open = connection.transaction.is_some();
    let refusal = match () {
        () if is("multi") && open => Some("ERR MULTI calls can not be nested"),
        () if is("watch") && open => Some("ERR WATCH inside MULTI is not allowed"),
        () if is("discard") && !open => Some("ERR DISCARD without MULTI"),
        () => None,
    };
    if let Some(refusal) = refusal {
        return Reply::Error(KvError::other(refusal));
    }
    if is("multi") {
        connection.transaction = Some(Transaction::default());
    } else if is("watch") {
        for word in &words[1..] {
            let key = texts.intern(word);
            if connection.watched.iter().all(|watched| watched.key() != key) {
                connection.watched.push(node.store.watch(key, now_ms));
            }
        }
    } else {
        connection.discard();
    }
    connection.seen = node.log.len();
    Reply::Ok
}

impl Connection {
    /// One that was just made.
    pub const NEW: Connection = Connection { transaction: None, watched: Vec::new(), seen: 0 };

    /// Whether commands are queued until `EXEC`.
    pub fn is_queueing(&self) -> bool {
        self.transaction.is_some()
    }

    /// How many keys are watched.
    pub fn watched(&self) -> usize {
        self.watched.len()
    }

    /// Something could not be queued: the transaction will be aborted.
    fn spoil(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.spoiled = true;
        }
    }

    /// Ends a transaction, if there is one, and forgets what was watched.
    fn discard(&mut self) {
        self.transaction = None;
        self.watched.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Shell {
        node: Node,
        connection: Connection,
        texts: Texts,
    }

    impl Shell {
        fn ask(&mut self, words: &str) -> String {
            let words: Vec<&str> = words.split(' ').collect();
            let reply = self.node.run(&mut self.connection, 0, &words, &mut self.texts);
            match reply.expect("no operator's command") {
                Reply::Error(error) => error.to_string(),
                Reply::Value(value) => self.texts.show(value),
                reply => format!("{reply:?}"),
            }
        }
    }

    #[test]
    fn a_transaction_with_a_mistake_is_aborted() {
        let mut shell = Shell::default();
        shell.ask("MULTI");
        assert_eq!(shell.ask("SET k 1"), "Status(\"QUEUED\")");
        assert!(shell.ask("GET").starts_with("ERR wrong number"));
        assert!(shell.ask("EXEC").starts_with("EXECABORT Transaction discarded because of prev"));
        assert_eq!(shell.ask("GET k"), "Nil");
        assert_eq!(shell.ask("EXEC"), "ERR EXEC without MULTI");
    }

    #[test]
    fn an_error_inside_a_transaction_undoes_nothing() {
        let mut shell = Shell::default();
        for words in ["MULTI", "SET k x", "INCR k", "SET l y"] {
            shell.ask(words);
        }
        let expected =
            Reply::Array(vec![Reply::Ok, Reply::Error(KvError::NotAnInteger), Reply::Ok]);
        assert_eq!(shell.ask("EXEC"), format!("{expected:?}"));
        assert_eq!((shell.ask("GET k"), shell.ask("GET l")), ("x".into(), "y".into()));
    }

    #[test]
    fn an_own_write_between_watch_and_exec_calls_it_off() {
        let mut shell = Shell::default();
        for words in ["WATCH k", "SET k 1", "MULTI", "GET k"] {
            shell.ask(words);
        }
        assert_eq!(shell.ask("EXEC"), "NilArray");
        assert_eq!(shell.connection.watched(), 0);
    }

    #[test]
    fn a_node_without_memory_reads_and_deletes() {
        let mut shell = Shell::default();
        shell.ask("SET k 1");
        shell.ask("ZADD z 1 m");
        shell.node.memory = Memory::Out(Eviction::NoEviction);
        for (words, reply) in [
            ("GET k", "1"),
            ("SET k 2", "OOM command not allowed when used memory > 'maxmemory'."),
            ("@CAD k 2", "Int(0)"),
            ("@CASPX k 2 1 5", "Int(0)"),
            ("@CASPX k 1 2 5", "OOM command not allowed when used memory > 'maxmemory'."),
            // Its first write needs no memory, and after that it is not stopped.
            ("@SWIN z 5 1 3 n", "Int(1)"),
            ("@FWIN f 5", "OOM command not allowed when used memory > 'maxmemory'."),
            ("DEL k", "Int(1)"),
        ] {
            assert_eq!(shell.ask(words), reply, "{words}");
        }
    }

    #[test]
    fn exec_of_what_a_node_now_refuses_says_why() {
        let mut shell = Shell::default();
        shell.ask("MULTI");
        shell.ask("SET k 1");
        shell.node.memory = Memory::Out(Eviction::NoEviction);
        let because = "EXECABORT Transaction discarded because of: ";
        assert!(shell.ask("EXEC").starts_with(&format!("{because}OOM command")));
        shell.ask("MULTI");
        for words in ["UNWATCH", "WATCH k", "MULTI", "GET k"] {
            assert!(shell.ask(words).starts_with("OOM"), "{words} in a transaction");
        }
        assert_eq!(shell.ask("DISCARD"), "Ok");
        shell.node.memory = Memory::Enough;
        shell.ask("MULTI");
        shell.ask("SET k 1");
        shell.node.is_replica = true;
        assert!(shell.ask("EXEC").starts_with(&format!("{because}READONLY You")));
    }

    #[test]
    fn a_replica_refuses_a_script_only_at_its_write() {
        let mut shell = Shell::default();
        shell.ask("SET k 1");
        shell.node.is_replica = true;
        let read_only = "READONLY You can't write against a read only replica.";
        assert_eq!(shell.ask("SET k 2"), read_only);
        assert_eq!(shell.ask("@CAD k other"), "Int(0)");
        assert_eq!(shell.ask("@CAD k 1"), read_only);
        assert_eq!(shell.ask("GET k"), "1");
    }

    #[test]
    fn who_waits_wants_what_was_written_before_its_last_command() {
        let mut shell = Shell::default();
        shell.node.acknowledged.push(0);
        assert_eq!(shell.ask("WAIT 0 0"), "Int(1)");
        for words in ["MULTI", "SET k 1", "WAIT 1 0"] {
            shell.ask(words);
        }
        assert_eq!(shell.ask("EXEC"), "Array([Ok, Int(1)])");
        assert_eq!(shell.ask("WAIT 1 50"), "Int(0)");
        shell.connection = Connection::NEW;
        assert_eq!(shell.ask("WAIT 1 50"), "Int(1)", "it has seen nothing");
        assert_eq!(shell.ask("WAIT 1 50"), "Int(0)", "a command has been carried out");
    }

    #[test]
    fn without_memory_keys_with_an_expiry_go_before_each_command() {
        let mut shell = Shell::default();
        shell.ask("SET lock 1 PX 100");
        shell.ask("SET stays 1");
        shell.node.memory = Memory::Out(Eviction::VolatileTtl);
        assert_eq!(shell.ask("DBSIZE"), "Int(1)");
        assert_eq!(shell.ask("EXPIRE stays 100"), "Int(1)");
        assert_eq!(shell.ask("GET stays"), "Nil");
    }
}
