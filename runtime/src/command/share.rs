//! `dormouse share`.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use dormouse_generator::share;

use crate::cli::Cli;
use crate::error::{Error, Exit};

/// Arguments of `dormouse share`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The folder that they go to, such as /usr/local/share
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Arguments {
    /// Writes them; this is the one command that needs no spec.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn run(&self) -> Result<Exit, Error> {
        let files = share::files(Cli::command());
        for (path, text) in files.map_err(|source| failed(&self.folder, source))? {
            let path = self.folder.join(path);
            let folder = path.parent().unwrap_or(&self.folder);
            let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
            written.map_err(|source| failed(&path, source))?;
        }
        Ok(Exit::Done)
    }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Folder { path: path.to_owned(), source }
}
