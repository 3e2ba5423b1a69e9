# services.dormouse: one systemd service for each replication of this host.
#
# The values come from generated/hosts/<host>/nixos.nix, which dormouse-generate writes.
{
  imports = [
    ./nixos/options.nix
    ./nixos/services.nix
    ./nixos/datasets.nix
    ./nixos/command.nix
    ./nixos/assertions.nix
    ./nixos/agreement.nix
  ];
}
