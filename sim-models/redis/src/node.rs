//! A node with connections: transactions, watched keys, a replica that refuses writes, and a node
//! that has no memory left.
//!
//! It takes words and gives replies, as `processCommand` in `server.c` does. The protocol on the
//! wire is left out.

use crate::argv::{self, Asked, Request, Unread};
use crate::command::Command;
use crate::command::connection::{ConnectionCommand, Operator};
use crate::command::words::Access;
use crate::eviction::Eviction;
use crate::exec::{Mode, Role};
use crate::reply::{KvError, NotModelled, Reply};
use crate::store::{Store, Watched};
use crate::value::{Key, Texts};

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

/// One command that is carried out at once, or that `EXEC` will carry out.
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
    /// It follows a primary: it refuses writes, and leaves expired keys to its primary.
    pub is_replica: bool,
    /// Memory has run out (`maxmemory 1`): each command first loses all that the policy may take.
    pub out_of_memory: bool,
    /// What goes first when memory runs out (`maxmemory-policy`).
    pub policy: Eviction,
    /// All that it has written, for its replicas.
    pub log: Vec<Command>,
    /// How much of the log each of its replicas has acknowledged, in commands.
    pub acknowledged: Vec<usize>,
}

impl Node {
    /// Carries out what a client sends, or queues it, when the node's clock shows `now_ms`. What
    /// Redis refuses is a [`Reply::Error`].
    ///
    /// `WAIT` never waits here: the replicas have acknowledged what they have by now. `REPLICAOF NO
    /// ONE` makes a replica a primary; `@OOM_ON` and `@OOM_OFF` take its memory and give it back.
    ///
    /// # Errors
    /// A real server has an answer that this node does not have.
    pub fn run(
        &mut self,
        connection: &mut Connection,
        now_ms: i64,
        words: &[&str],
        texts: &mut Texts,
    ) -> Result<Reply, NotModelled> {
        use ConnectionCommand as C;
        let asked = match argv::read(words, texts) {
            Ok(asked) => asked,
            Err(Unread::NotModelled(what)) => return Err(what),
            Err(Unread::Refused(error)) => {
                if words.first().is_some_and(|word| word.eq_ignore_ascii_case("exec")) {
                    connection.discard();
                }
                connection.spoil();
                return Ok(Reply::Error(error));
            }
        };
        self.make_room();
        if let Some(error) = self.refusal(connection, &asked) {
            if let Ok(Request::Connection(C::Exec)) = asked.request {
                connection.discard();
                return Ok(Reply::Error(argv::exec_refused(&error)));
            }
            connection.spoil();
            return Ok(Reply::Error(error));
        }
        let queued = match asked.request {
            Ok(Request::Store(command)) => Queued::Command(command),
            Ok(Request::Connection(command)) => match command {
                C::Unwatch => Queued::Unwatch,
                C::Wait(_) if self.is_replica => Queued::Refused(KvError::other(WAIT_ON_REPLICA)),
                C::Wait(Err(error)) => Queued::Refused(error),
                C::Wait(Ok(())) => Queued::Wait,
                C::Exec => return Ok(self.exec(connection, now_ms, texts)),
                C::Multi => return Ok(self.multi(connection)),
                C::Discard => return Ok(self.discard(connection)),
                C::Watch(keys) => return Ok(self.watch(connection, &keys, now_ms)),
                C::Operator(_) if connection.is_queueing() => {
                    let text = format!("`{}` in a transaction is not modelled", words[0]);
                    return Err(NotModelled::new(text));
                }
                C::Operator(operator) => return self.operate(operator),
            },
            Err(error) => Queued::Refused(error),
        };
        if let Some(transaction) = &mut connection.transaction {
            transaction.queued.push(queued);
            transaction.writes |= asked.access.is_write();
            transaction.needs_memory |= asked.access == Access::Grow;
            return Ok(Reply::Status("QUEUED"));
        }
        let reply = self.carry_out(connection, now_ms, &queued, texts);
        connection.seen = self.log.len();
        Ok(reply)
    }

    /// Does what an operator says.
    fn operate(&mut self, operator: Operator) -> Result<Reply, NotModelled> {
        match operator {
            Operator::ReplicaOf { no_one: true } => self.is_replica = false,
            Operator::ReplicaOf { no_one: false } => {
                let text = "`REPLICAOF` is modelled only as `REPLICAOF NO ONE`";
                return Err(NotModelled::new(text));
            }
            Operator::OomOn => {
                self.out_of_memory = true;
                self.make_room();
            }
            Operator::OomOff => self.out_of_memory = false,
        }
        Ok(Reply::Ok)
    }

    /// Without memory, removes everything that the policy may take. A replica leaves that to its
    /// primary.
    fn make_room(&mut self) {
        if self.lacks_memory() {
            self.log.extend(self.store.evict_all(self.policy));
        }
    }

