# The replications of 1, for Dormouse's NixOS module.
# Written by dormouse-generate; change dormouse.json instead.
{ ... }:
{
  services.dormouse = {
    enable = true;
    generated = ../..;
    hostName = "1";
    secretsDir = "/persist/dormouse";

    snapshots = {
      frequent = 4;
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };
  };
}
