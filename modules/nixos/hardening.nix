# The sandbox of a user's process that runs `zfs` and `ssh`.
#
# PrivateUsers is missing: in a user namespace ZFS shows no dataset.
{
  BindPaths = [ "/dev/zfs" ];
  CapabilityBoundingSet = "";
  DeviceAllow = [ "/dev/zfs rw" ];
  DevicePolicy = "closed";
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  # What an archiver prints is bounded for each command, but a run has many commands. The OOM killer ends this
  # service, and no other; ZFS' own cache (ARC) does not count.
  MemoryMax = "50%";
  NoNewPrivileges = true;
  # Hides /dev/zfs too, which BindPaths brings back.
  PrivateDevices = true;
  PrivateMounts = true;
  PrivateTmp = true;
  ProcSubset = "pid";
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHome = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProtectSystem = "strict";
  RemoveIPC = true;
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
    # getaddrinfo(3) asks it for this host's addresses, to sort the answers.
    "AF_NETLINK"
    "AF_UNIX"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallErrorNumber = "EPERM";
  SystemCallFilter = [
    "@system-service"
    "~@privileged @resources"
  ];
  UMask = "0077";
}
