# What services.dormouse makes of generated/hosts/<host>/nixos.nix: on a whole NixOS system when
# `nixpkgs` is given, else with the small module system of this folder.
{
  nixpkgs ? null,
  generated,
  host,
  # Forced over what the file defines.
  dormouse ? { },
  zfs ? true,
  hostId ? "8425e349",
}:
let
  nixosFile = generated + "/hosts/${host}/nixos.nix";
  module = ../../modules/nixos.nix;
  system =
    let
      lib = import (nixpkgs + "/lib");
      force =
        value: if builtins.isAttrs value then builtins.mapAttrs (_: force) value else lib.mkForce value;
    in
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [
        module
        nixosFile
        {
          services.dormouse = force dormouse;
          boot.supportedFilesystems = lib.optional zfs "zfs";
          boot.zfs.forceImportRoot = false;
          networking.hostId = hostId;
          boot.loader.grub.device = "nodev";
          fileSystems."/" = {
            device = "/dev/vda";
            fsType = "ext4";
          };
          system.stateVersion = "26.05";
        }
      ];
    };
  real = system.config;
  shell = if nixpkgs == null then "/shell" else system.pkgs.runtimeShell;

  stub = import ./stub-system.nix {
    modules = [ module ];
    optionPath = [
      "services"
      "dormouse"
    ];
    definitions = update (import nixosFile { }).services.dormouse dormouse;
    rest = {
      boot.zfs = {
        enabled = zfs;
        package = "/zfs";
      };
      networking.hostId = hostId;
      users.users.root.home = "/root";
    };
    pkgs = {
      callPackage = _: _: "/package";
      makeWrapper = "/makeWrapper";
      openssh = "/openssh";
      runtimeShell = "/shell";
      symlinkJoin = { postBuild, ... }: postBuild;
      zstd = "/zstd";
    };
    utils.escapeSystemdExecArgs = import ./exec-args.nix;
  };
  update =
    old: new:
    old
    // builtins.mapAttrs (
      name: value:
      if builtins.isAttrs value && builtins.isAttrs (old.${name} or null) then
        update old.${name} value
      else
        value
    ) new;

  config = if nixpkgs == null then stub else real;

  failedAssertions = map (failed: failed.message) (
    builtins.filter (claim: !claim.assertion) config.assertions
  );

  # What NixOS gives to every service.
  nixosEnvironment = [
    "LOCALE_ARCHIVE"
    "PATH"
    "TZDIR"
  ];

  isForeign = name: builtins.match "(zfs-dormouse|dormouse-.*)" name == null;
  ours = units: removeAttrs units (builtins.filter isForeign (builtins.attrNames units));

  # Store paths differ from one nixpkgs to the next.
  withoutPaths =
    text:
    builtins.replaceStrings
      [
        "${generated}"
        "${config.services.dormouse.package}"
        (dirOf (dirOf config.services.dormouse.sshPath))
        (builtins.unsafeDiscardStringContext shell)
        "${../../modules/nixos/auto-snapshot.sh}"
        "${../../modules/nixos/grant.sh}"
      ]
      [
        "<generated>"
        "<dormouse>"
        "<openssh>"
        "<shell>"
        "<modules>/auto-snapshot.sh"
        "<modules>/grant.sh"
      ]
      (builtins.unsafeDiscardStringContext text);
  plain =
    value:
    if builtins.isString value then
      withoutPaths value
    else if builtins.isList value then
      map plain value
    else
      value;
in
{
  inherit failedAssertions;
  options = {
    inherit (config.services.dormouse)
      hostName
      replications
      report
      secretsDir
      ;
  };
  # Where the folder is in the store.
  generation = builtins.unsafeDiscardStringContext "${generated}";
  # How the administrator's `dormouse` is wrapped.
  wrapper = if nixpkgs == null then map plain config.environment.systemPackages else null;
  toplevel =
    if nixpkgs == null || failedAssertions != [ ] then null else config.system.build.toplevel.drvPath;
  services = builtins.mapAttrs (_: service: {
    inherit (service) description;
    after = service.after or [ ];
    onFailure = service.onFailure or [ ];
    reloadIfChanged = service.reloadIfChanged or false;
    restartIfChanged = service.restartIfChanged or true;
    wantedBy = service.wantedBy or [ ];
    wants = service.wants or [ ];
    environment = removeAttrs (service.environment or { }) nixosEnvironment;
    serviceConfig = builtins.mapAttrs (_: plain) service.serviceConfig;
  }) (ours config.systemd.services);
  timers = builtins.mapAttrs (_: timer: {
    inherit (timer) timerConfig wantedBy;
    after = timer.after or [ ];
  }) (ours config.systemd.timers);
  users = builtins.mapAttrs (_: user: {
    inherit (user) group isSystemUser;
  }) { inherit (config.users.users) dormouse; };
  knownHosts = builtins.mapAttrs (_: known: {
    inherit (known) hostNames publicKey;
  }) config.programs.ssh.knownHosts;
  autoSnapshot = {
    inherit (config.services.zfs.autoSnapshot)
      enable
      frequent
      hourly
      daily
      weekly
      monthly
      ;
  };
}
