//! One of the two machines: its datasets, and the files that hold what has changed.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::{Refused, cannot};

/// Names the folder with a machine's files.
pub const FOLDER: &str = "STAND_IN";

/// How many datasets lie in each folder of the tree, with the one that holds them.
const TOGETHER: usize = 10;

/// The first cursor's name but for its GUID.
const CURSOR: &str = "dormouse_lab_archiver_";

/// A machine with a tree of datasets.
pub struct Machine {
    /// The folder with its files.
    pub folder: PathBuf,
    /// The dataset above all others.
    pub root: String,
    /// How many datasets there are.
    pub datasets: usize,
    /// How many snapshots each has.
    snapshots: usize,
    /// The number of the snapshot that each dataset's cursor names; 0 without cursors.
    acknowledged: usize,
}

impl Machine {
    /// The machine whose folder the environment names. Notes that one more program was started.
    pub fn of_environment() -> Result<Self, Refused> {
        let folder = PathBuf::from(std::env::var_os(FOLDER).ok_or((1, format!("{FOLDER} is not set")))?);
        let text = fs::read_to_string(folder.join("machine")).map_err(broken)?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [root, numbers @ ..] = fields.as_slice() else {
            return cannot("the machine has no root".to_owned());
        };
        let numbers: Vec<usize> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
        let [datasets, snapshots, acknowledged] = *numbers else {
            return cannot(format!("bad machine: {text}"));
        };
        let mut started =
            OpenOptions::new().create(true).append(true).open(folder.join("started")).map_err(broken)?;
        started.write_all(b".").map_err(broken)?;
        Ok(Self { root: (*root).to_owned(), folder, datasets, snapshots, acknowledged })
    }

    pub fn pool(&self) -> &str {
        self.root.split('/').next().unwrap_or_default()
    }

    /// Whether copies live here: the host alone has cursors.
    pub fn is_archiver(&self) -> bool {
        self.acknowledged == 0
    }

    /// The full name of a dataset.
    pub fn name(&self, dataset: usize) -> String {
        let Some(place) = dataset.checked_sub(1) else { return self.root.clone() };
        match (place / TOGETHER, place % TOGETHER) {
            (folder, 0) => format!("{}/folder{folder}", self.root),
            (folder, data) => format!("{}/folder{folder}/data{data}", self.root),
        }
    }

    /// The dataset with this name.
    pub fn dataset(&self, name: &str) -> Result<usize, Refused> {
        let missing = || (1, format!("cannot open '{name}': dataset does not exist"));
        let below = name.strip_prefix(&self.root).ok_or_else(missing)?;
        let mut parts = below.trim_start_matches('/').split('/');
        let number =
            |part: Option<&str>, word| part.map_or(Some(0), |part| part.strip_prefix(word)?.parse().ok());
        let dataset = match (parts.next().filter(|part| !part.is_empty()), parts.next()) {
            (None, _) => Some(0),
            (folder, data) => {
                let (folder, data): (Option<usize>, Option<usize>) =
                    (number(folder, "folder"), number(data, "data"));
                folder.zip(data).map(|(folder, data)| 1 + folder * TOGETHER + data)
            }
        };
        // Compares names, so that `folder01` is not `folder1`.
        dataset.filter(|dataset| *dataset < self.datasets && self.name(*dataset) == name).ok_or_else(missing)
    }

    /// The dataset above a dataset.
    pub fn parent(&self, dataset: usize) -> Option<usize> {
        let place = dataset.checked_sub(1)?;
        Some(if place % TOGETHER == 0 { 0 } else { 1 + place / TOGETHER * TOGETHER })
    }

    /// The dataset's GUID; a copy has another one.
    pub fn guid(&self, dataset: usize) -> u64 {
        let side = if self.is_archiver() { 3 } else { 1 };
        side * 1_000_000_000_000_000_000 + dataset as u64
    }

    /// What is not as the rule says, for each dataset; `all` says that most of them are asked for.
    pub fn exceptions(&self, kind: &str, all: bool) -> Result<Exceptions, Refused> {
        Exceptions::read(&self.folder.join(kind), all)
    }

    /// The number of a dataset's newest snapshot.
    pub fn newest(&self, dataset: usize, exceptions: &Exceptions) -> Result<usize, Refused> {
        let number = exceptions.get(dataset)?.and_then(|number| number.parse().ok());
        Ok(number.unwrap_or(self.snapshots))
    }

    /// The names of a dataset's bookmarks.
    pub fn bookmarks(&self, dataset: usize, exceptions: &Exceptions) -> Result<Vec<String>, Refused> {
        let names = exceptions.get(dataset)?.map(|text| text.lines().map(str::to_owned).collect());
        let rule = || match self.acknowledged {
            0 => vec![],
            number => vec![format!("{CURSOR}{}", snapshot_guid(dataset, number))],
        };
        Ok(names.unwrap_or_else(rule))
    }
}

/// A snapshot's GUID, the same on both machines.
pub fn snapshot_guid(dataset: usize, number: usize) -> u64 {
    2_000_000_000_000_000_000 + dataset as u64 * 1000 + number as u64
}

/// The number of a snapshot, from its GUID.
pub fn number_of(guid: u64) -> usize {
    (guid % 1000) as usize
}

/// A snapshot's name after the `@`.
pub fn snapshot_name(number: usize) -> String {
    format!("zfs-auto-snap_hourly-2026-11-25-{number:04}")
}

/// The transaction group that made a snapshot.
pub fn txg(dataset: usize, number: usize) -> usize {
    number * 100_000 + dataset
}

/// When a snapshot was made, in seconds since 1970.
pub fn creation(number: usize) -> usize {
    1_700_000_000 + number * 3600
}

/// A folder with a file for each dataset that is not as the rule says.
pub struct Exceptions {
    folder: PathBuf,
    /// All of them, where they were read at once; none where each file is read when it is asked for.
    all: Option<HashMap<usize, String>>,
}

impl Exceptions {
    fn read(folder: &Path, all: bool) -> Result<Self, Refused> {
        let is_there = folder.is_dir();
        let mut known = HashMap::new();
        for entry in if all && is_there { Some(fs::read_dir(folder).map_err(broken)?) } else { None }
            .into_iter()
            .flatten()
        {
            let entry = entry.map_err(broken)?;
            let number =
                entry.file_name().to_string_lossy().parse().map_err(|error| (1, format!("{error}")))?;
            known.insert(number, fs::read_to_string(entry.path()).map_err(broken)?);
        }
        Ok(Self { folder: folder.to_owned(), all: (all || !is_there).then_some(known) })
    }

    pub fn get(&self, dataset: usize) -> Result<Option<String>, Refused> {
        if let Some(all) = &self.all {
            return Ok(all.get(&dataset).cloned());
        }
        match fs::read_to_string(self.folder.join(dataset.to_string())) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(broken),
        }
    }

    pub fn set(&self, dataset: usize, text: &str) -> Result<(), Refused> {
        fs::create_dir_all(&self.folder).map_err(broken)?;
        fs::write(self.folder.join(dataset.to_string()), text).map_err(broken)
    }
}

/// The stand-in itself does not work.
pub fn broken(error: std::io::Error) -> Refused {
    (1, format!("the stand-in failed: {error}"))
}
