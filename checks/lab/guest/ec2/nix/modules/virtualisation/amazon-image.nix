# What the image of EC2 adds to NixOS: here the image is made so, and options.nix has its defaults.
{ }
