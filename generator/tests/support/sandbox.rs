//! A folder with a spec, a seed and a home, and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a run came to.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// It has this exit code, and its messages hold these words.
    pub fn is(&self, code: i32, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{all}");
        for word in words {
            assert!(all.contains(word), "{word:?} is not in:\n{all}");
        }
        self
    }

    /// It failed with one error that says what to do.
    pub fn is_one_error(&self, code: i32, words: &[&str]) {
        self.is(code, words);
        assert_eq!(self.stderr.matches("error: ").count(), 1, "{}", self.stderr);
        assert_eq!(self.stderr.matches("help: ").count(), 1, "{}", self.stderr);
    }
}

pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// With the spec of this example and a seed at its default place.
    pub fn with(example: &str) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(sandbox.path("home")).unwrap();
        fs::copy(super::examples().join(format!("{example}.json")), sandbox.path("dormouse.json")).unwrap();
        let name = &super::example(example).name;
        sandbox
            .write_seed(&format!("home/.local/state/dormouse/{name}/seed"), super::seed().to_line().expose());
        sandbox
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn write_seed(&self, below: &str, line: &[u8]) {
        super::write_all(self.folder.path(), &[(below.to_owned(), line)].into());
    }

    pub fn edit_spec(&self, from: &str, to: &str) {
        let spec = fs::read_to_string(self.path("dormouse.json")).unwrap();
        assert!(spec.contains(from), "{from}");
        fs::write(self.path("dormouse.json"), spec.replacen(from, to, 1)).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_dormouse-generate"), arguments)
    }

    /// Another program in the same surroundings.
    pub fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env_remove("XDG_STATE_HOME")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Self::ran(&mut self.command(arguments))
    }

    pub fn ran(command: &mut Command) -> Ran {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn generate(&self) -> Ran {
        let ran = self.run(&[]);
        ran.is(0, &["created, "]);
        ran
    }

    /// Contents, inode and change time of each file below a folder.
    pub fn state(&self, below: &str) -> BTreeMap<PathBuf, (Vec<u8>, u64, i64, i64)> {
        let mut files = BTreeMap::new();
        collect(&self.path(below), &mut |path| {
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_file() {
                let contents = fs::read(path).unwrap();
                let state = (contents, metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
                files.insert(path.to_path_buf(), state);
            }
        });
        files
    }

    /// The files below a folder, without it.
    pub fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let root = self.path(below);
        collect(&root, &mut |path| {
            if path.is_file() {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        });
        files
    }

    /// The permissions of everything below a folder, itself included.
    pub fn modes(&self, below: &str) -> BTreeMap<PathBuf, u32> {
        let mut modes = BTreeMap::new();
        collect(&self.path(below), &mut |path| {
            modes.insert(path.to_path_buf(), path.metadata().unwrap().permissions().mode() & 0o7777);
        });
        modes
    }
}

fn collect(path: &Path, visit: &mut impl FnMut(&Path)) {
    visit(path);
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), visit);
        }
    }
}
