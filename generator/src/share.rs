//! Manual pages and shell completions of a program, from its command line's definition.

use std::io;

use clap::Command;
use clap_complete::{Generator, Shell};
use clap_mangen::Man;

/// Where each shell looks below a `share` folder, and under which name.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions"),
    (Shell::Fish, "fish/vendor_completions.d"),
    (Shell::Zsh, "zsh/site-functions"),
];

/// The files of a `share` folder, by their paths in it: a page for the program and for each of its
/// commands, and completions.
///
/// # Errors
/// None that is known: the pages are written into memory.
pub fn files(program: Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut files = vec![page(&program)?];
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        files.push(page(command)?);
    }
    let name = program.get_name().to_owned();
    for (shell, folder) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut program, &name, &mut text);
        files.push((format!("{folder}/{}", shell.file_name(&name)), text));
    }
    Ok(files)
}

/// A manual page; that of a command is named after the program too.
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok((format!("man/man1/{}", man.get_filename()), text))
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn every_shown_command_has_a_page_and_every_shell_its_completions() {
        let hidden = Command::new("share").hide(true);
        let send = Command::new("send").about("Sends").arg(Arg::new("raw").long("raw"));
        let program = Command::new("tool").about("A tool").subcommands([send, hidden]);
        let files = files(program).unwrap();
        let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let expected = [
            "man/man1/tool.1",
            "man/man1/tool-send.1",
            "bash-completion/completions/tool.bash",
            "fish/vendor_completions.d/tool.fish",
            "zsh/site-functions/_tool",
        ];
        assert_eq!(names, expected);
        let holds_option = |(path, text): &(String, Vec<u8>)| {
            path != "man/man1/tool.1" && !String::from_utf8_lossy(text).contains("raw")
        };
        assert!(!files.iter().any(holds_option));
    }
}
