//! A Chromium that is told what to do through a pipe, in the protocol of its developer tools.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing here takes as long; a browser that hangs is no reason for a test to.
const HANG: Duration = Duration::from_secs(120);

/// A browser with one page.
pub struct Chromium {
    child: Child,
    pipe: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    asked: u64,
    /// What it told without being asked: requests, and what was written to the console.
    pub events: Vec<Value>,
}

impl Chromium {
    /// Starts it, with its profile in a folder.
    #[expect(clippy::disallowed_methods, reason = "it only listens to a browser")]
    pub fn start(browser: &str, folder: &Path) -> Chromium {
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        // The pipe is that of file descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 1>&2", browser])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--no-first-run", "--hide-scrollbars", &profile, "about:blank"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was there a moment ago");
        let pipe = child.stdin.take().expect("a pipe");
        let mut told = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while told.read_until(0, &mut bytes).is_ok_and(|read| read > 1) {
                let message = serde_json::from_slice(&bytes[..bytes.len() - 1]).expect("JSON");
                if sender.send(message).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        let (session, events) = (String::new(), Vec::new());
        let mut own = Chromium { child, pipe, messages, session, asked: 0, events };
        let target = own.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = own.ask("Target.attachToTarget", attach);
        own.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            own.ask(&format!("{domain}.enable"), json!({}));
        }
        own
    }

    /// What it answers to a command of the protocol.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.pipe.write_all(format!("{message}\0").as_bytes()).expect("it listens");
        loop {
            let told = self.messages.recv_timeout(HANG).expect("it answers");
            if told["id"] == self.asked {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            self.events.push(told);
        }
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let ask = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let told = self.ask("Runtime.evaluate", ask);
        assert!(told["exceptionDetails"].is_null(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        let wait = format!(
            "new Promise((done) => {{ let left = 2000; const look = () => {{ \
             let is = false; try {{ is = {expression}; }} catch {{ is = false; }} \
             if (is || (left -= 1) < 0) done(Boolean(is)); else setTimeout(look, 50); }}; look(); }})"
        );
        let is = self.value(&wait);
        assert!(is == true, "never: {expression}\n{}", self.value("document.body.innerText"));
    }

    /// The addresses that it asked for.
    pub fn requests(&self) -> Vec<String> {
        let sent = |event: &&Value| event["method"] == "Network.requestWillBeSent";
        let url = |event: &Value| event["params"]["request"]["url"].as_str().map(str::to_owned);
        self.events.iter().filter(sent).filter_map(url).collect()
    }

    /// What was written to the console, or thrown.
    pub fn complaints(&self) -> Vec<&Value> {
        let is = |method: &str| {
            matches!(
                method,
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded"
            )
        };
        self.events.iter().filter(|event| event["method"].as_str().is_some_and(is)).collect()
    }

    /// What the page looks like, as PNG in base64, in a window of this size.
    pub fn picture(&mut self, width: u32, height: u32, dark: bool) -> Value {
        self.window(width, height, dark);
        self.ask("Page.captureScreenshot", json!({ "format": "png" }))["data"].clone()
    }

    /// Makes the window another size, and light or dark.
    pub fn window(&mut self, width: u32, height: u32, dark: bool) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
