//! Folders where secrets would end up in git or in the Nix store.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::failure::Failure;
use super::places::resolve;

/// Refuses a file or folder of secrets that git would take, or that a flake would copy.
///
/// `what` names it in messages, `option` is how to name another, and `files` are paths below it
/// that git is asked about; none when it is a file itself.
pub(super) fn refuse_exposed(
    path: &Path,
    spec: &Path,
    what: &str,
    option: &str,
    files: &[&str],
) -> Result<(), Failure> {
    let place = resolve(path)?;
    if place.starts_with("/nix/store") {
        let text = format!("{what} {} lies in the Nix store, which every user can read", path.display());
        return Err(Failure::refused(text, format!("name another place with {option}")));
    }
    if let Some(flake) = flake_of(spec)?
        && place.starts_with(&flake)
    {
        let text = format!(
            "{what} {} lies inside the flake {}, which Nix copies to a store that every user can read",
            path.display(),
            flake.display()
        );
        return Err(Failure::refused(text, format!("keep it outside, with {option} or without that option")));
    }
    let asked: Vec<PathBuf> = if files.is_empty() {
        vec![place.clone()]
    } else {
        files.iter().map(|file| place.join(file)).collect()
    };
    match work_tree(&place) {
        Some(tree) => refuse_tracked(&tree, &asked, path, what, option),
        None => Ok(()),
    }
}

/// The folder of the flake that the spec belongs to.
fn flake_of(spec: &Path) -> Result<Option<PathBuf>, Failure> {
    let spec = resolve(spec)?;
    Ok(spec.ancestors().skip(1).find(|folder| folder.join("flake.nix").exists()).map(Path::to_path_buf))
}

/// The git work tree around a path.
fn work_tree(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_path_buf)
}

fn refuse_tracked(
    tree: &Path,
    asked: &[PathBuf],
    path: &Path,
    what: &str,
    option: &str,
) -> Result<(), Failure> {
    let mut git = Command::new("git");
    git.arg("-C").arg(tree).arg("check-ignore").arg("--").args(asked);
    // A hook's environment names another repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CEILING_DIRECTORIES"] {
        git.env_remove(variable);
    }
    let output = git.stdin(Stdio::null()).output().ok();
    let ignored = output.as_ref().map_or(0, |output| output.stdout.split(|byte| *byte == b'\n').count() - 1);
    if ignored == asked.len() {
        return Ok(());
    }
    let (tree, path) = (tree.display(), path.display());
    let answered = output.is_some_and(|output| matches!(output.status.code(), Some(0 | 1)));
    let text = if answered {
        format!("{what} {path} lies inside the git work tree {tree}, which does not ignore it")
    } else {
        format!(
            "{what} {path} lies inside the git work tree {tree}, and git does not say whether it ignores it"
        )
    };
    let fix =
        format!("keep it outside, with {option} or without that option; or add it to {tree}/.gitignore");
    Err(Failure::refused(text, fix))
}