    /// Whether it refuses what may need memory.
    fn lacks_memory(&self) -> bool {
        self.out_of_memory && !self.is_replica
    }

    /// Why the node does not even look at a command.
    fn refusal(&self, connection: &Connection, asked: &Asked) -> Option<KvError> {
        use ConnectionCommand as C;
        let request = &asked.request;
        let transaction = connection.transaction.as_ref();
        let ends = matches!(request, Ok(Request::Connection(C::Exec)));
        let controls = ends || matches!(request, Ok(Request::Connection(C::Discard)));
        let queued = |wants: fn(&Transaction) -> bool| ends && transaction.is_some_and(wants);
        if self.lacks_memory()
            && (asked.access == Access::Grow
                || queued(|transaction| transaction.needs_memory)
                || (transaction.is_some() && !controls))
        {
            return Some(KvError::OutOfMemory);
        }
        let writes = asked.access.is_write() || queued(|transaction| transaction.writes);
        (self.is_replica && writes).then_some(KvError::ReadOnly)
    }

    fn multi(&self, connection: &mut Connection) -> Reply {
        if connection.is_queueing() {
            return Reply::Error(KvError::other("ERR MULTI calls can not be nested"));
        }
        connection.transaction = Some(Transaction::default());
        connection.seen = self.log.len();
        Reply::Ok
    }

    fn discard(&self, connection: &mut Connection) -> Reply {
        if !connection.is_queueing() {
            return Reply::Error(KvError::other("ERR DISCARD without MULTI"));
        }
        connection.discard();
        connection.seen = self.log.len();
        Reply::Ok
    }

    fn watch(&self, connection: &mut Connection, keys: &[Key], now_ms: i64) -> Reply {
        if connection.is_queueing() {
            return Reply::Error(KvError::other("ERR WATCH inside MULTI is not allowed"));
        }
        for key in keys {
            if connection.watched.iter().all(|watched| watched.key() != *key) {
                connection.watched.push(self.store.watch(*key, now_ms));
            }
        }
        connection.seen = self.log.len();
        Reply::Ok
    }

    fn exec(&mut self, connection: &mut Connection, now_ms: i64, texts: &mut Texts) -> Reply {
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
        let queued = transaction.queued.iter();
        let replies = queued.map(|queued| self.carry_out(connection, now_ms, queued, texts));
        let replies = replies.collect();
        // A `WAIT` among them looks at what was written before the transaction.
        connection.seen = self.log.len();
        Reply::Array(replies)
    }

    fn carry_out(
        &mut self,
        connection: &mut Connection,
        now_ms: i64,
        queued: &Queued,
        texts: &mut Texts,
    ) -> Reply {
        match queued {
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
                let role = if self.is_replica { Role::Replica } else { Role::Primary };
                let out_of_memory = self.lacks_memory();
                let log = Some(&mut self.log);
                let mode = Mode { role, out_of_memory, log, ..Mode::default() };
                self.store.carry_out(mode, now_ms, command, texts)
            }
        }
    }
}

const WAIT_ON_REPLICA: &str = "ERR WAIT cannot be used with replica instances. Please also note \
    that since Redis 4.0 if a replica is configured to be writable (which is not the default) \
    writes to replicas are just local and are not propagated.";

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
            match reply.expect("a command that is modelled") {
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
        shell.node.out_of_memory = true;
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
            let told = shell.ask(words);
            // An error inside a script names the script.
            let from_script = words.starts_with('@') && reply.starts_with("OOM");
            let told = if from_script { told.split(" script: ").next().unwrap() } else { &told };
            assert_eq!(told, reply, "{words}");
        }
    }

    #[test]
    fn exec_of_what_a_node_now_refuses_says_why() {
        let mut shell = Shell::default();
        shell.ask("MULTI");
        shell.ask("SET k 1");
        shell.node.out_of_memory = true;
        let because = "EXECABORT Transaction discarded because of: ";
        assert!(shell.ask("EXEC").starts_with(&format!("{because}OOM command")));
        shell.ask("MULTI");
        for words in ["UNWATCH", "WATCH k", "MULTI", "GET k"] {
            assert!(shell.ask(words).starts_with("OOM"), "{words} in a transaction");
        }
        assert_eq!(shell.ask("DISCARD"), "Ok");
        shell.node.out_of_memory = false;
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
        assert!(shell.ask("@CAD k 1").starts_with(&format!("{read_only} script: ")));
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
        (shell.node.out_of_memory, shell.node.policy) = (true, Eviction::VolatileTtl);
        assert_eq!(shell.ask("DBSIZE"), "Int(1)");
        assert_eq!(shell.ask("EXPIRE stays 100"), "Int(1)");
        assert_eq!(shell.ask("GET stays"), "Nil");
    }
}
