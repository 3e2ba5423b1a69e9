# The options that the lab's activator applies, with NixOS' defaults. What is here has an effect in
# the guest, or (`documentation`, `system`, `zfs.trim`, …) is about what the guest does not have.
{ lib, pkgs }:
let
  inherit (lib) mkOption;
  types = import ./unit-types.nix { inherit lib; };
  option = type: default: mkOption { inherit type default; };
  submodule = options: types.submodule { inherit options; };

  unit = {
    description = option types.str "";
    before = option (types.listOf types.str) [ ];
    after = option (types.listOf types.str) [ ];
    wants = option (types.listOf types.str) [ ];
    wantedBy = option (types.listOf types.str) [ ];
    unitConfig = option types.section { };
  };

  hostKey = submodule {
    type = mkOption { type = types.enum [ "ed25519" ]; };
    path = mkOption { type = types.path; };
  };

  user = submodule {
    uid = option (types.nullOr types.ints.positive) null;
    isSystemUser = option types.bool false;
    group = option types.str "";
    shell = option (types.nullOr types.package) null;
    openssh.authorizedKeys.keys = option (types.listOf types.str) [ ];
  };

  service = submodule (
    unit
    // {
      path = option (types.listOf types.package) [ ];
      serviceConfig = option types.section { };
      script = mkOption { type = types.str; };
      scriptArgs = option types.str "";
      preStop = option types.str "";
    }
  );

  timer = submodule (unit // { timerConfig = option types.section { }; });
in
{
  system.stateVersion = option (types.nullOr types.str) null;
  documentation.enable = option types.bool true;

  networking = {
    hostName = option types.str "nixos";
    hostId = option (types.nullOr types.hostId) null;
    firewall.extraCommands = option types.str "";
  };

  environment.etc = option (types.attrsOf (submodule { text = mkOption { type = types.str; }; })) { };

  virtualisation.amazon-init.enable = option types.bool true;
  # The guest has no such agent; a configuration that asks for one is refused.
  services.amazon-ssm-agent.enable = option (types.enum [ false ]) false;

  boot.supportedFilesystems = option (types.listOf (types.enum [ "zfs" ])) [ ];
  boot.zfs = {
    forceImportRoot = option (types.enum [ false ]) false;
    package = option types.package pkgs.zfs;
  };
  services.zfs.trim.enable = option (types.enum [ false ]) false;

  services.openssh = {
    enable = option (types.enum [ true ]) true;
    ports = option (types.listOf types.ints.positive) [ 22 ];
    hostKeys = option (types.listOf hostKey) [
      {
        type = "ed25519";
        path = "/etc/ssh/ssh_host_ed25519_key";
      }
    ];
    authorizedKeysFiles = option (types.listOf types.str) [
      "%h/.ssh/authorized_keys"
      "/etc/ssh/authorized_keys.d/%u"
    ];
    settings = option types.section { };
  };

  users.groups = option (types.attrsOf (submodule { gid = option (types.nullOr types.ints.positive) null; })) { };
  users.users = option (types.attrsOf user) { };

  security.polkit = {
    enable = option types.bool false;
    extraConfig = option types.str "";
  };

  services.udev.extraRules = option types.str "";

  systemd = {
    tmpfiles.rules = option (types.listOf types.str) [ ];
    services = option (types.attrsOf service) { };
    timers = option (types.attrsOf timer) { };
  };
}
