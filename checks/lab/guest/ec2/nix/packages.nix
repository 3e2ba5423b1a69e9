# In place of nixpkgs: folders with the programs of a package in bin/. What is not among them is
# missing here, as a package with a wrong name is missing in nixpkgs.
builtins.mapAttrs (name: _: "/usr/local/lib/lab/ec2/packages/${name}") (
  builtins.readDir /usr/local/lib/lab/ec2/packages
)
