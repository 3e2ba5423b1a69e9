//! A host and an archiver, whose `zfs` and `ssh` are stand-ins.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The size of a large dataset, which nothing sends in a moment.
pub const LARGE: u64 = 1 << 30;

/// How long something may take to happen.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Sides {
    folder: tempfile::TempDir,
}

impl Sides {
    /// With datasets below `tank/safe`, which is small.
    pub fn new(parallel_streams: u32, datasets: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sides = Self { folder };
        for program in ["zfs", "ssh"] {
            let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sides").join(program);
            std::os::unix::fs::symlink(stand_in, sides.path(program)).unwrap();
        }
        let spec = json!({
            "version": 1, "name": "home",
            "archivers": { "nas": { "provider": { "type": "static", "address": "192.0.2.1" }, "pool": { "name": "vault" } } },
            "hosts": { "desktop": { "replications": { "safe": {
                "archiver": "nas", "source": "tank/safe", "target": "vault/safe",
                "parallel_streams": parallel_streams,
            } } } },
        });
        sides.write("dormouse.json", &spec.to_string());
        sides.write("generated/known_hosts", "");
        sides.write("id", "");
        fs::create_dir_all(sides.path("there/vault")).unwrap();
        sides.snapshot("tank/safe", "s1", 1, 4096, 100);
        for (number, dataset) in (2..).zip(datasets) {
            sides.snapshot(&format!("tank/safe/{dataset}"), "s1", number, LARGE, 1000);
        }
        sides
    }

    /// Makes a snapshot on the host: of a dataset of so many bytes, with so long a stream.
    pub fn snapshot(&self, dataset: &str, name: &str, guid: u64, size: u64, bytes: u64) {
        self.write(&format!("here/{dataset}/@{name}"), &format!("{guid} {guid} {size} {bytes}\n"));
    }

    /// Keeps the streams of a dataset under way until [`Self::go`].
    pub fn hold(&self, dataset: &str) {
        self.write(&format!("here/tank/safe/{dataset}/held"), "");
    }

    pub fn go(&self) {
        self.write("go", "");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .env("STATE_DIRECTORY", self.path("state"))
            .env_remove("SIDE")
            .args(["--host", "desktop", "--identity", "id", "--json", "replicate"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub fn run(&self) -> Run {
        ended(self.start(&[]))
    }

    /// What the stand-ins noted: each word and what it is about.
    pub fn log(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let split = |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.to_owned()));
        text.lines().filter_map(split).collect()
    }

    pub fn forget_log(&self) {
        fs::remove_file(self.path("log")).unwrap();
    }

    /// What was noted with a word, in order.
    pub fn noted(&self, word: &str) -> Vec<String> {
        self.log().into_iter().filter(|(noted, _)| noted == word).map(|(_, about)| about).collect()
    }

    /// The datasets below `vault/safe` whose streams have begun, in order, once there are so many.
    pub fn begun(&self, count: usize) -> Vec<String> {
        let below = |name: String| name.strip_prefix("vault/safe/").map(str::to_owned);
        self.wait_for(&format!("{count} streams"), || {
            let mut begun: Vec<String> = self.noted("begin").into_iter().filter_map(below).collect();
            begun.sort();
            (begun.len() >= count).then_some(begun)
        })
    }

    pub fn wait_for<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            match found() {
                Some(found) => return found,
                None if Instant::now() > until => panic!("no {what}: {:?}", self.log()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Most receives that were under way at once.
    pub fn most_at_once(&self) -> usize {
        let (mut now, mut most) = (0_usize, 0);
        for (word, _) in self.log() {
            match word.as_str() {
                "begin" => now += 1,
                "end" => now -= 1,
                _ => {}
            }
            most = most.max(now);
        }
        most
    }

    /// Every snapshot on the archiver, with its guid.
    pub fn copies(&self) -> Vec<String> {
        let listed =
            Command::new("grep").args(["-r", ""]).arg("vault").current_dir(self.path("there")).output();
        let text = String::from_utf8(listed.unwrap().stdout).unwrap();
        let mut copies: Vec<String> = text.lines().map(str::to_owned).collect();
        copies.sort();
        copies
    }
}

/// A run that has ended.
pub struct Run {
    pub code: Option<i32>,
    pub datasets: Vec<Value>,
    pub stderr: String,
}

impl Run {
    /// A field of each dataset's outcome, by the dataset's name below `tank/safe`.
    pub fn each(&self, field: &str) -> Vec<(String, String)> {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let each = |dataset: &Value| {
            let name = word(&dataset["dataset"]);
            let below = name.strip_prefix("tank/safe/")?;
            Some((below.to_owned(), word(&dataset[field])))
        };
        self.datasets.iter().filter_map(each).collect()
    }
}

pub fn ended(child: Child) -> Run {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&stdout).unwrap_or_default();
    let datasets = document["replications"][0]["datasets"].as_array().cloned().unwrap_or_default();
    Run { code: status.code(), datasets, stderr: String::from_utf8(stderr).unwrap() }
}
