//! `share`: manual pages and shell completions, for packagers.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use dormouse_generator::share;

use crate::cli::failure::Failure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder that they go to, such as /usr/local/share.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let files = share::files(crate::cli::Arguments::command());
        let files = files.map_err(|error| Failure::io("write", &self.folder, &error))?;
        for (path, text) in files {
            let path = self.folder.join(path);
            let folder = path.parent().unwrap_or(&self.folder);
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
            written.map_err(|error| Failure::io("write", &path, &error))?;
        }
        Ok(())
    }
}
