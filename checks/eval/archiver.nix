# What an archiver's configuration.nix says: as a whole NixOS system when `nixpkgs` is given, else
# by calling it with stubs.
{
  nixpkgs ? null,
  generated,
  archiver,
}:
let
  file = generated + "/archivers/${archiver}/configuration.nix";

  real =
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "aarch64-linux";
      modules = [ file ];
    }).config;

  stub = import file {
    config.boot.zfs.package = "/zfs";
    lib = import ./lib.nix;
    modulesPath = "/modules";
    pkgs = {
      bashInteractive = "/bash";
      kmod = "/kmod";
      procps = "/procps";
    };
  };

  config = if nixpkgs == null then stub else real;

  # A list until 22.11, then a set.
  filesystems = config.boot.supportedFilesystems;

  hasKeys = user: (config.users.users.${user}.openssh.authorizedKeys.keys or [ ]) != [ ];
  ours =
    units: builtins.filter (name: builtins.match "dormouse-.*" name != null) (builtins.attrNames units);
  pick =
    units: f:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = f units.${name};
      }) (ours units)
    );
in
{
  toplevel = if nixpkgs == null then null else config.system.build.toplevel.drvPath;
  warnings = if nixpkgs == null then [ ] else config.warnings;
  inherit (config.networking) hostId hostName;
  inherit (config.system) stateVersion;
  zfs = if builtins.isList filesystems then builtins.elem "zfs" filesystems else filesystems.zfs;
  forceImportRoot = config.boot.zfs.forceImportRoot;
  rebuildsAtBoot = config.virtualisation.amazon-init.enable;
  ssh = {
    inherit (config.services.openssh)
      authorizedKeysFiles
      hostKeys
      ports
      settings
      ;
  };
  keys = builtins.listToAttrs (
    map (name: {
      inherit name;
      value = config.users.users.${name}.openssh.authorizedKeys.keys;
    }) (builtins.filter hasKeys (builtins.attrNames config.users.users))
  );
  firewall = config.networking.firewall.extraCommands;
  tmpfiles = config.systemd.tmpfiles.rules;
  etc = builtins.mapAttrs (_: file: file.text) (
    builtins.intersectAttrs { "dormouse/gate" = null; } config.environment.etc
  );
  udev = config.services.udev.extraRules;
  services = pick config.systemd.services (service: {
    inherit (service) script serviceConfig;
    preStop = service.preStop or "";
    wantedBy = service.wantedBy or [ ];
  });
  timers = pick config.systemd.timers (timer: {
    inherit (timer) timerConfig wantedBy;
  });
}
