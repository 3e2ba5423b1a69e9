# How 1 reaches its archivers, for home-manager.
# Written by dormouse-generate; change dormouse.json instead.
{ options, ... }:
let
  blocks = {
  };
in
{
  programs.ssh = {
    enable = true;
  }
  # Since release 26.05 blocks are `settings`, and `matchBlocks` warns.
  // (
    if options.programs.ssh ? settings then
      { settings = blocks; }
    else
      {
        matchBlocks = builtins.mapAttrs (host: extraOptions: { inherit host extraOptions; }) blocks;
      }
  );
}
