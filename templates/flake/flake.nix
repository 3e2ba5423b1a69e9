{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    dormouse = {
      url = "github:dormouse-backup/dormouse";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    { nixpkgs, dormouse, ... }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
    in
    {
      nixosConfigurations.desktop = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [
          ./configuration.nix
          dormouse.nixosModules.default
          ./generated/hosts/desktop/nixos.nix
        ];
      };

      # Fails when ./generated is not what dormouse.json says.
      checks.${system}.generated =
        pkgs.runCommand "generated-fresh" { nativeBuildInputs = [ dormouse.packages.${system}.dormouse ]; }
          ''
            dormouse-generate --check --spec ${./dormouse.json} --out ${./generated}
            touch $out
          '';
    };
}
