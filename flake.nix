{
  description = "Dormouse: ZFS backups onto a machine that sleeps";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      eachSystem =
        f:
        lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
          system: f nixpkgs.legacyPackages.${system} self.packages.${system}
        );
      app = package: program: description: {
        type = "app";
        program = lib.getExe' package program;
        meta = { inherit description; };
      };
    in
    {
      packages = eachSystem (
        pkgs: own: {
          dormouse = pkgs.callPackage ./nix/package.nix { };
          # The same build, of which `nix run` starts the other program.
          generate = own.dormouse // {
            meta = own.dormouse.meta // {
              mainProgram = "dormouse-generate";
            };
          };
          default = own.dormouse;
        }
      );

      apps = eachSystem (
        _: own: rec {
          dormouse = app own.dormouse "dormouse" "Replicate ZFS datasets onto an archiver that sleeps";
          generate =
            app own.dormouse "dormouse-generate"
              "Write configurations, keys and known_hosts from dormouse.json";
          default = dormouse;
        }
      );

      overlays.default = final: _: { dormouse = final.callPackage ./nix/package.nix { }; };

      nixosModules = rec {
        dormouse = {
          imports = [ ./modules/nixos.nix ];
        };
        default = dormouse;
      };

      homeModules = rec {
        dormouse = {
          imports = [ ./modules/home-manager.nix ];
        };
        default = dormouse;
      };

      checks = eachSystem (pkgs: _: import ./checks { inherit self nixpkgs pkgs; });

      formatter = eachSystem (
        pkgs: _:
        pkgs.nixfmt-tree.override {
          # What dormouse-generate wrote has to stay as it is.
          settings.global.excludes = [
            "generator/tests/golden/*"
            "templates/flake/generated/*"
          ];
        }
      );

      devShells = eachSystem (
        pkgs: own: {
          default = pkgs.mkShell {
            inputsFrom = [ own.dormouse ];
            packages = [
              pkgs.clippy
              pkgs.nixfmt
              pkgs.rustfmt
              pkgs.shellcheck
            ];
          };
        }
      );

      templates.default = {
        path = ./templates/flake;
        description = "One NixOS host that is backed up onto an EC2 instance";
      };
    };
}
