# The ssh blocks that generated/hosts/<host>/home.nix defines: imported by itself, and through
# modules/home-manager.nix. With home-manager and nixpkgs, also the ssh_config that they make.
{
  nixpkgs ? null,
  homeManager ? null,
  generated,
  host,
}:
let
  file = generated + "/hosts/${host}/home.nix";
  module = ../../modules/home-manager.nix;
  values = {
    enable = true;
    inherit generated;
    hostName = host;
  };

  # Releases before 26.05 have `matchBlocks` where later ones have `settings`.
  optionsWith = name: { programs.ssh.${name} = { }; };
  alone = name: (import file { options = optionsWith name; }).programs.ssh;
  throughModule =
    name:
    import ./stub-system.nix {
      modules = [ module ];
      optionPath = [
        "programs"
        "dormouse"
      ];
      definitions = values;
      rest = { };
      otherOptions = optionsWith name;
      inherit pkgs;
      utils = { };
    };
  pkgs = {
    callPackage = _: _: "/package";
    makeWrapper = "/makeWrapper";
    symlinkJoin = { postBuild, ... }: postBuild;
  };
  stub = name: {
    alone = alone name;
    # How `dormouse` is wrapped, which ssh's ProxyCommand starts.
    wrapper = map (
      command:
      builtins.replaceStrings [ "${generated}" ] [ "<generated>" ] (
        builtins.unsafeDiscardStringContext command
      )
    ) (throughModule name).home.packages;
    throughModule = (throughModule name).programs.ssh;
    failedAssertions = builtins.filter (claim: !claim.assertion) (throughModule name).assertions;
  };

  lib = import (nixpkgs + "/lib");
  # What programs.ssh uses of the rest of home-manager.
  remainder = {
    options =
      lib.genAttrs [ "assertions" "warnings" ] (_: lib.mkOption { default = [ ]; })
      // lib.genAttrs [ "home" "meta" ] (
        _:
        lib.mkOption {
          type = lib.types.lazyAttrsOf lib.types.anything;
          default = { };
        }
      );
    config = {
      _module.args.pkgs = pkgs;
      home.stateVersion = "26.05";
    };
  };
  real =
    (lib.evalModules {
      specialArgs.lib = import (homeManager + "/modules/lib/stdlib-extended.nix") lib;
      modules = [
        (homeManager + "/modules/programs/ssh.nix")
        module
        remainder
        { programs.dormouse = values; }
      ];
    }).config;
in
{
  settings = stub "settings";
  matchBlocks = stub "matchBlocks";
  real =
    if homeManager == null then
      null
    else
      {
        inherit (real) warnings;
        failedAssertions = builtins.filter (claim: !claim.assertion) real.assertions;
        text = real.home.file.".ssh/config".text;
      };
}
