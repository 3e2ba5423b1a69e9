//! Evaluating Nix expressions.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

use serde_json::Value;

/// What configuration.nix needs of nixpkgs, in small.
const STUBS: &str = r#"
  escape = text: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] text + "'";
  stubs = {
    config.boot.zfs.package = "/zfs";
    lib = {
      mkForce = value: value;
      escapeShellArg = escape;
      escapeShellArgs = words: builtins.concatStringsSep " " (map escape words);
      concatMapStrings = f: list: builtins.concatStringsSep "" (map f list);
    };
    modulesPath = "/modules";
    pkgs = { bashInteractive = "/bash"; curl = "/curl"; kmod = "/kmod"; openssh = "/openssh"; procps = "/procps"; };
  };
"#;

/// `nix-instantiate` with a store of its own: evaluating writes nothing, but wants one.
pub fn command() -> Command {
    // Two that make it at once get in each other's way, so the first evaluation comes alone.
    static MADE: Once = Once::new();
    MADE.call_once(|| drop(super::run(bare().args(["--eval", "-E", "null"]))));
    bare()
}

fn bare() -> Command {
    let mut command = Command::new("nix-instantiate");
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nix");
    for (variable, folder) in [
        ("NIX_STORE_DIR", "store"),
        ("NIX_STATE_DIR", "var"),
        ("NIX_LOG_DIR", "log"),
        ("NIX_CONF_DIR", "etc"),
    ] {
        command.env(variable, store.join(folder));
    }
    command
}

/// An expression's value.
pub fn eval(expression: &str) -> Value {
    let json = super::run(command().args(["--eval", "--strict", "--json", "-E", expression]));
    serde_json::from_str(&json).unwrap()
}

/// The configuration of an archiver in this file, evaluated without nixpkgs.
pub fn system(file: &Path) -> Value {
    eval(&format!("let {STUBS} in import {} stubs", file.display()))
}
