# Both programs: `dormouse` and `dormouse-generate`, with manual pages and completions.
{
  lib,
  git,
  openssh,
  rustPlatform,
  stdenv,
  zstd,
}:
let
  cargo = (lib.importTOML ../Cargo.toml).workspace.package;
  root = toString ../.;
  # A change to anything else in the repository does not rebuild the package.
  sources = [
    "Cargo.lock"
    "Cargo.toml"
    "examples"
    "generator"
    "runtime"
    "templates"
  ];
  topLevelName = path: lib.head (lib.splitString "/" (lib.removePrefix "${root}/" path));
in
rustPlatform.buildRustPackage {
  pname = "dormouse";
  inherit (cargo) version;

  # Not lib.fileset: it needs a Nix newer than the 2.8 that Debian 12 has.
  src = lib.cleanSourceWith {
    name = "dormouse-source";
    src = ../.;
    filter = path: _type: lib.elem (topLevelName path) sources;
  };

  cargoLock.lockFile = ../Cargo.lock;

  # The programs write them, so they have to run here.
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    for program in dormouse dormouse-generate; do
      $out/bin/$program share $out/share
    done
  '';

  nativeCheckInputs = [
    git
    openssh
    zstd
  ];
  # The sandbox has neither servers nor mounts, and a user's build needs no linters: `make test`
  # runs these too.
  env.DORMOUSE_WITHOUT = "nix-instantiate,shellcheck,sshd,unshare";

  meta = {
    inherit (cargo) description;
    homepage = cargo.repository;
    changelog = "${cargo.repository}/blob/main/CHANGELOG.md";
    license = lib.licenses.mit;
    mainProgram = "dormouse";
    platforms = lib.platforms.linux;
  };
}
